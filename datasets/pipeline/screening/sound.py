"""All that is measured of one clip's sound, in one call."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from datasets.pipeline.screening.background import background, speech_ratio
from datasets.pipeline.screening.bandwidth import bandwidth_hz
from datasets.pipeline.screening.distortion import flat_top_share
from datasets.pipeline.screening.loudness import loudness_lufs
from xttsproject.lib.audio import Audio


@dataclass(frozen=True)
class Sound:
    """Beside :class:`datasets.pipeline.quality.Quality`; None is what could not be told of this clip."""

    loudness_lufs: float | None
    bandwidth_hz: float
    flat_top_share: float
    speech_ratio: float | None
    background_db: float | None
    background_tonality: float | None
    tonal_background_db: float | None

    def as_dict(self) -> dict[str, float | None]:
        return asdict(self)


def measure_sound(audio: Audio, probabilities: npt.NDArray[np.float64]) -> Sound:
    """``probabilities``: that somebody speaks, one per 32 ms from the clip's start. Rounded for storage."""
    samples = np.nan_to_num(audio.samples.astype(np.float64))
    behind = background(samples, audio.sample_rate, probabilities)
    return Sound(
        loudness_lufs=_rounded(loudness_lufs(samples, audio.sample_rate), 2),
        bandwidth_hz=round(bandwidth_hz(samples, audio.sample_rate), 0),
        flat_top_share=round(flat_top_share(samples, audio.sample_rate), 6),
        speech_ratio=_rounded(speech_ratio(probabilities), 3),
        background_db=_rounded(behind.level_db, 2),
        background_tonality=_rounded(behind.tonality, 3),
        tonal_background_db=_rounded(behind.tonal_level_db, 2),
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
