"""Plain measures of a clip. Each formula stands in the docstring of what it computes."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from xttsproject.lib.audio import Audio

FLOOR_DBFS = -120.0
"""What digital silence measures, since its logarithm is infinite."""
MAX_SNR_DB = 90.0
FRAME_SECONDS = 0.025
HOP_SECONDS = 0.010
# 16-bit full scale is 32767/32768 after decoding; one step of rounding is allowed for.
CLIP_LEVEL = 32766.0 / 32768.0


@dataclass(frozen=True)
class Quality:
    """Levels in dB relative to full scale (a full-scale sine has -3.0 dBFS RMS); shares are 0..1.

    ``characters_per_second`` is None where there is no text.
    """

    seconds: float
    rms_dbfs: float
    peak_dbfs: float
    clipped_share: float
    snr_db: float
    characters_per_second: float | None

    def as_dict(self) -> dict[str, float | None]:
        return asdict(self)


def measure(audio: Audio, text: str | None = None) -> Quality:
    """Measure one clip; an empty clip has the floor's levels. Values are finite, rounded for storage.

    - ``rms_dbfs`` = 20·log10(sqrt(mean(x²)));  ``peak_dbfs`` = 20·log10(max|x|)
    - ``clipped_share`` = samples at full scale that stand in runs of two or more, over all samples
    - ``snr_db``: see :func:`snr_db`
    - ``characters_per_second`` = characters of ``text`` without white space, over seconds
    """
    samples = np.nan_to_num(audio.samples.astype(np.float64))
    seconds = audio.seconds
    power = float(np.mean(samples**2)) if len(samples) else 0.0
    peak = float(np.max(np.abs(samples))) if len(samples) else 0.0
    characters = len("".join((text or "").split()))
    return Quality(
        seconds=round(seconds, 3),
        rms_dbfs=round(_db(power), 2),
        peak_dbfs=round(_db(peak**2), 2),
        clipped_share=round(_clipped_share(samples), 6),
        snr_db=round(snr_db(samples, audio.sample_rate), 2),
        characters_per_second=round(characters / seconds, 2) if characters and seconds else None,
    )


def snr_db(samples: npt.NDArray[np.float64], sample_rate: int) -> float:
    """Signal-to-noise ratio estimated from one clip, in dB, within 0..``MAX_SNR_DB``.

    Frames of 25 ms every 10 ms; noise power N = the 10th percentile of their powers (the pauses between words and the
    padding), signal with noise S = the 90th percentile (the loud parts of speech);
    SNR = 10·log10((S - N) / N). A clip without any pause is underestimated.
    """
    frame, hop = round(FRAME_SECONDS * sample_rate), max(1, round(HOP_SECONDS * sample_rate))
    if len(samples) < frame:
        return 0.0
    energy = np.concatenate([[0.0], np.cumsum(samples**2)])
    begins = np.arange(0, len(samples) - frame + 1, hop)
    powers = np.maximum(energy[begins + frame] - energy[begins], 0.0) / frame
    noise, loud = (float(value) for value in np.percentile(powers, [10, 90]))
    if loud - noise <= 0 or loud <= 10 ** (FLOOR_DBFS / 10):
        return 0.0
    if noise <= (loud - noise) * 10 ** (-MAX_SNR_DB / 10):
        return MAX_SNR_DB
    return float(max(10 * np.log10((loud - noise) / noise), 0.0))


def _clipped_share(samples: npt.NDArray[np.float64]) -> float:
    full = np.abs(samples) >= CLIP_LEVEL
    if not full.any():
        return 0.0
    # A lone sample at full scale is a normalised peak; a clipped wave stays there.
    neighbours = np.zeros_like(full)
    neighbours[1:] |= full[:-1]
    neighbours[:-1] |= full[1:]
    return float(np.mean(full & neighbours))


def _db(power: float) -> float:
    return max(float(10 * np.log10(power)), FLOOR_DBFS) if power > 0 else FLOOR_DBFS
