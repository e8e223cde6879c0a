"""Up to which frequency a clip carries speech: a telephone's band stays narrow however often it is resampled."""

from __future__ import annotations

import numpy as np

from datasets.pipeline.screening.frames import FFT, Signal, power_frames

BAND_HERTZ = 250.0
LOUD_PERCENTILE, FLOOR_PERCENTILE = 95, 10
ABOVE_FLOOR_DB = 10.0
ROUNDING_DB = 6.0
_ROUNDING = (1 / 32768.0) ** 2 / 12
"""Power of the noise that rounding to 16 bits adds."""


def bandwidth_hz(samples: Signal, sample_rate: int) -> float:
    """The upper edge, in hertz, of the highest band in which the clip rises above its own floor; 0 if in none.

    Power in bands of 250 Hz, frame by frame; a band carries speech where the 95th percentile over the frames (its
    loud moments: fricatives are short) lies 10 dB above its floor. The floor is the 10th percentile (the pauses),
    and at least 6 dB above the noise of rounding to 16 bits. So it is not the absolute level that counts: noise that
    never pauses, or resampling, adds none. A band counts only with the one below it.
    """
    power = power_frames(samples)
    width = max(1, round(BAND_HERTZ * FFT / sample_rate))
    bands = power.shape[1] // width
    if not len(power):
        return 0.0
    banded = power[:, : bands * width].reshape(len(power), bands, width).mean(axis=2)
    loud, floor = np.percentile(banded, [LOUD_PERCENTILE, FLOOR_PERCENTILE], axis=0)
    floor = np.maximum(floor, _ROUNDING * 10 ** (ROUNDING_DB / 10))
    carries = loud > floor * 10 ** (ABOVE_FLOOR_DB / 10)
    carries[1:] &= carries[:-1]
    highest = np.flatnonzero(carries)
    return float(min((highest[-1] + 1) * width * sample_rate / FFT, sample_rate / 2)) if len(highest) else 0.0
