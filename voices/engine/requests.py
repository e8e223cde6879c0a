"""What is to be spoken, by which model, and who decides whether a sentence is good enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xttsproject.lib.audio import Samples
from xttsproject.xtts.types import PAUSE_SECONDS, Sampling

if TYPE_CHECKING:
    from xttsproject.xtts.loop import Decoded


@dataclass(frozen=True)
class ModelChoice:
    """A bundle's folder, and the folder of an adapter fine-tuned upon it (None: the base model)."""

    bundle: Path
    adapter: Path | None = None


@dataclass(frozen=True)
class Piece:
    """What one voice says in one language without a pause of its own.

    ``conditioning`` is the file of the voice's latents, made for the model whose content key is ``model_key``.
    ``before`` is the silence before it and ``pause`` that between its sentences, in seconds. ``whole``: the text is one
    planned sentence already, and is not cut again.
    """

    model: ModelChoice
    model_key: str
    conditioning: Path
    text: str
    language: str
    sampling: Sampling = field(default_factory=Sampling)
    before: float = 0.0
    pause: float = PAUSE_SECONDS
    whole: bool = False


@dataclass(frozen=True)
class Attempt:
    """A sentence that has been spoken, for the ``number``-th time from 0, and its sound at ``sample_rate`` hertz.

    With ``sent`` it has been streamed to the client already, and nothing can be changed any more.
    """

    piece: Piece
    text: str
    decoded: Decoded
    samples: Samples
    sample_rate: int
    seed: int
    number: int
    sent: bool


@dataclass(frozen=True)
class Verdict:
    """What to do with an attempt: speak it again with ``again`` as its seed, or take ``samples`` (None: as they are).

    ``warnings`` are sentences for whoever asked.
    """

    again: int | None = None
    samples: Samples | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hearing:
    """A judge that has to listen first: ``listen`` may take seconds and is called in a thread of its own; ``decide`` is
    given what it found, in the thread that asked.
    """

    listen: Callable[[], Any]
    decide: Callable[[Any], Verdict]


Judge = Callable[[Attempt], Verdict | Hearing]
Rivals = Callable[[int], Sequence[int]]


@dataclass(frozen=True)
class SpeechRequest:
    """Pieces to be spoken in order as one speech, and the seconds of silence ``after`` the last.

    ``judge`` is asked about every sentence before it counts as spoken, in the order of its attempts; while it listens
    to one, others are spoken and judged. ``rivals`` gives, for the seed of a sentence's
    first attempt, those of further ones that are decoded beside it from the start; the judge hears them in this order,
    each when it has asked for it, and what is not heard any more leaves. A stream of a request with rivals, or one that
    is ``settled``, comes sentence by sentence, each once it has been judged; any other comes as it is spoken, and is
    judged when it has gone.
    """

    pieces: tuple[Piece, ...]
    after: float = 0.0
    judge: Judge | None = None
    rivals: Rivals | None = None
    settled: bool = False

    def by_model(self) -> dict[ModelChoice, list[int]]:
        """The places of the pieces that each model speaks, so that none is loaded twice for one speech."""
        places: dict[ModelChoice, list[int]] = {}
        for place, piece in enumerate(self.pieces):
            places.setdefault(piece.model, []).append(place)
        return places
