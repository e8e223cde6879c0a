"""References as other microphones would have heard them: louder, noisier, narrower, slower or faster.

The model is to learn whose voice a reference is, not how it was recorded. Only what it hears is altered; the codes that
it learns to say are those of the clip as it is.

Each clip has VARIANTS altered recordings, computed once and kept beside its features. What is done to one depends on
the clip's content and the recording's number alone, so runs share them as they share features; which of them a step
hears, or the clip as it is, is drawn anew by the run's seed in every epoch. Computing them at every step instead would
give endless variety and cost more time than a step of the full model takes on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from training.engine.dataset import Clip
from training.engine.features import ClipFeatures
from training.engine.seeds import derive
from training.engine.sizes import VARIANTS
from xttsproject.lib.audio import Audio, Samples, read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path
from xttsproject.lib.progress import Progress
from xttsproject.xtts.limits import MODEL_RATE

FORMAT = 1
"""Part of every file's name: raise it when what is done to a clip changes."""

GAIN_DB = (-12.0, 6.0)
SPEED = (0.96, 1.04)
"""Within what one speaker's pitch and pace do from sentence to sentence; more would be another voice."""
SIGNAL_TO_NOISE_DB = (20.0, 45.0)
LOW_PASS_HERTZ = (3400.0, 8000.0)
HIGH_PASS_HERTZ = (60.0, 300.0)
LOUDEST = 0.99


class Ear(Protocol):
    def mel(self, audio: Audio) -> Tensor:
        """Conditioning mel ``(80, frames)`` float32 of sound at MODEL_RATE."""


def alter(samples: Samples, random: np.random.Generator) -> Samples:
    """Sound at MODEL_RATE, ``(n,)``, altered: gain always, speed, band and noise each in half of the cases.

    Faster or slower sound is shorter or longer by the same factor.
    """
    sound = samples.astype(np.float64)
    if random.random() < 0.5:
        sound = _at_speed(sound, random.uniform(*SPEED))
    if random.random() < 0.5:
        sound = _narrowed(sound, random)
    if random.random() < 0.5:
        sound = sound + _noise(sound, random)
    gain = 10 ** (random.uniform(*GAIN_DB) / 20)
    loudest = float(np.abs(sound).max(initial=1e-9))
    return np.asarray(sound * min(gain, LOUDEST / loudest), dtype=np.float32)


def prepare_altered(
    clips: Sequence[Clip],
    features: Sequence[ClipFeatures],
    ear: Ear,
    progress: Progress,
    on_done: Callable[[int, int], None],
) -> list[ClipFeatures]:
    """The features with their altered recordings; only those not kept yet are computed.

    ``on_done`` hears of (done, total) clips. DomainError ``clip_vanished``.
    """
    found = []
    for number, (clip, plain) in enumerate(zip(clips, features, strict=True), start=1):
        progress.check()
        paths = tuple(_variant_path(plain.path, variant) for variant in range(1, VARIANTS + 1))
        missing = [path for path in paths if not _is_whole(path)]
        if missing:
            try:
                sound = read_wav(clip.audio).at_rate(MODEL_RATE)
            except FileNotFoundError as error:
                raise DomainError(
                    "clip_vanished", f"The clip {clip.id} was there at the start and is gone: {clip.audio}."
                ) from error
            for path in missing:
                _compute(path, sound, ear)
        found.append(replace(plain, altered=paths))
        on_done(number, len(clips))
    return found


def altered_mel(path: Path, start: int, frames: int, frames_of_clip: int) -> Tensor:
    """What an altered recording makes of the clip's stretch from frame ``start`` for ``frames``; ``(80, frames)``.

    A stretch that was spoken faster is shorter and begins again from its own start, so that nothing beyond the stretch
    is heard: the loss is masked on that stretch alone.
    """
    from safetensors import safe_open

    with safe_open(path, framework="pt") as handle:
        mel = handle.get_slice("mel")
        scale = mel.get_shape()[0] / frames_of_clip
        first = int(start * scale)
        part: Tensor = mel[first : max(int((start + frames) * scale), first + 1)]
    return part[torch.arange(frames) % len(part)].float().T.contiguous()


def _compute(path: Path, sound: Audio, ear: Ear) -> None:
    from safetensors.torch import save_file

    random = np.random.default_rng(derive(FORMAT, path.stem))
    with torch.inference_mode():
        mel = ear.mel(Audio(alter(sound.samples, random), MODEL_RATE))
    with atomic_path(path) as temporary:
        save_file({"mel": mel.to("cpu", torch.float16).T.contiguous()}, temporary)


def _variant_path(features: Path, variant: int) -> Path:
    return features.with_name(f"{features.stem}-altered{FORMAT}-{variant}.safetensors")


def _is_whole(path: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as handle:
            return "mel" in handle.keys()  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError):
        return False


def _at_speed(sound: np.ndarray, speed: float) -> np.ndarray:
    """Resampled, so pitch and pace change together, as a tape does."""
    import soxr

    return np.asarray(soxr.resample(sound, MODEL_RATE * speed, MODEL_RATE, quality="HQ"))


def _narrowed(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """What a telephone, a codec or a cheap microphone leaves out above, and half of the time below."""
    from scipy.signal import butter, sosfiltfilt

    low, high = random.uniform(*HIGH_PASS_HERTZ), random.uniform(*LOW_PASS_HERTZ)
    band = [low, high] if random.random() < 0.5 else high
    sections = butter(4, band, "bandpass" if isinstance(band, list) else "lowpass", fs=MODEL_RATE, output="sos")
    return np.asarray(sosfiltfilt(sections, sound, padlen=min(len(sound) - 1, 3 * 4 * len(sections))))


def _noise(sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """White to brown noise, its power so many dB below the sound's."""
    spectrum = np.fft.rfft(random.standard_normal(len(sound)))
    # Below 50 Hz all colours are flat: brown noise would be nothing but rumble.
    spectrum /= np.maximum(np.fft.rfftfreq(len(sound), 1 / MODEL_RATE), 50.0) ** random.uniform(0.0, 1.0)
    noise = np.fft.irfft(spectrum, len(sound))
    power = np.mean(sound**2) / 10 ** (random.uniform(*SIGNAL_TO_NOISE_DB) / 10)
    return np.asarray(noise * np.sqrt(power / np.mean(noise**2)))
