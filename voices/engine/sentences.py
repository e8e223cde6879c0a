"""The sentences of a request, each attempt at them, and the groups of those that one model says."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from voices.engine.requests import ModelChoice, Piece
from xttsproject.lib.audio import Samples
from xttsproject.lib.errors import DomainError

if TYPE_CHECKING:
    from torch import Tensor

    from voices.engine.residents import Core, Resident
    from voices.engine.sessions import Session
    from xttsproject.xtts.conditioning import Conditioning
    from xttsproject.xtts.engine import XttsEngine
    from xttsproject.xtts.loop import Decoded, Row, Utterance
    from xttsproject.xtts.streaming import GrowingSound

_DECODING_SHARE = 0.8


class Sentence:
    """One sentence on its way: first in a loop, as a ``row``, then ``decoded``, then sound, as a ``wave``.

    Each further attempt at it is another one, whose ``lead`` is the first: that is what the text has, and what gets the
    sound.
    """

    def __init__(self, group: Group, place: int, text: str, utterance: Utterance, conditioning: Conditioning):
        self.group, self.place, self.text = group, place, text
        """``place`` is its piece's among the request's."""
        self.utterance, self.conditioning = utterance, conditioning
        self.number = 0
        """How many attempts at it there were before."""
        self._lead: Sentence | None = None
        self.attempts: deque[Sentence] = deque([self])
        """Of a lead: those that have not been judged, in the order in which they will be."""
        self.row: Row | None = None
        self.decoded: Decoded | None = None
        self.wave: Samples | None = None
        self.heard = 0
        """Codes whose sound has been made, of a stream."""
        self.sound: GrowingSound | None = None
        self.parts: list[Samples] = []

    def attempt(self, number: int, seed: int) -> Sentence:
        """The same with other luck, to be judged after those that there are."""
        lead = self.lead
        other = Sentence(self.group, self.place, self.text, replace(self.utterance, seed=seed), self.conditioning)
        other.number, other._lead = number, lead
        lead.attempts.append(other)
        return other

    @property
    def lead(self) -> Sentence:
        """The first attempt at it."""
        return self._lead or self

    @property
    def piece(self) -> Piece:
        return self.group.session.request.pieces[self.place]

    @property
    def engine(self) -> XttsEngine:
        """What decodes it and makes it sound; only until that is done."""
        assert self.group.resident is not None
        return self.group.resident.engine

    @property
    def rate(self) -> int:
        """Of its sound, in hertz."""
        return self.group.rate

    @property
    def codes(self) -> int:
        """So far."""
        return len(self.decoded.codes) if self.decoded else len(self.row) if self.row else 0

    def latents(self, start: int, end: int) -> Tensor:
        if self.decoded is not None:
            return self.decoded.latents[start:end]
        assert self.row is not None
        return self.row.latents(start, end)

    def progress(self) -> float:
        """Of a lead."""
        if self.wave is not None:
            return 1.0
        judged_next = self.attempts[0]
        if judged_next.decoded is not None:
            return _DECODING_SHARE
        return _DECODING_SHARE * len(judged_next.row) / judged_next.row.cap if judged_next.row is not None else 0.0


class Group:
    """What one model says of a request. It needs the model from its planning to its last sound."""

    def __init__(self, session: Session, model: ModelChoice, places: Sequence[int]):
        self.session, self.model, self.places = session, model, places
        self.resident: Resident | None = None
        """What speaks, from the planning to the last sound; nothing of this group holds a model that has left."""
        self.rate = 0
        """Of its sound in hertz, once it has been planned."""
        self.left = 0
        """Sentences that are no sound yet."""

    def begin(self, resident: Resident) -> None:
        """Plan its sentences. Raises what planning raises, and DomainError ``voice_outdated``."""
        from xttsproject.xtts.conditioning import Conditioning
        from xttsproject.xtts.engine import Saying

        self.resident, engine = resident, resident.engine
        self.rate = engine.sample_rate
        pieces = {place: self.session.request.pieces[place] for place in self.places}
        if any(engine.model_key != piece.model_key for piece in pieces.values()):
            raise DomainError(
                "voice_outdated",
                "The model below this voice has been replaced since the voice was prepared; prepare the voice again.",
            )
        voices = {path: Conditioning.load(path) for path in {piece.conditioning for piece in pieces.values()}}
        sentences: list[Sentence] = []
        for place, piece in pieces.items():
            voice = voices[piece.conditioning]
            planned = engine.planned(
                Saying(piece.text, piece.language, voice, piece.sampling, piece.pause, piece.whole)
            )
            own = [
                Sentence(self, place, text, utterance, voice)
                for text, utterance in zip(planned.sentences, planned.utterances, strict=True)
            ]
            self.session.plan(place, planned, own)
            sentences += own
        self.left = len(sentences)
        if sentences:
            resident.groups.add(self)

    @property
    def core(self) -> Core:
        assert self.resident is not None
        return self.resident.core

    def end(self) -> None:
        if self.resident is not None:
            self.resident.groups.discard(self)
            self.resident = None
