"""Sounds one after the other, with silence between and no click at the seams. Loads no ML library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xttsproject.lib.audio import Audio, Samples
from xttsproject.xtts.types import LONGEST_SEED, Speech, SpokenSentence

_FADE_SECONDS = 0.005
_PIECE_STRIDE = 100_003
"""Seeds between one piece's first sentence and the next piece's: more than a piece has sentences."""


def joined(waves: Sequence[Samples], pauses: Sequence[float], rate: int) -> tuple[Samples, list[int]]:
    """All waves in one, and the sample at which each begins; ``pauses`` are the seconds of silence before each.

    The first one's pause is not made. Only the seams are faded: a lone wave is returned as it is.
    """
    parts: list[Samples] = []
    starts: list[int] = []
    position = 0
    for place, (wave, pause) in enumerate(zip(waves, pauses, strict=True)):
        if place:
            parts.append(silence(pause, rate))
            position += len(parts[-1])
        parts.append(faded(wave, rate, begin=place > 0, end=place < len(waves) - 1))
        starts.append(position)
        position += len(wave)
    return (np.concatenate(parts) if len(parts) > 1 else parts[0]), starts


def join_speeches(speeches: Sequence[Speech], pauses: Sequence[float], *, after: float = 0.0) -> Speech:
    """One speech of several at the same rate, with ``pauses`` before each (the first one's too) and ``after`` the last.

    A sentence's ``piece`` is the place of the speech that it came from; the seed is the first one's.
    """
    rate = speeches[0].audio.sample_rate
    sound, starts = joined([speech.audio.samples for speech in speeches], pauses, rate)
    lead = silence(pauses[0], rate)
    if len(lead) or after:
        sound = np.concatenate([lead, sound, silence(after, rate)])
    sentences: list[SpokenSentence] = []
    for piece, (speech, start) in enumerate(zip(speeches, starts, strict=True)):
        shift = (len(lead) + start) / rate
        sentences += [
            replace(told, start=told.start + shift, end=told.end + shift, piece=piece) for told in speech.sentences
        ]
    return Speech(Audio(sound, rate), tuple(sentences), speeches[0].seed)


def piece_seed(seed: int, piece: int) -> int:
    """The seed of a speech's piece: its own luck for each; the first one's is the seed itself."""
    return (seed + piece * _PIECE_STRIDE) % (LONGEST_SEED + 1)


def silence(seconds: float, rate: int) -> Samples:
    """Nothing to hear, for so long."""
    nothing: Samples = np.zeros(round(seconds * rate), dtype=np.float32)
    return nothing


def faded(wave: Samples, rate: int, *, begin: bool, end: bool) -> Samples:
    """Sound that comes out of silence at its beginning, goes into it at its end, or both, within 5 ms."""
    length = min(round(_FADE_SECONDS * rate), len(wave) // 2)
    if not length or not (begin or end):
        return wave
    shaped = wave.copy()
    ramp = np.linspace(0.0, 1.0, length, dtype=np.float32)
    if begin:
        shaped[:length] *= ramp
    if end:
        shaped[-length:] *= ramp[::-1]
    return shaped
