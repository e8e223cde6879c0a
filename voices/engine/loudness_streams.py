"""Loudness of sound that is too long to lie in memory: measured as it goes by, and changed as it goes by later."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from voices.engine.loudness import limiting_gains
from xttsproject.lib.audio import Samples

_HOP_SECONDS = 0.1
_HOPS = 4
"""Of a block of 0.4 s, which overlap by three quarters."""
_ABSOLUTE_GATE, _RELATIVE_GATE = -70.0, -10.0
_OFFSET = -0.691
_MARGIN_SECONDS = 0.25
"""On each side of what is limited, so that a block's edge does not show in it."""
_SPARE_DB = 0.2
"""Below the ceiling: a moving gain bends what lies between the samples a little, and what went by is not looked at
again."""


class LoudnessMeter:
    """Integrated loudness (ITU-R BS.1770-4) of blocks that are pushed one after the other, as
    :func:`voices.engine.loudness.loudness_of` measures them all at once."""

    def __init__(self, rate: int):
        from pyloudnorm.iirfilter import IIRfilter

        # The K-weighting, as pyloudnorm's own meter has it.
        self._filters = [
            IIRfilter(4.0, 1 / math.sqrt(2), 1500.0, rate, "high_shelf"),
            IIRfilter(0.0, 0.5, 38.0, rate, "high_pass"),
        ]
        self._states = [np.zeros(2) for _ in self._filters]
        self._hop = round(_HOP_SECONDS * rate)
        self._rest = np.zeros(0)
        self._powers: list[np.ndarray] = []

    def push(self, samples: Samples) -> None:
        from scipy.signal import lfilter

        weighted = samples.astype(np.float64)
        for place, stage in enumerate(self._filters):
            weighted, self._states[place] = lfilter(stage.b, stage.a, weighted, zi=self._states[place])
            weighted = stage.passband_gain * weighted
        weighted = np.concatenate([self._rest, weighted])
        whole = len(weighted) // self._hop * self._hop
        self._powers.append(np.square(weighted[:whole]).reshape(-1, self._hop).sum(axis=1))
        self._rest = weighted[whole:]

    def loudness(self) -> float | None:
        """LUFS; None for silence and for what is shorter than 0.4 s."""
        hops = np.concatenate(self._powers) if self._powers else np.zeros(0)
        if len(hops) < _HOPS:
            return None
        powers = np.convolve(hops, np.ones(_HOPS), mode="valid") / (_HOPS * self._hop)
        loud = powers[_lufs(powers) >= _ABSOLUTE_GATE]
        if not len(loud):
            return None
        loud = loud[_lufs(loud) > _lufs(loud.mean()) + _RELATIVE_GATE]
        return float(_lufs(loud.mean())) if len(loud) else None


def amplified(blocks: Iterator[Samples], rate: int, gain: float) -> Iterator[Samples]:
    """The blocks louder by ``gain`` decibels, their true peaks held at the ceiling of ``voices.engine.loudness``.

    What limiting takes away is not made up for: very peaky sound stays a little below what it was to become.
    """
    factor, margin = np.float32(10 ** (gain / 20)), round(_MARGIN_SECONDS * rate)
    pending, sent = np.zeros(0, dtype=np.float32), 0
    for block in blocks:
        pending = np.concatenate([pending, block * factor])
        end = len(pending) - margin
        if end > sent:
            yield _held(pending, rate)[sent:end]
            keep = max(0, end - margin)
            pending, sent = pending[keep:], end - keep
    if len(pending) > sent:
        yield _held(pending, rate)[sent:]


def resampled(blocks: Iterator[Samples], given: int, wanted: int) -> Iterator[Samples]:
    """As :meth:`Audio.at_rate`, block by block."""
    if given == wanted:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(given, wanted, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def _held(samples: Samples, rate: int) -> Samples:
    gains = limiting_gains(samples, rate, spare_db=_SPARE_DB)
    held: Samples = samples if gains is None else (samples * gains).astype(np.float32)
    return held


def _lufs(power: np.ndarray | float) -> np.ndarray:
    with np.errstate(divide="ignore"):
        lufs: np.ndarray = _OFFSET + 10.0 * np.log10(power)
    return lufs
