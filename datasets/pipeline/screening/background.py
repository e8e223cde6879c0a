"""What is heard while nobody speaks: how loud it is, and whether it is noise or tones (music, hum, other voices)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from datasets.pipeline.screening.frames import Signal, power_frames

WINDOW_SECONDS = 0.032
"""Of silero's probabilities."""
SPEECH_FROM, PAUSE_BELOW = 0.5, 0.2
LEAST_PAUSE_SECONDS = 0.2
TONAL_FROM = 0.35
"""Noise of any colour stays below, music and voices lie above."""
_FFT = 1024
_BAND = 12
_LOW_HERTZ, _HIGH_HERTZ = 80.0, 5000.0
_NOISE_FLATNESS = 0.5615
"""exp(-Euler's constant): geometric over arithmetic mean of the spectrum of white noise."""


@dataclass(frozen=True)
class Background:
    """``level_db``: mean power of the pauses relative to that of speech; ``tonality`` 0 (noise) to 1 (pure tones).

    Both None where the clip pauses for less than 0.2 s: then it cannot be told.
    """

    level_db: float | None
    tonality: float | None

    @property
    def tonal_level_db(self) -> float | None:
        """The level, where the pauses hold tones rather than noise."""
        return self.level_db if self.tonality is not None and self.tonality >= TONAL_FROM else None


def speech_ratio(probabilities: npt.NDArray[np.float64]) -> float | None:
    """Share of the 32 ms windows in which speech is more likely than not; None without windows."""
    return float(np.mean(probabilities >= SPEECH_FROM)) if len(probabilities) else None


def background(samples: Signal, sample_rate: int, probabilities: npt.NDArray[np.float64]) -> Background:
    """Measure the pauses: stretches of windows that the speech network gives less than 0.2, without their outer ones.

    ``tonality`` = 1 - F / 0.5615, F being the spectral flatness (geometric over arithmetic mean of the power) within
    bands of 12 bins between 80 Hz and 5 kHz, averaged over bands and frames with the frames' power as weights:
    0.5615 is what noise of any colour has, a tone has next to 0.
    """
    step = WINDOW_SECONDS * sample_rate
    quiet = probabilities < PAUSE_BELOW
    inner = quiet.copy()
    inner[1:] &= quiet[:-1]
    inner[:-1] &= quiet[1:]
    pauses = [samples[round(a * step) : round(b * step)] for a, b in _runs(inner)]
    spoken = [samples[round(a * step) : round(b * step)] for a, b in _runs(probabilities >= SPEECH_FROM)]
    silent = sum(len(part) for part in pauses)
    if silent < LEAST_PAUSE_SECONDS * sample_rate or not sum(len(part) for part in spoken):
        return Background(None, None)
    pause_power = float(np.mean(np.concatenate(pauses) ** 2))
    speech_power = float(np.mean(np.concatenate(spoken) ** 2))
    if pause_power <= 0 or speech_power <= 0:
        return Background(-90.0 if speech_power > 0 else None, 0.0)
    level = max(10 * np.log10(pause_power / speech_power), -90.0)
    return Background(float(level), _tonality(pauses, sample_rate))


def _tonality(pauses: list[Signal], sample_rate: int) -> float | None:
    frames = np.concatenate([power_frames(part, _FFT, _FFT // 2) for part in pauses])
    low, high = (round(hertz * _FFT / sample_rate) for hertz in (_LOW_HERTZ, _HIGH_HERTZ))
    bands = (high - low) // _BAND
    if not len(frames):
        return None
    # A trace of rounding noise, so that digital silence is noise and not a tone.
    cut = frames[:, low : low + bands * _BAND].reshape(len(frames), bands, _BAND) + 1e-10
    flatness = np.exp(np.mean(np.log(cut), axis=2)) / np.mean(cut, axis=2)
    weights = cut.sum(axis=2)
    mean = float(np.sum(flatness * weights) / np.sum(weights))
    return float(min(max(1 - mean / _NOISE_FLATNESS, 0.0), 1.0))


def _runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where the mask holds, as (first, one past the last) indices."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
