"""The GPT's transformer for generation: GPT-2 blocks, reading the released weights.

GPT-2: Radford et al., 2019, "Language Models are Unsupervised Multitask Learners" (pre-norm blocks, tanh-approximated
GELU). Nothing here needs transformers, whose import takes longer than loading the model.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as fn

from xttsproject.xtts.adapters import Added, Shares
from xttsproject.xtts.cache import Attention, Cache
from xttsproject.xtts.config import GptShape
from xttsproject.xtts.packing import Shrunk
from xttsproject.xtts.projections import Precision, Projection, activation_dtype, packed, projection
from xttsproject.xtts.weights import State

_EPSILON = 1e-5
_NOBODY = Shares()


def matrices(shape: GptShape) -> list[str]:
    """The names of the weights that are multiplied with."""
    leaves = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    return [f"gpt.h.{layer}.{leaf}.weight" for layer in range(shape.layers) for leaf in leaves]


@dataclass(frozen=True)
class _Norm:
    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return fn.layer_norm(x, x.shape[-1:], self.weight, self.bias, _EPSILON)


@dataclass(frozen=True)
class _Block:
    attention_norm: _Norm
    query_key_value: Projection
    attention_out: Projection
    feed_norm: _Norm
    feed_in: Projection
    feed_out: Projection


class GptBlocks:
    """The stack of blocks with its last norm."""

    def __init__(
        self,
        state: State,
        shape: GptShape,
        device: torch.device,
        precision: Precision,
        ready: Shrunk | None = None,
        pool: Executor | None = None,
    ):
        """``ready`` are the matrices of :func:`matrices`, where they have been shrunk already; the threads of ``pool``
        pack them, or the calling one does."""
        self._heads, self._width = shape.heads, shape.width
        self._device, self.dtype = device, activation_dtype(precision, device)

        def tensor(name: str) -> Tensor:
            return state[name].to(device, self.dtype, copy=precision != "fp32")

        def affine(name: str) -> Projection:
            weight, bias = f"{name}.weight", state[f"{name}.bias"]
            if ready is not None:
                return packed(ready.of(weight), bias, precision)
            return projection(state[weight], bias, precision, device)

        def norm(name: str) -> _Norm:
            return _Norm(tensor(f"{name}.weight"), tensor(f"{name}.bias"))

        # Packing one matrix keeps one core busy, and Python waits for it without holding up the others.
        each = map if pool is None else pool.map
        names = [name.removesuffix(".weight") for name in matrices(shape)]
        projections = dict(zip(names, each(affine, names), strict=True))
        self._blocks = [
            _Block(
                attention_norm=norm(f"gpt.h.{layer}.ln_1"),
                query_key_value=projections[f"gpt.h.{layer}.attn.c_attn"],
                attention_out=projections[f"gpt.h.{layer}.attn.c_proj"],
                feed_norm=norm(f"gpt.h.{layer}.ln_2"),
                feed_in=projections[f"gpt.h.{layer}.mlp.c_fc"],
                feed_out=projections[f"gpt.h.{layer}.mlp.c_proj"],
            )
            for layer in range(shape.layers)
        ]
        self._last_norm = norm("gpt.ln_f")

    def new_cache(self) -> Cache:
        """An empty one, for sentences that these blocks compute."""
        return Cache(len(self._blocks), self._heads, self._width // self._heads, self._device, self.dtype)

    def forward(self, x: Tensor, attend: Attention, shares: Added = _NOBODY) -> Tensor:
        """Run new positions through all blocks.

        ``x`` is ``(rows, new, width)``, their embeddings; ``attend`` lets them see what they may, and keeps their keys
        and values for those to come; ``shares`` are the rows' adapters. Returns hidden states ``(rows, new, width)``.
        """
        rows, new, width = x.shape
        for layer, block in enumerate(self._blocks):
            name = f"gpt.h.{layer}"
            normed = block.attention_norm(x)
            mixed = shares.add(f"{name}.attn.c_attn", normed, block.query_key_value(normed))
            query, key, value = mixed.view(rows, new, 3, self._heads, width // self._heads).permute(2, 0, 3, 1, 4)
            seen = attend(layer, query, key, value).transpose(1, 2).reshape(rows, new, width)
            x = x + shares.add(f"{name}.attn.c_proj", seen, block.attention_out(seen))
            normed = block.feed_norm(x)
            wide = shares.add(f"{name}.mlp.c_fc", normed, block.feed_in(normed))
            wide = fn.gelu(wide, approximate="tanh")
            x = x + shares.add(f"{name}.mlp.c_proj", wide, block.feed_out(wide))
        return self._last_norm(x)
