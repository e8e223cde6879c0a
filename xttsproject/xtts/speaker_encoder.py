"""This project's own speaker encoder: a few convolutions over time, for models that two cores can train.

A time-delay network with statistics pooling, after Snyder et al., 2018 ("X-vectors: robust DNN embeddings for speaker
recognition"). Unlike Coqui's it keeps the long-term spectrum, which is most of what tells a synthesiser's voices apart.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

if TYPE_CHECKING:
    from torchaudio.transforms import MelSpectrogram

RATE = 16_000
BANDS = 64
_PRE_EMPHASIS = 0.97
_FLOOR = 1e-4
"""Share of a clip's mean power: how loud a clip is says nothing of its voice, nor does the quietest of its sound."""
_DILATIONS = (1, 2, 3)


class TdnnSpeakerEncoder(nn.Module):
    """Sound to a voice. ``channels`` is the width inside, ``pooled`` that of what is averaged over time."""

    def __init__(self, speaker_width: int, *, channels: int = 96, pooled: int = 256):
        super().__init__()
        self.entry = nn.Conv1d(BANDS, channels, 5, stride=2, padding=2)
        self.entry_norm = nn.BatchNorm1d(channels)
        self.inner = nn.ModuleList(
            nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation) for dilation in _DILATIONS
        )
        self.inner_norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in _DILATIONS)
        self.wide = nn.Conv1d(channels, pooled, 1)
        self.pooled_norm = nn.BatchNorm1d(2 * pooled)
        self.exit = nn.Linear(2 * pooled, speaker_width)

    def forward(self, wave: Tensor, l2_norm: bool = False) -> Tensor:
        """``(batch, samples)`` at 16 000 Hz, 0.02 s at least, to ``(batch, speaker_width)``."""
        return self.embed(speaker_power(wave), l2_norm)

    def embed(self, power: Tensor, l2_norm: bool = False) -> Tensor:
        """What :func:`speaker_power` gave, ``(batch, 64, frames)``, to ``(batch, speaker_width)``."""
        level = power.mean((1, 2), keepdim=True).clamp(min=1e-8)
        hidden = fn.relu(self.entry_norm(self.entry((power / level + _FLOOR).log() / 2)))
        for convolution, norm in zip(self.inner, self.inner_norms, strict=True):
            hidden = hidden + fn.relu(norm(convolution(hidden)))
        hidden = fn.relu(self.wide(hidden))
        spread = (hidden.var(2, unbiased=False) + 1e-4).sqrt()
        embedding: Tensor = self.exit(self.pooled_norm(torch.cat([hidden.mean(2), spread], 1)))
        return fn.normalize(embedding, dim=1) if l2_norm else embedding


def speaker_power(wave: Tensor) -> Tensor:
    """Power in 64 mel bands of sound ``(batch, samples)`` at 16 000 Hz, treble raised: ``(batch, 64, frames)``."""
    raised = torch.cat([wave[:, :1], wave[:, 1:] - _PRE_EMPHASIS * wave[:, :-1]], 1)
    power: Tensor = _transform(str(wave.device))(raised)
    return power


@lru_cache(maxsize=4)
def _transform(device: str) -> MelSpectrogram:
    from torchaudio.transforms import MelSpectrogram

    return MelSpectrogram(sample_rate=RATE, n_fft=512, win_length=400, hop_length=160, n_mels=BANDS).to(device)
