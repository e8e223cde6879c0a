"""What may be done to reference clips before a voice is taken from them. The clips themselves stay as they came."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voices.engine.loudness import at_loudness
from xttsproject.lib.audio import Audio, Samples, read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.types import ConditioningSettings

LOUDNESS_LUFS = -23.0
"""Of EBU R 128."""

PAUSE_SECONDS = 0.3
"""What trimming leaves of a longer silence."""

DENOISED = 0.85
"""Share of the noise that is taken away; all of it takes some of the voice along."""

LEAST_NOISE_SECONDS = 0.3
"""Of pauses, for the noise to be known by them."""

_MARGIN_SECONDS = 0.1
"""Around speech, where its last and first sounds fade."""

SHORTEST_SECONDS, LONGEST_SECONDS = 3.0, 120.0


@dataclass(frozen=True)
class Preparation:
    """``trim`` shortens silence, ``denoise`` lowers steady noise, ``loudness`` brings every clip to -23 LUFS.

    ``seconds`` of speech condition the model, over all clips; the default is the one of
    :class:`xttsproject.xtts.types.ConditioningSettings`, which training and every other tool have. Raises DomainError
    ``preparation_invalid``.
    """

    trim: bool = False
    denoise: bool = False
    loudness: bool = False
    seconds: float = ConditioningSettings().gpt_seconds

    def __post_init__(self) -> None:
        number = isinstance(self.seconds, int | float) and not isinstance(self.seconds, bool)
        if not number or not math.isfinite(self.seconds) or not SHORTEST_SECONDS <= self.seconds <= LONGEST_SECONDS:
            raise DomainError(
                "preparation_invalid",
                f"The seconds of reference are {self.seconds!r}, but must be a number from {SHORTEST_SECONDS:g} to "
                f"{LONGEST_SECONDS:g}.",
                field="seconds",
            )

    @property
    def settings(self) -> ConditioningSettings:
        return ConditioningSettings(max_reference_seconds=self.seconds, gpt_seconds=self.seconds)

    @property
    def changes(self) -> dict[str, Any]:
        """What is done to the sound; empty where nothing is."""
        return {name: True for name, value in asdict(self).items() if value is True}

    @property
    def chosen(self) -> dict[str, Any]:
        """What differs from the default, as a voice keeps it."""
        default = asdict(Preparation())
        return {name: value for name, value in asdict(self).items() if value != default[name]}

    def apply(self, path: Path) -> Audio:
        """A clip (mono 16-bit WAV) as the model is to hear it."""
        audio = read_wav(path)
        speech = _speech(path) if self.denoise or self.trim else []
        if self.denoise:
            audio = denoised(audio, speech)
        if self.trim:
            audio = trimmed(audio, speech)
        if self.loudness:
            audio = at_loudness(audio, LOUDNESS_LUFS)
        return audio


def denoised(audio: Audio, speech: list[tuple[float, float]]) -> Audio:
    """With less noise, by spectral gating (noisereduce) against the noise of the clip's own pauses.

    ``speech`` (start, end in seconds) is what is no pause. Where the clip pauses for less than ``LEAST_NOISE_SECONDS``
    its quietest moments are the noise: to follow it within the sound would take half of a voice that never pauses.
    """
    import noisereduce

    ends = [0.0, *(end + _MARGIN_SECONDS for _start, end in speech)]
    starts = [*(start - _MARGIN_SECONDS for start, _end in speech), audio.seconds]
    pauses = [audio.cut(a, b).samples for a, b in zip(ends, starts, strict=True) if b > a]
    noise = np.concatenate(pauses) if pauses and speech else np.zeros(0, np.float32)
    if len(noise) < LEAST_NOISE_SECONDS * audio.sample_rate:
        noise = _quietest(audio)
    samples = noisereduce.reduce_noise(
        y=audio.samples,
        sr=audio.sample_rate,
        y_noise=noise,
        stationary=True,
        prop_decrease=DENOISED,
        n_jobs=1,
    )
    return Audio(np.nan_to_num(samples).astype(np.float32, copy=False), audio.sample_rate)


def _quietest(audio: Audio) -> Samples:
    """``LEAST_NOISE_SECONDS`` of a clip's quietest windows of 50 ms, one after the other; all of a shorter clip."""
    size = round(0.05 * audio.sample_rate)
    windows = audio.samples[: len(audio.samples) // size * size].reshape(-1, size)
    quiet = np.sort(np.argsort(np.mean(windows.astype(np.float64) ** 2, axis=1))[: round(LEAST_NOISE_SECONDS / 0.05)])
    found: Samples = windows[quiet].reshape(-1)
    return found


def trimmed(audio: Audio, speech: list[tuple[float, float]]) -> Audio:
    """``speech`` (start, end in seconds) with at most ``PAUSE_SECONDS`` of silence between, and half of it at the ends.

    The sound as it is where nobody speaks. Pauses are shortened in their middle, by a fade of 10 ms.
    """
    if not speech:
        return audio
    half, rate = PAUSE_SECONDS / 2, audio.sample_rate
    kept: list[list[float]] = []
    for start, end in speech:
        if kept and start - half <= kept[-1][1]:
            kept[-1][1] = end + half
        else:
            kept.append([start - half, end + half])
    parts = [audio.cut(start, end).samples.copy() for start, end in kept]
    ramp = np.linspace(0.0, 1.0, round(0.01 * rate), dtype=np.float32)
    for before, after in itertools.pairwise(parts):
        size = min(len(ramp), len(before), len(after))
        before[len(before) - size :] *= ramp[::-1][:size]
        after[:size] *= ramp[:size]
    return Audio(np.concatenate(parts), rate)


def _speech(path: Path) -> list[tuple[float, float]]:
    from datasets.pipeline.voice_activity import CLIP_LEAD, speech_stretches

    return speech_stretches(path, lead=CLIP_LEAD)
