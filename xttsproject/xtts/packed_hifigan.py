"""Coqui's HiFi-GAN in bfloat16 on a processor: its convolutions packed once, with what follows them in the same pass.

HiFi-GAN: Kong et al., 2020, https://arxiv.org/abs/2010.05646. Most of a sentence's time goes there once the GPT is
quantised. Under autocast every convolution turns its weights to bfloat16 and its sound round for oneDNN and back, and
every activation and sum reads and writes the sound once more. Here sound lies as oneDNN reads it (channels last),
weights are packed when the model is loaded, and activations and sums are parts of the convolutions, which add up in
float32 and round once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from xttsproject.xtts.projections import packs_bf16

_SLOPE = 0.1
"""Of the leaky ReLU everywhere but before the last convolution, where Coqui's code has PyTorch's own."""
_LAST_SLOPE = 0.01


def can_pack(decoder: nn.Module) -> bool:
    """Whether it is Coqui's decoder with blocks of the first kind, and this processor multiplies in bfloat16."""
    generator = getattr(decoder, "waveform_decoder", None)
    return (
        packs_bf16()
        and generator is not None
        and not hasattr(generator, "lin_pre")
        and all(hasattr(block, "convs1") for block in generator.resblocks)
    )


class PackedGenerator(nn.Module):
    """``HifiganGenerator`` whose weight norm has been folded; nothing of it is kept or changed.

    Called as it is, for one sentence at a time: frames ``(1, channels, frames)`` (Coqui's decoder leaves out the 1) and
    ``g`` ``(1, speaker width, 1)`` to sound ``(1, 1, samples)`` in float32.
    """

    def __init__(self, generator: Any):
        super().__init__()
        self._before = _flat(generator.conv_pre)
        # Without a layer of its own for each step the voice is heard at the beginning only.
        self._voice = getattr(generator, "cond_layer", None)
        self._voices = list(generator.conds) if generator.cond_in_each_up_layer else []
        kernels = generator.num_kernels
        # The mean of a step's blocks is their sum here; the division is in the weights that read it.
        self._steps = [
            _Step(
                _Upsampling(layer, 1.0 if number == 0 else 1.0 / kernels),
                [_Block(block) for block in generator.resblocks[number * kernels : (number + 1) * kernels]],
            )
            for number, layer in enumerate(generator.ups)
        ]
        weight, bias, _ = _flat(generator.conv_post)
        self._after = weight.float() / kernels, bias, generator.conv_post.padding[0]

    @torch.inference_mode()
    def forward(self, frames: Tensor, g: Tensor) -> Tensor:
        with torch.autocast(frames.device.type, enabled=False):
            return self._sound(frames.float(), g.float())

    def _sound(self, frames: Tensor, g: Tensor) -> Tensor:
        x = frames.reshape(1, -1, 1, frames.shape[-1]).to(torch.bfloat16, memory_format=torch.channels_last)
        weight, bias, padding = self._before
        if self._voice is not None:
            heard = self._voice(g).flatten()
            bias = heard if bias is None else bias + heard
        x = fn.conv2d(x, weight, None if bias is None else bias.bfloat16(), padding=(0, padding))
        for number, step in enumerate(self._steps):
            x = step.up(fn.leaky_relu(x, _SLOPE), self._voices[number](g).flatten() if self._voices else None)
            loud = fn.leaky_relu(x, _SLOPE)
            total = step.blocks[0](x, loud)
            for block in step.blocks[1:]:
                total += block(x, loud)
            x = total
        # One channel is left: it costs nothing to keep all of its bits.
        weight, bias, padding = self._after
        return fn.conv2d(fn.leaky_relu(x.float(), _LAST_SLOPE), weight, bias, padding=(0, padding)).tanh()[:, :, 0]


class _Upsampling:
    def __init__(self, layer: nn.ConvTranspose1d, scale: float):
        self._weight = (layer.weight.detach() * scale).bfloat16()[:, :, None].contiguous()
        self._bias = None if layer.bias is None else layer.bias.detach().clone()
        self._stride, self._padding = int(layer.stride[0]), int(layer.padding[0])  # type: ignore[arg-type]

    def __call__(self, x: Tensor, heard: Tensor | None) -> Tensor:
        """``heard`` ``(channels,)`` is what the voice adds everywhere: a bias of its own."""
        bias = self._bias if heard is None else heard if self._bias is None else self._bias + heard
        return fn.conv_transpose2d(
            x,
            self._weight,
            None if bias is None else bias.bfloat16(),
            stride=(1, self._stride),
            padding=(0, self._padding),
        ).contiguous(memory_format=torch.channels_last)


class _Step:
    def __init__(self, up: _Upsampling, blocks: Sequence[_Block]):
        self.up, self.blocks = up, blocks


class _Block:
    """Three pairs of dilated and plain convolutions, each pair beside what it adds to."""

    def __init__(self, block: Any):
        pairs = zip(block.convs1, block.convs2, strict=True)
        self._pairs = [(_Convolution(first), _Convolution(second)) for first, second in pairs]

    def __call__(self, x: Tensor, loud: Tensor) -> Tensor:
        """``loud`` is the activation of ``x``, which all blocks of a step have in common."""
        for number, (first, second) in enumerate(self._pairs):
            x = second.added_to(x, first.activated(loud if number == 0 else fn.leaky_relu(x, _SLOPE)))
        return x


class _Convolution:
    def __init__(self, layer: nn.Conv1d):
        weight = layer.weight.detach().bfloat16()[:, :, None].contiguous()
        dilation, padding = int(layer.dilation[0]), int(layer.padding[0])  # type: ignore[arg-type]
        self._padding, self._dilation = [0, padding], [1, dilation]
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(
            weight, self._padding, [1, 1], self._dilation, 1, None
        )
        self._bias = None if layer.bias is None else layer.bias.detach().bfloat16()

    def activated(self, x: Tensor) -> Tensor:
        product: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, self._bias, self._padding, [1, 1], self._dilation, 1, "leaky_relu", [_SLOPE], ""
        )
        return product

    def added_to(self, other: Tensor, x: Tensor) -> Tensor:
        total: Tensor = torch.ops.mkldnn._convolution_pointwise.binary(
            x, other, self._weight, self._bias, self._padding, [1, 1], self._dilation, 1, "add", 1.0, None, [], None
        )
        return total


def _flat(layer: nn.Conv1d) -> tuple[Tensor, Tensor | None, int]:
    """A convolution's weight for sound of one row, in bfloat16; its bias in float32; its padding."""
    bias = None if layer.bias is None else layer.bias.detach().clone()
    return layer.weight.detach().bfloat16()[:, :, None].contiguous(), bias, int(layer.padding[0])  # type: ignore[arg-type]
