"""Mel spectrograms, in the two forms XTTS was trained with."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torchaudio.transforms import MelSpectrogram

MEL_RATE = 22_050
"""Rate in hertz of the sound that the GPT and the DVAE see."""

_FLOOR = 1e-5


def conditioning_mel(wav: Tensor, mel_stats: Tensor) -> Tensor:
    """What the GPT's conditioning encoder sees: window 1 024 in a transform of 2 048.

    ``wav`` is ``(batch, samples)`` at 22 050 Hz, ``mel_stats`` ``(80,)``; returns ``(batch, 80, 1 + samples // 256)``.
    """
    return _normalised(wav, mel_stats, 2048)


def dvae_mel(wav: Tensor, mel_stats: Tensor) -> Tensor:
    """What the DVAE sees: window and transform of 1 024. Shapes as in :func:`conditioning_mel`."""
    return _normalised(wav, mel_stats, 1024)


def _normalised(wav: Tensor, mel_stats: Tensor, n_fft: int) -> Tensor:
    power = cast(Tensor, _transform(n_fft, str(wav.device))(wav))
    return torch.log(power.clamp(min=_FLOOR)) / mel_stats.to(wav.device)[None, :, None]


@lru_cache(maxsize=8)
def _transform(n_fft: int, device: str) -> MelSpectrogram:
    from torchaudio.transforms import MelSpectrogram

    return MelSpectrogram(
        sample_rate=MEL_RATE,
        n_fft=n_fft,
        win_length=1024,
        hop_length=256,
        f_min=0.0,
        f_max=8000.0,
        n_mels=80,
        power=2.0,
        normalized=False,
        norm="slaney",
    ).to(device)
