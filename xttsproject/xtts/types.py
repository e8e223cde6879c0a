"""What goes into speech and what comes out. Loads no ML library."""

from __future__ import annotations

from dataclasses import dataclass

from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.text import shorten

SAMPLE_RATE = 24_000
"""Rate of spoken sound in hertz. Training and conditioning sound is at 22 050."""

LONGEST_SEED = 2**63 - 1

PAUSE_SECONDS = 0.25
"""Silence between two sentences where nothing else is asked for."""

LONGEST_PAUSE = 10.0

_SAMPLING_BOUNDS = {
    "temperature": (0.01, 2.0),
    "top_k": (0, 1024),
    "top_p": (0.01, 1.0),
    "repetition_penalty": (1.0, 50.0),
    "seed": (0, LONGEST_SEED),
}


_WHOLE = ("top_k", "seed")


@dataclass(frozen=True)
class Sampling:
    """How audio codes are drawn; the first four are the model bundle's own where they are ``None``.

    ``temperature`` divides the logits; ``top_k`` keeps the likeliest codes (0: all), ``top_p`` the smallest set of
    them whose probabilities reach it; ``repetition_penalty`` weakens codes already spoken; ``speed`` stretches time
    (2.0 is twice as fast); the same ``seed`` gives the same speech (``None``: another one each time). Raises
    :class:`DomainError` ``sampling_invalid`` with ``field`` set.
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    speed: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _SAMPLING_BOUNDS.items():
            value = getattr(self, name)
            if value is not None:
                _within(name, value, low, high)
                if name in _WHOLE and not isinstance(value, int):
                    raise DomainError(
                        "sampling_invalid", f"{name} is {value!r}, but must be a whole number.", field=name
                    )
        _within("speed", self.speed, 0.25, 4.0)


@dataclass(frozen=True)
class ConditioningSettings:
    """How a voice is taken from reference clips: one setting used everywhere, so that tools do not differ.

    Each clip counts up to ``max_reference_seconds``; the speaker embedding is the mean over clips. Of all clips joined,
    the first ``gpt_seconds`` condition the GPT, in chunks of ``chunk_seconds`` whose latents are averaged.
    """

    max_reference_seconds: float = 30.0
    gpt_seconds: float = 30.0
    chunk_seconds: float = 6.0

    def __post_init__(self) -> None:
        _within("max_reference_seconds", self.max_reference_seconds, 1.0, 600.0)
        _within("gpt_seconds", self.gpt_seconds, 1.0, 600.0)
        _within("chunk_seconds", self.chunk_seconds, 1.0, 30.0)


@dataclass(frozen=True)
class Pauses:
    """Seconds of silence between two sentences and between two paragraphs."""

    sentence: float = PAUSE_SECONDS
    paragraph: float = 0.7

    def __post_init__(self) -> None:
        _within("sentence_pause", self.sentence, 0.0, LONGEST_PAUSE)
        _within("paragraph_pause", self.paragraph, 0.0, LONGEST_PAUSE)


@dataclass(frozen=True)
class SpokenSentence:
    """One sentence of a speech: its text, its place in the sound (seconds), how many audio codes it took.

    ``finished`` is false where the model gave no stop code before the cap; its end is then cut off or babble.
    ``piece`` is the place, from 0, of the text that it is of, where a speech was joined of several.
    """

    text: str
    start: float
    end: float
    codes: int
    finished: bool
    piece: int = 0


@dataclass(frozen=True)
class Speech:
    """Sound at 24 000 Hz and its sentences in order; ``seed`` is the one that was used, given or drawn."""

    audio: Audio
    sentences: tuple[SpokenSentence, ...]
    seed: int


def _within(field: str, value: float, low: float, high: float) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        # Compared, not converted: NaN is within nothing, and a whole number may be too large to be a float.
        or not low <= value <= high
    ):
        name = field.replace("_", " ")
        raise DomainError(
            "sampling_invalid",
            f"The {name} is {shorten(repr(value))}, but must be a number from {_plain(low)} to {_plain(high)}.",
            field=field,
        )


def _plain(bound: float) -> str:
    """A bound as it can be typed: whole numbers with all their digits."""
    return str(bound) if isinstance(bound, int) else f"{bound:g}"
