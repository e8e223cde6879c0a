"""How well a decoder sounds: the losses that it is trained by, and the measures it is judged by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as fn

from training.engine.tiny.pitch import track
from xttsproject.xtts.source_filter import Controls, SourceFilterDecoder

if TYPE_CHECKING:
    from torchaudio.transforms import Resample

_FFTS = (512, 1024, 2048)
_EDGE = 512
"""Samples at each end that no loss is taken of: the network sees silence beyond a stretch where there was speech."""
_PITCH_WEIGHT, _VOICING_WEIGHT = 4.0, 0.3
_LOWEST = 40.0


@dataclass(frozen=True)
class Losses:
    """``total`` is what training follows; ``spectral`` the distance of spectra, ``octaves`` the mean absolute error of
    pitch where there is one, ``voicing`` a cross-entropy."""

    total: Tensor
    spectral: Tensor
    octaves: Tensor
    voicing: Tensor


def losses(decoder: SourceFilterDecoder, controls: Controls, pitch: Tensor, wave: Tensor) -> Losses:
    """``pitch`` ``(b, frames)`` in hertz, 0 where unvoiced; ``wave`` ``(b, samples)`` at the decoder's output rate.

    What is compared is spoken at the true pitch: spectra of two pitches differ everywhere and teach nothing. The pitch
    learns from its own error.
    """
    voiced = (pitch > 0).float()
    octave = pitch.clamp(min=_LOWEST).log2()
    octaves = ((controls.pitch - octave).abs() * voiced).sum() / voiced.sum().clamp(min=1.0)
    voicing = fn.binary_cross_entropy_with_logits(controls.voicing, voiced)
    spoken_at = torch.where(voiced > 0, octave, controls.pitch.detach())
    spoken = decoder.sound(spoken_at, voiced, controls.tone, controls.noise)
    length = min(spoken.shape[1], wave.shape[1])
    spectral = spectral_distance(spoken[:, _EDGE : length - _EDGE], wave[:, _EDGE : length - _EDGE])
    total = spectral + _PITCH_WEIGHT * octaves + _VOICING_WEIGHT * voicing
    return Losses(total, spectral, octaves, voicing)


def spectral_distance(spoken: Tensor, wave: Tensor) -> Tensor:
    """Of magnitudes at three resolutions: relative error plus mean absolute error of logarithms (Yamamoto et al., 2020,
    https://arxiv.org/abs/1910.11480). Both ``(b, samples)``."""
    total = spoken.new_zeros(())
    for size in _FFTS:
        # Below about -70 dBFS it is all silence.
        floor = 3e-3 * (size / 1024) ** 0.5
        ours, theirs = _magnitudes(spoken, size, floor / 10), _magnitudes(wave, size, floor / 10)
        relative = (ours - theirs).norm(dim=(1, 2)) / theirs.norm(dim=(1, 2)).clamp(min=0.5)
        total = total + 0.5 * relative.mean() + ((ours + floor) / (theirs + floor)).log().abs().mean()
    return total / len(_FFTS)


def resampled(wave: Tensor, source: int, target: int) -> Tensor:
    """``(…, samples)`` from one rate to another."""
    if source == target:
        return wave
    changed: Tensor = _resampler(source, target, str(wave.device))(wave)
    return changed


@dataclass(frozen=True)
class Heard:
    """One clip as the decoder said it, against the true one.

    ``spectral`` as in training, but with the decoder's own pitch; ``semitones`` ``(frames,)``, the difference of the
    measured pitch from the true one where both are voiced; ``found``, the share of voiced frames that sound voiced.
    """

    spectral: float
    semitones: Tensor
    found: float
    peak: float


@torch.no_grad()
def hear(spoken: Tensor, rate: int, wave: Tensor, pitch: Tensor, pitch_rate: int) -> Heard:
    """``spoken`` and ``wave`` ``(samples,)`` at ``rate``; ``pitch`` ``(frames,)`` of frames at ``pitch_rate``."""
    length = min(len(spoken), len(wave))
    spectral = spectral_distance(spoken[None, :length].cpu(), wave[None, :length].cpu())
    peak = float(spoken.abs().max())
    voiced = pitch > 0
    if not bool(voiced.any()):
        return Heard(float(spectral), torch.zeros(0), 1.0, peak)
    median = float(pitch[voiced].median())
    said = resampled(spoken.cpu(), rate, pitch_rate)
    said = fn.pad(said, (0, max(0, 256 * len(pitch) - len(said))))
    f0, strength, level = track(said, max(45.0, 0.62 * median), min(1_000.0, 1.6 * median))
    frames = min(len(f0), len(pitch))
    sure = (strength[:frames] > 0.5) & (level[:frames] > 0.03 * level.max()) & voiced[:frames].cpu()
    semitones = 12 * (f0[:frames][sure] / pitch[:frames].cpu()[sure]).log2()
    return Heard(float(spectral), semitones, float(sure.sum() / voiced.sum()), peak)


def figures(clips: Iterable[Heard]) -> dict[str, float]:
    """Over all clips: mean spectral distance, median pitch error, share of frames within a semitone, voiced found."""
    heard = list(clips)
    errors = torch.cat([clip.semitones for clip in heard]).abs()
    return {
        "spectral": round(sum(clip.spectral for clip in heard) / len(heard), 4),
        "semitones": round(float(errors.median()), 4) if len(errors) else float("nan"),
        "within_a_semitone": round(float((errors < 1).float().mean()), 4) if len(errors) else float("nan"),
        "voiced_found": round(sum(clip.found for clip in heard) / len(heard), 4),
        "loudest_peak": round(max(clip.peak for clip in heard), 3),
    }


def _magnitudes(wave: Tensor, size: int, floor: float) -> Tensor:
    """``(b, frames, bins)``. Written out, as it takes half of a training step, and a complex absolute value is slow."""
    windows = wave.unfold(1, size, size // 3) * _window(size, str(wave.device))
    parts = torch.view_as_real(torch.fft.rfft(windows))
    return (parts[..., 0].square() + parts[..., 1].square() + floor**2).sqrt()


@lru_cache(maxsize=8)
def _window(size: int, device: str) -> Tensor:
    return torch.hann_window(size, device=device)


@lru_cache(maxsize=8)
def _resampler(source: int, target: int, device: str) -> Resample:
    from torchaudio.transforms import Resample

    return Resample(source, target).to(device)
