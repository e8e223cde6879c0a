"""Two samples at one level, since the louder of two is taken for the better one."""

from __future__ import annotations

import numpy as np

from xttsproject.lib.audio import Audio

LEVEL_DBFS = -26.0
"""RMS of the parts that sound: the level of speech in ITU-T's listening tests, dB relative to full scale."""

FRAME_SECONDS = 0.02
PAUSE_DB = 30.0
"""Frames this far below the loudest are pauses."""


def frame_levels(audio: Audio) -> np.ndarray:
    """RMS in dBFS of whole frames of 20 ms, shape ``(frames,)``; -inf for digital silence."""
    size = round(FRAME_SECONDS * audio.sample_rate)
    count = len(audio.samples) // size
    frames = audio.samples[: count * size].astype(np.float64).reshape(count, size)
    with np.errstate(divide="ignore"):
        levels: np.ndarray = 10 * np.log10((frames**2).mean(axis=1))
    return levels


def levelled(audio: Audio) -> Audio:
    """The same sound, its speech at LEVEL_DBFS, or as near as full scale allows; silence stays as it is."""
    levels = frame_levels(audio)
    if not np.isfinite(levels).any():
        return audio
    sounding = levels[levels > levels.max() - PAUSE_DB]
    power = 10 * np.log10(np.mean(10 ** (sounding / 10)))
    gain = 10 ** ((LEVEL_DBFS - power) / 20)
    loudest = float(np.abs(audio.samples).max())
    return Audio((audio.samples * min(gain, 0.999 / loudest)).astype(np.float32), audio.sample_rate)
