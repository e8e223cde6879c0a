"""Speech at one loudness: ITU-R BS.1770-4 as EBU R 128 measures it, with peaks held below full scale."""

from __future__ import annotations

import math

import numpy as np

from xttsproject.lib.audio import Audio, Samples
from xttsproject.lib.errors import DomainError

LOWEST, HIGHEST = -40.0, -10.0
"""LUFS that may be asked for: quieter is lost in noise, louder is a wall."""

CEILING_DB = -1.0
"""Highest true peak, in decibels below full scale: encoders overshoot by up to one."""

# BS.1770 weighs blocks of this length; what is shorter has no loudness.
_BLOCK_SECONDS = 0.4
_LOOK_AHEAD_SECONDS = 0.005
_OVERSAMPLED = 4
_PASSES = 3
_CLOSE_ENOUGH = 0.1


def require_loudness(lufs: float) -> float:
    """DomainError ``loudness_invalid``."""
    if not math.isfinite(lufs) or not LOWEST <= lufs <= HIGHEST:
        raise DomainError(
            "loudness_invalid",
            f"The loudness is {lufs!r} LUFS, but must be from {LOWEST:g} to {HIGHEST:g}; -16 is usual for speech.",
            field="loudness",
        )
    return lufs


def loudness_of(audio: Audio) -> float | None:
    """Integrated loudness in LUFS; None for silence and for what is shorter than 0.4 s."""
    import pyloudnorm

    if audio.seconds < _BLOCK_SECONDS:
        return None
    measured = float(pyloudnorm.Meter(audio.sample_rate).integrated_loudness(audio.samples.astype(np.float64)))
    return measured if math.isfinite(measured) else None


def true_peak(audio: Audio) -> float:
    """The highest level between the samples too (four times oversampled), 1.0 being full scale."""
    return float(_peaks(audio.samples, audio.sample_rate).max(initial=0.0))


def at_loudness(audio: Audio, lufs: float) -> Audio:
    """The same sound at ``lufs``, its true peaks limited to CEILING_DB; what has no loudness stays as it is.

    Limiting takes away some of what was gained, so that it is measured and corrected up to three times; very peaky
    sound may stay below the target.
    """
    require_loudness(lufs)
    measured = loudness_of(audio)
    if measured is None:
        return audio
    gain, changed = lufs - measured, audio
    for _ in range(_PASSES):
        changed = _limited(Audio(audio.samples * np.float32(10 ** (gain / 20)), audio.sample_rate))
        missing = lufs - (loudness_of(changed) or lufs)
        if abs(missing) <= _CLOSE_ENOUGH:
            break
        gain += missing
    return changed


def limiting_gains(samples: Samples, rate: int, *, spare_db: float = 0.0) -> Samples | None:
    """What to multiply with so that true peaks stay ``spare_db`` below CEILING_DB: a gain that begins to fall before
    each of them and never jumps. None where nothing is too high."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    ceiling = 10 ** ((CEILING_DB - spare_db) / 20)
    peaks = _peaks(samples, rate)
    if peaks.max(initial=0.0) <= ceiling:
        return None
    wanted = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9))
    # The mean of minima over windows of one width is nowhere above what is wanted.
    width = 2 * max(1, round(_LOOK_AHEAD_SECONDS * rate)) + 1
    gains: Samples = uniform_filter1d(minimum_filter1d(wanted, width, mode="nearest"), width, mode="nearest")
    return gains


def _limited(audio: Audio) -> Audio:
    """Peaks below the ceiling."""
    gains = limiting_gains(audio.samples, audio.sample_rate)
    if gains is None:
        return audio
    ceiling = 10 ** (CEILING_DB / 20)
    limited = (audio.samples * gains).astype(np.float32)
    # Moving gains bend what lies between the samples a little.
    left = _peaks(limited, audio.sample_rate).max(initial=0.0)
    return Audio(limited * np.float32(min(1.0, ceiling / left)), audio.sample_rate)


def _peaks(samples: Samples, rate: int) -> np.ndarray:
    """Per sample, the highest level from it to the next."""
    import soxr

    fine = np.abs(soxr.resample(samples.astype(np.float64), rate, _OVERSAMPLED * rate, quality="HQ"))
    whole = np.zeros(_OVERSAMPLED * len(samples))
    whole[: min(len(fine), len(whole))] = fine[: len(whole)]
    peaks: np.ndarray = np.maximum(whole.reshape(len(samples), _OVERSAMPLED).max(axis=1), np.abs(samples))
    return peaks
