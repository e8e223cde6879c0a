"""The GPT's transformer for generation: GPT-2 blocks with a preallocated key-value cache, reading the released weights.

GPT-2: Radford et al., 2019, "Language Models are Unsupervised Multitask Learners" (pre-norm blocks, tanh-approximated
GELU). Nothing here needs transformers, whose import takes longer than loading the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as fn

from xttsproject.xtts.config import GptShape
from xttsproject.xtts.weights import State

_EPSILON = 1e-5


@dataclass(frozen=True)
class _Affine:
    """A projection ``x @ W + b``; the weight is kept as ``(out, in)``."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return fn.linear(x, self.weight, self.bias)


@dataclass(frozen=True)
class _Norm:
    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return fn.layer_norm(x, x.shape[-1:], self.weight, self.bias, _EPSILON)


@dataclass(frozen=True)
class _Block:
    attention_norm: _Norm
    query_key_value: _Affine
    attention_out: _Affine
    feed_norm: _Norm
    feed_in: _Affine
    feed_out: _Affine


class Cache:
    """Keys and values of one batch: ``(layers, 2, batch, heads, length, width / heads)``."""

    def __init__(self, store: Tensor):
        self.store = store

    def keep(self, rows: Tensor) -> Cache:
        """The cache of these rows alone, the others' memory given back."""
        return Cache(self.store.index_select(2, rows))


class GptBlocks:
    """The stack of blocks with its last norm."""

    def __init__(self, state: State, shape: GptShape, device: torch.device, dtype: torch.dtype):
        self._heads, self._width = shape.heads, shape.width
        self._device, self._dtype = device, dtype

        def tensor(name: str) -> Tensor:
            return state[name].to(device, dtype)

        def affine(name: str) -> _Affine:
            # Stored as (in, out). On a CPU, float32 multiplies that as fast as the other way round; bfloat16 does not.
            weight = tensor(f"{name}.weight").t()
            return _Affine(weight if dtype == torch.float32 else weight.contiguous(), tensor(f"{name}.bias"))

        def norm(name: str) -> _Norm:
            return _Norm(tensor(f"{name}.weight"), tensor(f"{name}.bias"))

        self._blocks = [
            _Block(
                attention_norm=norm(f"gpt.h.{layer}.ln_1"),
                query_key_value=affine(f"gpt.h.{layer}.attn.c_attn"),
                attention_out=affine(f"gpt.h.{layer}.attn.c_proj"),
                feed_norm=norm(f"gpt.h.{layer}.ln_2"),
                feed_in=affine(f"gpt.h.{layer}.mlp.c_fc"),
                feed_out=affine(f"gpt.h.{layer}.mlp.c_proj"),
            )
            for layer in range(shape.layers)
        ]
        self._last_norm = norm("gpt.ln_f")

    def new_cache(self, batch: int, length: int) -> Cache:
        """Room for ``length`` positions; what is not yet written is never read."""
        size = (len(self._blocks), 2, batch, self._heads, length, self._width // self._heads)
        return Cache(torch.empty(size, device=self._device, dtype=self._dtype))

    def forward(self, x: Tensor, cache: Cache, start: int, visible: Tensor | None) -> Tensor:
        """Run new positions through all blocks.

        ``x`` is ``(batch, new, width)``, the embeddings of positions ``start`` onward; ``visible`` is a boolean mask
        that broadcasts to ``(batch, 1, new, start + new)``, true where a position may look; ``None`` lets every new
        position see the whole past and itself, which is right for a single new position without padding.
        Returns hidden states ``(batch, new, width)``.
        """
        batch, new, width = x.shape
        end = start + new
        for layer, block in enumerate(self._blocks):
            mixed = block.query_key_value(block.attention_norm(x))
            query, key, value = mixed.view(batch, new, 3, self._heads, width // self._heads).permute(2, 0, 3, 1, 4)
            keys, values = cache.store[layer, 0], cache.store[layer, 1]
            keys[:, :, start:end] = key
            values[:, :, start:end] = value
            seen = fn.scaled_dot_product_attention(query, keys[:, :, :end], values[:, :, :end], attn_mask=visible)
            x = x + block.attention_out(seen.transpose(1, 2).reshape(batch, new, width))
            x = x + block.feed_out(fn.gelu(block.feed_in(block.feed_norm(x)), approximate="tanh"))
        return self._last_norm(x)
