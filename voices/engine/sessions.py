"""One request while it is spoken: its sentences, where each of them is, and the sound that comes of them in order."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voices.engine.ear import Ear
from voices.engine.requests import Attempt, Hearing, ModelChoice, SpeechRequest, Verdict
from voices.engine.sentences import Group, Sentence
from voices.engine.tickets import Chunk, Ticket
from xttsproject.lib.audio import Samples
from xttsproject.xtts.joining import faded, join_speeches, silence
from xttsproject.xtts.pieces import FIRST_CODES, next_codes
from xttsproject.xtts.types import Speech

if TYPE_CHECKING:
    from xttsproject.xtts.engine import Planned

_LISTENED_TO = 2
"""Sentences of one request that are with the ear at most: one is heard, one is next, and then it is somebody else's
turn."""


@dataclass(frozen=True)
class _Listening:
    """A sentence that is sound, and waits for the judge to have listened to it."""

    sentence: Sentence
    wave: Samples
    hearing: Hearing
    heard: Future[Any]


class Session:
    """A request under way. Its methods are the owner's thread's."""

    def __init__(self, ticket: Ticket, ear: Ear):
        self.ticket, self._ear = ticket, ear
        self.request = ticket.request if isinstance(ticket.request, SpeechRequest) else SpeechRequest(())
        models = {ticket.request: []} if isinstance(ticket.request, ModelChoice) else ticket.request.by_model()
        self.unopened = deque(Group(self, model, places) for model, places in models.items())
        self.opened: list[Group] = []
        self.since = time.monotonic()
        self.pending: deque[Sentence] = deque()
        """Planned, and in no loop yet."""
        self.rows = 0
        """Sentences of it in loops."""
        self.decoded: deque[Sentence] = deque()
        """Decoded, to be made sound and judged; of a request that is not heard while it is decoded."""
        self._listening: deque[_Listening] = deque()
        self.sent_seconds = 0.0
        self._planned: list[tuple[Planned, list[Sentence]] | None] = [None] * len(self.request.pieces)
        self._speeches: dict[int, Speech] = {}
        self._codes = FIRST_CODES
        self._next = (0, 0)
        self._number = 0
        self._weight = sum(len(piece.text) for piece in self.request.pieces)

    def plan(self, place: int, planned: Planned, sentences: list[Sentence]) -> None:
        self._planned[place] = planned, sentences
        if self.request.rivals is not None:
            for sentence in sentences:
                for number, seed in enumerate(self.request.rivals(sentence.utterance.seed), start=1):
                    sentence.attempt(number, seed)
        self.pending += [attempt for sentence in sentences for attempt in sentence.attempts]
        self.ticket.tokens += sum(len(sentence.utterance.tokens) for sentence in sentences)

    @property
    def finished(self) -> bool:
        spoken = not self.unopened and len(self._speeches) == len(self.request.pieces)
        return spoken and not (self.ticket.streamed and self._current())

    @property
    def live(self) -> bool:
        """Whether it is heard while it is decoded."""
        return self.ticket.streamed and self.request.rivals is None and not self.request.settled

    def speech(self) -> Speech | None:
        """All of it; None where only a model was to be loaded."""
        if not self.request.pieces:
            return None
        inorder = [self._speeches[place] for place in range(len(self.request.pieces))]
        befores = [piece.before for piece in self.request.pieces]
        return join_speeches(inorder, befores, after=self.request.after)

    def report(self) -> None:
        done = 0.0
        for planned in self._planned:
            for sentence in planned[1] if planned else ():
                done += len(sentence.text) * sentence.progress()
        # Pieces and their sentences differ in length by white space.
        self.ticket.report(min(done / self._weight, 1.0) if self._weight else 0.0)

    # --- one sentence at a time -------------------------------------------------------------------------------

    def ended(self, sentence: Sentence) -> None:
        """Its codes are there."""
        if not self.live and sentence.lead.attempts[0] is sentence:
            self.decoded.append(sentence)

    def render(self, sentence: Sentence) -> None:
        """Make a decoded sentence sound; whether it is good enough says the judge, at once or when it has listened."""
        assert sentence.decoded is not None
        wave = sentence.engine.render(sentence.decoded.latents, sentence.conditioning, sentence.piece.sampling.speed)
        verdict = self._judge(sentence, wave, sent=False)
        if isinstance(verdict, Hearing):
            self._listening.append(_Listening(sentence, wave, verdict, self._ear.ask(verdict.listen)))
        else:
            self._take(sentence, wave, verdict)

    @property
    def may_render(self) -> bool:
        """Whether a sentence is to be made sound now."""
        return bool(self.decoded) and len(self._listening) < _LISTENED_TO

    @property
    def has_heard(self) -> bool:
        """Whether the judge has listened to the next one it was to."""
        return bool(self._listening) and self._listening[0].heard.done()

    def take_up(self) -> None:
        """Go on with what the judge has heard. Raises what went wrong while it listened."""
        each = self._listening.popleft()
        self._take(each.sentence, each.wave, each.hearing.decide(each.heard.result()))

    def close(self) -> None:
        """Nothing more is computed for it. What it held of sound and sentences goes now: they refer to each other, and
        the collector of such rings may come hundreds of requests later."""
        for each in self._listening:
            each.heard.cancel()
        for planned in self._planned:
            for sentence in planned[1] if planned else ():
                sentence.attempts.clear()
        self.rows = 0
        for held in (self._listening, self.pending, self.decoded, self.unopened, self.opened, self._planned):
            held.clear()
        self._speeches.clear()

    def _take(self, sentence: Sentence, wave: Samples, verdict: Verdict) -> None:
        """Do what was decided about an attempt."""
        if verdict.again is None:
            self.ticket.warnings += verdict.warnings
        lead = sentence.lead
        lead.attempts.popleft()
        if verdict.again is None:
            self._settle(lead, sentence, wave if verdict.samples is None else verdict.samples)
        elif not lead.attempts:
            self.pending.appendleft(lead.attempt(sentence.number + 1, verdict.again))
        elif lead.attempts[0].decoded is not None:
            self.decoded.appendleft(lead.attempts[0])

    def _settle(self, lead: Sentence, chosen: Sentence, wave: Samples) -> None:
        """The sentence has its sound; attempts that nobody will hear end."""
        for attempt in lead.attempts:
            core = attempt.group.core
            core.suspects.discard(attempt)
            if attempt.row is not None:
                del core.rows[attempt.row]
                core.loop.drop(attempt.row)
                self.rows -= 1
            elif attempt in self.pending:
                self.pending.remove(attempt)
        lead.attempts.clear()
        lead.decoded = chosen.decoded
        if self.ticket.streamed:
            lead.parts.append(wave)
        self._sounded(lead, wave)

    @property
    def ready_to_send(self) -> bool:
        """Whether the stream can go on by a piece."""
        sentence = self._current()
        if sentence is None or not self.live:
            return sentence is not None and bool(sentence.parts)
        return sentence.decoded is not None or sentence.codes - sentence.heard >= self._codes

    def send(self) -> None:
        """Make a piece of the current sentence sound, and send it."""
        from xttsproject.xtts.streaming import GrowingSound

        sentence = self._current()
        assert sentence is not None
        if not self.live:
            self._lead_in(sentence)
            (wave,), sentence.parts = sentence.parts, []
            self._send(faded(wave, sentence.rate, begin=self._number > 0, end=not self._is_last(sentence)))
            self._advance(sentence)
            return
        if sentence.sound is None:
            sentence.sound = GrowingSound(sentence.engine, sentence.conditioning, sentence.piece.sampling.speed)
            self._lead_in(sentence)
        left = sentence.codes - sentence.heard
        # What would be a scrap of sound on its own goes along.
        take = left if sentence.decoded is not None and left < 1.5 * self._codes else self._codes
        end = sentence.heard + take
        last = sentence.decoded is not None and end == sentence.codes
        samples = sentence.sound.extend(sentence.latents(sentence.heard, end), complete=last)
        begins = not sentence.parts
        sentence.heard = end
        self._codes = next_codes(self._codes)
        if len(samples):
            sentence.parts.append(samples)
            final = last and self._is_last(sentence)
            self._send(faded(samples, sentence.rate, begin=begins and self._number > 0, end=last and not final))
        if last:
            wave = np.concatenate(sentence.parts)
            sentence.sound, sentence.parts = None, []
            verdict = self._judge(sentence, wave, sent=True)
            assert isinstance(verdict, Verdict), "what has been sent is not listened to"
            self.ticket.warnings += verdict.warnings
            self._advance(sentence)
            self._sounded(sentence, wave)

    def _lead_in(self, sentence: Sentence) -> None:
        """The silence before it."""
        self.ticket.sample_rate = sentence.rate
        piece = sentence.piece
        self._send(silence(piece.before if self._next[1] == 0 else piece.pause, self.ticket.sample_rate))

    def _advance(self, sentence: Sentence) -> None:
        """All of it has been sent."""
        if self._is_last(sentence):
            self._send(silence(self.request.after, sentence.rate))
        place, number = self._next
        planned = self._planned[place]
        assert planned is not None
        self._next = (place, number + 1) if number + 1 < len(planned[1]) else (place + 1, 0)
        self._number += 1

    def _current(self) -> Sentence | None:
        """Whose turn it is in the stream; None while that is not planned yet, or all is sent."""
        place, number = self._next
        planned = self._planned[place] if place < len(self._planned) else None
        return planned[1][number] if planned else None

    def _is_last(self, sentence: Sentence) -> bool:
        planned = self._planned[-1]
        return planned is not None and planned[1][-1] is sentence

    def _send(self, samples: Samples) -> None:
        if len(samples):
            self.sent_seconds += len(samples) / self.ticket.sample_rate
            self.ticket.send(Chunk(self._number, samples))

    def _judge(self, sentence: Sentence, wave: Samples, *, sent: bool) -> Verdict | Hearing:
        judge = self.request.judge
        if judge is None:
            return Verdict()
        assert sentence.decoded is not None
        seed, number = sentence.utterance.seed, sentence.number
        return judge(Attempt(sentence.piece, sentence.text, sentence.decoded, wave, sentence.rate, seed, number, sent))

    def _sounded(self, sentence: Sentence, wave: Samples) -> None:
        sentence.wave = wave
        group = sentence.group
        planned = self._planned[sentence.place]
        assert planned is not None
        if all(other.wave is not None for other in planned[1]):
            waves = [other.wave for other in planned[1] if other.wave is not None]
            spoken = [other.decoded for other in planned[1] if other.decoded is not None]
            self._speeches[sentence.place] = sentence.engine.join(planned[0], spoken, waves)
            for other in planned[1]:
                # What is joined need not be kept twice; a slice of the sound would keep all of it.
                other.decoded, other.wave = None, silence(0.0, other.rate)
        group.left -= 1
        if not group.left:
            group.end()
