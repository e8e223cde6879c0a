"""Audio fingerprints: the same sound is recognised at another level, offset, or after lossy coding.

After Haitsma and Kalker, 2002 ("A highly robust audio fingerprinting system", ISMIR): the signs of differences of band
energies over time and frequency, 32 bits a frame; two excerpts are the same where few bits differ.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from datasets.pipeline.screening.frames import power_frames
from xttsproject.lib.audio import Audio

RATE = 8_000
HOP = 128
"""Samples between frames: 16 ms."""
_FFT = 2_048
_LOW_HERTZ, _HIGH_HERTZ, _BANDS = 200.0, 3_000.0, 33

Fingerprint = npt.NDArray[np.uint32]
SILENT: Fingerprint = np.zeros(0, np.uint32)
"""Of a clip that is too short to have one."""


def fingerprint(audio: Audio) -> Fingerprint:
    """One 32-bit word per 16 ms, each over 0.26 s of sound; empty for a clip shorter than that."""
    samples = np.nan_to_num(audio.at_rate(RATE).samples).astype(np.float64)
    power = power_frames(samples, _FFT, HOP)
    if len(power) < 2:
        return SILENT
    edges = np.geomspace(_LOW_HERTZ, _HIGH_HERTZ, _BANDS + 1) * _FFT / RATE
    sums = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
    bounds = np.round(edges).astype(int)
    energy = sums[:, bounds[1:]] - sums[:, bounds[:-1]]
    slope = energy[:, :-1] - energy[:, 1:]
    bits = (slope[1:] - slope[:-1]) > 0
    weights = (1 << np.arange(_BANDS - 1, dtype=np.uint64)).astype(np.uint32)
    words: Fingerprint = (bits * weights).sum(axis=1).astype(np.uint32)
    return words


def bit_errors(one: Fingerprint, other: Fingerprint, shift: int) -> tuple[float, int]:
    """Share of differing bits where ``other`` begins ``shift`` frames after ``one``, and how many frames overlap."""
    first, second = one[max(shift, 0) :], other[max(-shift, 0) :]
    length = min(len(first), len(second))
    if not length:
        return 1.0, 0
    return float(np.bitwise_count(first[:length] ^ second[:length]).sum()) / (32 * length), length
