"""Speaking a long text in a worker: several sentences in flight, each kept as soon as it is spoken."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models.functions import Length
from django.utils import timezone

from voices.engine.guarding import Guardian, Hear
from voices.engine.memory import give_back_memory
from voices.engine.owner import SpeechOwner
from voices.engine.requests import ModelChoice, Piece, SpeechRequest
from voices.engine.tags import Spoke, speech_tags, tag_wav
from voices.engine.tickets import Ticket
from voices.models import Synthesis, SynthesisSentence, Voice
from voices.services.guarding import guard_listener
from voices.services.longform import longform_finish
from voices.services.longform_planning import longform_plan, voice_gone
from voices.services.longform_sound import longform_join, longform_restore
from voices.services.runtime import longform_owner
from xttsproject.lib.audio import write_wav
from xttsproject.lib.disk import room_for
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path
from xttsproject.lib.progress import Part, Progress
from xttsproject.xtts.guard.pace import Pace
from xttsproject.xtts.guard.retries import GuardSettings, Mode
from xttsproject.xtts.text import shorten
from xttsproject.xtts.types import Sampling, Speech

_PLANNING_SHARE, _SPEAKING_SHARE = 0.03, 0.97
_LOOK_SECONDS = 0.5
"""How often it looks whether it is to stop, while nothing is finished."""

_TIDIED_AFTER = 100
"""Sentences after which memory that nobody uses goes back to the system."""


def longform_run(*, synthesis: Synthesis, progress: Progress, turn_is_over: Callable[[], bool] = lambda: False) -> bool:
    """Plan what is not planned, speak what is not spoken, join all; what was done before is not done again.

    ``turn_is_over`` is asked now and then while sentences are spoken. Where it says yes, those in flight are kept, the
    speech waits for its next turn, and false is returned; else true.

    May be killed at any instruction: the next call repeats at most the sentences that were in flight. Raises
    Cancelled, what planning raises, DomainErrors ``voice_gone``, ``voice_outdated``, ``disk_full``, and the engine's
    own.
    """
    if not synthesis.begin():
        return True
    began = time.monotonic()
    try:
        if not synthesis.is_planned:
            progress.report(0.0, "reading the text")
            longform_plan(synthesis=synthesis, progress=Part(progress, 0.0, _PLANNING_SHARE))
        while True:
            if synthesis.parts.pending().exists():
                over = not _speak(synthesis, Part(progress, _PLANNING_SHARE, _SPEAKING_SHARE), turn_is_over)
                if over and synthesis.parts.pending().exists():
                    synthesis.give_way()
                    return False
            if longform_restore(synthesis=synthesis):
                continue
            longform_join(synthesis=synthesis, progress=Part(progress, _SPEAKING_SHARE, 1.0))
            if longform_finish(synthesis=synthesis):
                return True
    finally:
        spent = time.monotonic() - began
        Synthesis.objects.filter(pk=synthesis.pk).update(elapsed=models.F("elapsed") + spent)


def _speak(synthesis: Synthesis, progress: Progress, turn_is_over: Callable[[], bool]) -> bool:
    """Until no sentence is pending, those that are asked for anew meanwhile among them: then true; or until its turn is
    over."""
    booth = Booth(synthesis)
    # Of what this run has to do, so that what is left of it can be told from the time it has taken.
    total, done = sum(synthesis.parts.pending().values_list(Length("text"), flat=True)), 0
    spoken, count = synthesis.parts.spoken().count(), synthesis.parts.count()
    with longform_owner() as owner:
        bell = threading.Event()
        flying: list[_Flying] = []
        kept, over = 0, False
        try:
            while True:
                progress.check()
                progress.report(min(done / total, 1.0), f"{spoken} of {count} sentences")
                # However short a turn is, something is spoken in it.
                over = over or (kept > 0 and turn_is_over())
                flying += [] if over else booth.send(owner, bell, flying)
                if not flying:
                    return not over
                bell.wait(_LOOK_SECONDS)
                bell.clear()
                # What has been spoken is kept before one that could not be is told of.
                for each in sorted((each for each in flying if each.ticket.done), key=lambda each: each.ticket.failed):
                    flying.remove(each)
                    speech = _spoken(each)
                    spoken += not each.row.is_spoken
                    done += len(each.row.text)
                    booth.keep(each, speech)
                    kept += 1
                    if kept % _TIDIED_AFTER == 0:
                        # Sentences of all lengths come and go for hours, and glibc keeps the gaps that they leave.
                        give_back_memory()
        finally:
            for each in flying:
                each.ticket.abandon()


@dataclass(frozen=True)
class _Flying:
    """A sentence that is being spoken: the row as it was read, and which wish it is spoken for."""

    row: SynthesisSentence
    text: str
    seed: int
    ticket: Ticket
    guardian: Guardian | None


def _spoken(flying: _Flying) -> Speech:
    """DomainError of the engine, with the sentence that it is about: of thousands nobody could tell which."""
    try:
        speech = flying.ticket.wait()
    except DomainError as error:
        raise DomainError(
            error.code,
            f"Sentence {flying.row.number}, “{shorten(flying.text)}”, could not be spoken: {error.message}",
            permanent=error.permanent,
        ) from error
    assert speech is not None
    return speech


class Booth:
    """Who speaks, with which values: as they were settled when the text was planned."""

    def __init__(self, synthesis: Synthesis):
        self._synthesis = synthesis
        self._guard = GuardSettings(**synthesis.asked["guard"])
        self._call()
        self._hear: Hear | None = guard_listener(wanted=self._guard)

    def _call(self) -> None:
        """Whoever has to say something."""
        self._cast: dict[str, Any] = self._synthesis.asked["cast"]
        visible = Voice.objects.visible_to(self._synthesis.owner).select_related("checkpoint__run")
        self._voices = {voice.pk: voice for voice in visible.filter(pk__in=[UUID(key) for key in self._cast])}

    def send(self, owner: SpeechOwner, bell: threading.Event, flying: list[_Flying]) -> list[_Flying]:
        """As many more sentences as the owner speaks together."""
        room = owner.settings.together - len(flying)
        if room <= 0:
            return []
        pending = self._synthesis.parts.pending().select_related("voice", "next_voice")
        pending = pending.exclude(pk__in=[each.row.pk for each in flying])
        return [self.begin(owner, bell, row) for row in pending.order_by("number")[:room]]

    def keep(self, spoken: _Flying, speech: Speech) -> None:
        """First the file, then the row that names it. The file of the take before goes later: somebody may be hearing
        it."""
        row, told = spoken.row, speech.sentences[0]
        report = spoken.guardian.report(spoken.seed) if spoken.guardian else None
        path = self._path(row, row.wish)
        room = room_for(path, 2 * len(speech.audio.samples), "A sentence of a long text")
        with room, atomic_path(path) as temporary:
            write_wav(temporary, speech.audio)
            tag_wav(temporary, self._tags(row, spoken.text))
        kept = SynthesisSentence.objects.filter(pk=row.pk, take__lt=row.wish).update(
            take=row.wish,
            # None where it was deleted while it spoke.
            voice=Voice.objects.filter(pk=row.speaker.pk).values("pk")[:1],  # type: ignore[union-attr]
            voice_name=self._facts(row)["name"],
            text=spoken.text,
            seed=spoken.seed,
            seconds=speech.audio.seconds,
            codes=report.codes if report else told.codes,
            finished=report.finished if report else told.finished,
            attempts=report.attempts if report else 1,
            faults=list(report.faults) if report else [],
            warnings=list(report.warnings) if report else [],
            codes_per_character=report.ratio if report else None,
            spoken_at=timezone.now(),
        )
        # The speech has been deleted, or another worker was faster.
        if not kept and not SynthesisSentence.objects.filter(pk=row.pk, take=row.wish).exists():
            path.unlink(missing_ok=True)

    def begin(self, owner: SpeechOwner, bell: threading.Event, row: SynthesisSentence) -> _Flying:
        text = row.next_text or row.text
        seed = row.seed if row.next_seed is None else row.next_seed
        piece, guardian = self._piece(row, text, seed), self._guardian(row)
        rivals = guardian.rivals if guardian is not None and guardian.chooses else None
        ticket = owner.submit(SpeechRequest((piece,), judge=guardian, rivals=rivals), bell=bell)
        return _Flying(row, text, seed, ticket, guardian)

    def _piece(self, row: SynthesisSentence, text: str, seed: int) -> Piece:
        speaker = row.speaker
        if row.next_voice is not None:
            # Somebody may have given it to this voice while the text is being spoken.
            self._synthesis.refresh_from_db(fields=["asked"])
            self._call()
        voice = self._voices.get(speaker.pk) if speaker is not None else None
        if voice is None:
            raise voice_gone(row.speaker_name)
        facts = self._facts(row)
        conditioning = voice.folder / facts["conditioning"]
        if not conditioning.is_file():
            raise DomainError(
                "voice_outdated",
                f"What the voice “{voice.name}” had learnt from its clips when this text was begun is gone; "
                "go on with another voice, or have the text spoken anew.",
            )
        return Piece(
            model=ModelChoice(voice.bundle_path, voice.adapter_path),
            model_key=facts["model_key"],
            conditioning=conditioning,
            text=text,
            language=row.language,
            sampling=Sampling(**facts["sampling"], seed=seed),
            whole=True,
        )

    def _guardian(self, row: SynthesisSentence) -> Guardian | None:
        if self._guard.mode == Mode.OFF:
            return None
        facts = self._facts(row)
        voice = self._voices[row.speaker.pk]  # type: ignore[union-attr]
        paces = {(voice.folder / facts["conditioning"], row.language): Pace(**facts["paces"][row.language])}
        return Guardian(self._guard, paces, self._hear)

    def _facts(self, row: SynthesisSentence) -> dict[str, Any]:
        facts: dict[str, Any] = self._cast[str(row.speaker.pk)]  # type: ignore[union-attr]
        return facts

    def _tags(self, row: SynthesisSentence, text: str) -> Mapping[str, str]:
        facts = self._facts(row)
        bundle = facts.get("bundle", self._synthesis.bundle)
        spoke = Spoke(facts["name"], bundle, facts.get("checkpoint", self._synthesis.checkpoint_name))
        return speech_tags(text=text, spoke=[spoke], date=f"{self._synthesis.created_at:%Y-%m-%d}")

    def _path(self, row: SynthesisSentence, take: int) -> Path:
        row.synthesis = self._synthesis
        return row.path_of(take)
