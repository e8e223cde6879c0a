"""What of a spoken sentence can be heard without knowing its text: levels, pauses, clipping, repetition.

NumPy alone; a sentence takes some milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from xttsproject.lib.audio import Samples

FRAME_SECONDS = 0.01
MUTE_DBFS = -55.0
"""What never gets louder has no voice in it."""
FLOOR_DB = 32.0
"""Frames so far below the sentence's own loud ones count as silent."""
SHORTEST_PAUSE = 0.12
"""Seconds; shorter gaps are the closures of stop consonants."""

_LOUD_QUANTILE = 0.9
_END_SECONDS = 0.03
_FULL_SCALE = 0.99
_FLAT = 0.005
_FLAT_RUN = 3
_SHORTEST_SOUND = 0.08
"""Seconds; what is shorter and stands alone is a click, or the release of a last consonant."""
_HOP_SECONDS = 0.02
_SAME_CODES = 0.65
LOOP_LIKENESS = 0.9
"""Mean cosine of the spectra of two rounds."""
_BANDS = 20
_LOWEST_HERTZ, _HIGHEST_HERTZ = 100.0, 7_000.0

Levels = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Heard:
    """Facts of one sentence's sound; times in seconds from its beginning.

    ``islands`` are the stretches between pauses, (start, end) each, none in silence. ``end_level`` is that of the last
    30 ms in dB relative to the sentence's loud frames. ``clipped`` is the share of samples within flat peaks.
    """

    seconds: float
    loud: float
    islands: tuple[tuple[float, float], ...]
    end_level: float
    clipped: float

    @property
    def silent(self) -> bool:
        return not self.islands

    @property
    def start(self) -> float:
        return self.islands[0][0] if self.islands else 0.0

    @property
    def end(self) -> float:
        return self.islands[-1][1] if self.islands else 0.0

    @property
    def pauses(self) -> tuple[tuple[float, float], ...]:
        """Silence between the first and the last sound, (start, end) each."""
        return tuple((one[1], other[0]) for one, other in pairwise(self.islands))

    @property
    def longest_silence(self) -> float:
        """Of the lead, the pauses and the tail."""
        inner = [end - start for start, end in self.pauses]
        return max([self.start, self.seconds - self.end, *inner])


def hear(samples: Samples, rate: int) -> Heard:
    """Measure a sentence's sound, any length from one sample on."""
    levels = frame_levels(samples, rate)
    seconds = len(samples) / rate
    loud = float(np.quantile(levels, _LOUD_QUANTILE)) if len(levels) else -np.inf
    clipped = clipped_share(samples)
    if not loud > MUTE_DBFS:
        return Heard(seconds, loud, (), -np.inf, clipped)
    islands = _islands(levels > max(loud - FLOOR_DB, MUTE_DBFS))
    end = samples[-max(1, round(_END_SECONDS * rate)) :].astype(np.float64)
    return Heard(seconds, loud, islands, float(_decibels(np.mean(end**2)) - loud), clipped)


def frame_levels(samples: Samples, rate: int) -> Levels:
    """RMS in dBFS of frames of 10 ms, the last one perhaps shorter; -200 for digital silence."""
    size = max(1, round(FRAME_SECONDS * rate))
    padded = np.pad(samples.astype(np.float64), (0, -len(samples) % size)).reshape(-1, size)
    return _decibels(np.mean(padded**2, axis=1))


def clipped_share(samples: Samples) -> float:
    """Share of samples in runs of three or more at the very peak, if that is full scale: speech has sharp peaks."""
    if not len(samples):
        return 0.0
    magnitude = np.abs(samples)
    peak = float(magnitude.max())
    if peak < _FULL_SCALE:
        return 0.0
    flat = magnitude >= min(peak, 1.0) - _FLAT
    return float(sum(end - start for start, end in _runs(flat) if end - start >= _FLAT_RUN) / len(samples))


def loudness_of_codes(samples: Samples, rate: int, codes: int) -> npt.NDArray[np.bool_]:
    """Which of a sentence's codes sound, shape ``(codes,)``."""
    levels = frame_levels(samples, rate)
    if not len(levels) or not codes:
        return np.zeros(codes, dtype=bool)
    floor = max(float(np.quantile(levels, _LOUD_QUANTILE)) - FLOOR_DB, MUTE_DBFS)
    places = np.linspace(0, len(levels), codes + 1).astype(int)
    return np.array([bool((levels[a : max(b, a + 1)] > floor).any()) for a, b in pairwise(places)])


