"""Whether a clip begins or ends inside sound: the mark of a word that was cut off.

A clip that was cut in silence is as quiet at both ends as its own pauses are. One that was cut inside a word carries
the energy of speech there, and a voice trained on such clips swallows its last words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xttsproject.lib.audio import Audio

EDGE_SECONDS = 0.04
"""How much of each end is looked at: shorter than any syllable, longer than a click."""
FRAME_SECONDS = 0.020
HOP_SECONDS = 0.010
ABOVE_FLOOR_DB = 6.0
"""Room noise wavers by less; the quietest voiced sounds stand higher."""
BELOW_SPEECH_DB = 30.0
"""What lies further below the loud parts of speech than this is no part of a word, however silent the pauses are."""
_FLOOR_DBFS = -120.0


@dataclass(frozen=True)
class Edges:
    """Levels in dB relative to full scale, mean power of 20 ms frames.

    ``start_dbfs``/``end_dbfs``: the loudest frame within the first and last 40 ms; ``floor_dbfs``: the noise floor, the
    10th percentile of all frames; ``speech_dbfs``: the 90th percentile.
    """

    start_dbfs: float
    end_dbfs: float
    floor_dbfs: float
    speech_dbfs: float

    @property
    def limit_dbfs(self) -> float:
        """The level that an end may have: 6 dB over the noise floor, or 30 dB under the speech if that is more."""
        return max(self.floor_dbfs + ABOVE_FLOOR_DB, self.speech_dbfs - BELOW_SPEECH_DB)

    @property
    def excess_db(self) -> float:
        """By how many dB the louder end lies above ``limit_dbfs``; below 0 where both ends are quiet."""
        return round(max(self.start_dbfs, self.end_dbfs) - self.limit_dbfs, 2)

    @property
    def start_is_cut(self) -> bool:
        return self.start_dbfs > self.limit_dbfs

    @property
    def end_is_cut(self) -> bool:
        return self.end_dbfs > self.limit_dbfs

    @property
    def is_cut(self) -> bool:
        return self.start_is_cut or self.end_is_cut


def edge_levels(audio: Audio) -> Edges:
    """Measure both ends of a clip; one that is shorter than a frame counts as silent.

    The levels are those of the sound without its mean, so that a constant offset is no energy. A clip without any pause
    has a floor that lies too high; its ends then have to stand out all the more.
    """
    powers = _frame_powers(audio)
    if not len(powers):
        return Edges(_FLOOR_DBFS, _FLOOR_DBFS, _FLOOR_DBFS, _FLOOR_DBFS)
    frames = max(1, round((EDGE_SECONDS - FRAME_SECONDS) / HOP_SECONDS) + 1)
    floor, loud = (float(value) for value in np.percentile(powers, [10, 90]))
    return Edges(_db(powers[:frames].max()), _db(powers[-frames:].max()), _db(floor), _db(loud))


def _frame_powers(audio: Audio) -> npt.NDArray[np.float64]:
    samples = np.nan_to_num(audio.samples.astype(np.float64))
    width, hop = round(FRAME_SECONDS * audio.sample_rate), max(1, round(HOP_SECONDS * audio.sample_rate))
    if len(samples) < max(width, 1):
        return np.zeros(0)
    samples -= samples.mean()
    energy = np.concatenate([[0.0], np.cumsum(samples**2)])
    begins = np.arange(0, len(samples) - width + 1, hop)
    # The last frame ends with the clip, wherever the hops fall.
    begins = np.append(begins, len(samples) - width)
    return np.asarray(np.maximum(energy[begins + width] - energy[begins], 0.0) / width)


def _db(power: float) -> float:
    return round(max(float(10 * np.log10(power)), _FLOOR_DBFS), 2) if power > 0 else _FLOOR_DBFS
