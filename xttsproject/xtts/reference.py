"""What the GPT hears of a voice: the conditioning encoder and the perceiver, for inference, from the released weights.

Coqui's conditioning encoder lives in a module that imports transformers; its mathematics is small enough to stand here.
The perceiver resampler (Alayrac et al., 2022, "Flamingo") is Coqui's class.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as fn

from xttsproject.xtts.config import GptShape
from xttsproject.xtts.weights import State

_BLOCKS = 6
_MELS = 80


class StyleEncoder(nn.Module):
    """Mel spectrogram ``(batch, 80, frames)`` to conditioning latents ``(batch, 32, width)``."""

    def __init__(self, shape: GptShape):
        super().__init__()
        from TTS.tts.layers.xtts.perceiver_encoder import PerceiverResampler

        # These names are those of the weights.
        self.conditioning_encoder = _ConditioningEncoder(shape.width, shape.heads)
        self.conditioning_perceiver = PerceiverResampler(
            dim=shape.width, depth=2, dim_context=shape.width, num_latents=32, dim_head=64, heads=8, ff_mult=4
        )

    def forward(self, mel: Tensor) -> Tensor:
        latents: Tensor = self.conditioning_perceiver(self.conditioning_encoder(mel).transpose(1, 2))
        return latents

    @staticmethod
    def pick(gpt_state: State) -> State:
        """This network's part of the GPT's state."""
        return {name: value for name, value in gpt_state.items() if name.startswith("conditioning_")}


class _ConditioningEncoder(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.init = nn.Conv1d(_MELS, width, kernel_size=1)
        self.attn = nn.Sequential(*(_AttentionBlock(width, heads) for _ in range(_BLOCKS)))

    def forward(self, mel: Tensor) -> Tensor:
        encoded: Tensor = self.attn(self.init(mel))
        return encoded


class _AttentionBlock(nn.Module):
    """Self-attention over frames; what is added to is the normalised input, as the weights were trained with."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(_groups(width), width)
        self.qkv = nn.Conv1d(width, 3 * width, kernel_size=1)
        self.proj_out = nn.Conv1d(width, width, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        batch, width, frames = x.shape
        normed = self.norm(x)
        # Channels are ordered head by head, each with its query, key and value.
        query, key, value = self.qkv(normed).view(batch, self.heads, 3, width // self.heads, frames).unbind(dim=2)
        seen = fn.scaled_dot_product_attention(query.transpose(2, 3), key.transpose(2, 3), value.transpose(2, 3))
        projected: Tensor = self.proj_out(seen.transpose(2, 3).reshape(batch, width, frames))
        mixed: Tensor = normed + projected
        return mixed


def _groups(width: int) -> int:
    groups = 8 if width <= 16 else 16 if width <= 64 else 32
    while width % groups:
        groups //= 2
    return groups