def repeated_codes(codes: Sequence[int], sounding: npt.NDArray[np.bool_], *, least: int = 12) -> int:
    """The most codes that a stretch has which says the same thing three times or more; 0 for none.

    Same is two codes of three: a loop's rounds are alike, not equal. Silent codes repeat in every pause and count
    neither way. Stretches below ``least`` codes are none.
    """
    values = np.asarray(codes)
    best = 0
    for lag in range(1, len(values) // 3 + 1):
        both = sounding[lag:] & sounding[:-lag]
        same = (values[lag:] == values[:-lag]) & both
        best = max(best, _longest_alike(same, both, max(2 * lag, least - lag), _SAME_CODES, lag))
    return best


def repeated_sound(samples: Samples, rate: int) -> float:
    """Seconds of the longest stretch that sounds the same three times or more in a row, or on and on; 0 for none.

    Spectra in 20 bands every 20 ms, compared with themselves at every lag from 0.16 s on; codes are not needed, so this
    finds loops too whose codes differ.
    """
    spectra, sounding = _spectra(samples, rate)
    best = 0
    for lag in range(round(0.16 / _HOP_SECONDS), len(spectra) // 3 + 1):
        both = sounding[lag:] & sounding[:-lag]
        alike = np.where(both, np.einsum("ij,ij->i", spectra[lag:], spectra[:-lag]), 0.0)
        width = max(2 * lag, round(0.7 / _HOP_SECONDS))
        best = max(best, _longest_alike(alike, both, width, LOOP_LIKENESS, lag))
    return best * _HOP_SECONDS


def _longest_alike(alike: npt.NDArray[Any], counted: npt.NDArray[np.bool_], width: int, least: float, lag: int) -> int:
    """Length of the longest stretch in which every window of ``width`` is alike on the mean of what is counted, half of
    it or more, with its first round."""
    if len(alike) < width:
        return 0
    sums = np.concatenate([[0.0], np.cumsum(alike)])
    counts = np.concatenate([[0], np.cumsum(counted)])
    many = counts[width:] - counts[:-width]
    windows = (sums[width:] - sums[:-width] >= least * many) & (2 * many >= width)
    longest = max((end - start for start, end in _runs(windows)), default=0)
    return longest - 1 + width + lag if longest else 0


def _spectra(samples: Samples, rate: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Band spectra of length one without the sentence's mean, ``(frames, bands)``, and which frames sound."""
    hop = round(_HOP_SECONDS * rate)
    size = 2 * hop
    if len(samples) < size:
        return np.zeros((0, _BANDS)), np.zeros(0, dtype=bool)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    edges = np.geomspace(_LOWEST_HERTZ, _HIGHEST_HERTZ, _BANDS + 1)
    places = np.searchsorted(np.fft.rfftfreq(size, 1 / rate), edges)
    bands = np.stack([power[:, a : max(b, a + 1)].mean(axis=1) for a, b in pairwise(places)], axis=1)
    levels = _decibels(bands)
    total = _decibels(power.sum(axis=1))
    sounding = total > np.quantile(total, _LOUD_QUANTILE) - FLOOR_DB
    levels = np.maximum(levels, levels.max() - 70.0)
    centred = levels - (levels[sounding].mean(axis=0) if sounding.any() else 0.0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return centred / np.maximum(lengths, 1e-9), sounding


def _islands(sounding: npt.NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    merged: list[list[int]] = []
    for start, end in _runs(sounding):
        if merged and (start - merged[-1][1]) * FRAME_SECONDS < SHORTEST_PAUSE:
            merged[-1][1] = end
        else:
            merged.append([start, end])
    found = [(start * FRAME_SECONDS, end * FRAME_SECONDS) for start, end in merged]
    return tuple(each for each in found if each[1] - each[0] >= _SHORTEST_SOUND) or tuple(found[:1])


def _runs(marked: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches of True, (first, behind the last) each."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _decibels(power: npt.ArrayLike) -> Levels:
    return 10 * np.log10(np.maximum(np.asarray(power, dtype=np.float64), 1e-20))
