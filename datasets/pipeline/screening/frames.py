"""Short-time power of a clip, shared by the measures that look at its spectrum."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float64]

FFT = 1024
HOP = 512


def power_frames(samples: Signal, size: int = FFT, hop: int = HOP) -> Signal:
    """Power of Hann-windowed frames, shape ``(frames, size // 2 + 1)``; a last part of a frame is left out.

    Scaled so that white noise of variance v has the mean v in every bin but the first and last.
    """
    count = 1 + (len(samples) - size) // hop if len(samples) >= size else 0
    if count <= 0:
        return np.zeros((0, size // 2 + 1))
    window = np.hanning(size)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop][:count]
    power: Signal = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2 / float(np.sum(window**2))
    return power
