"""Linear maps and norms in the arithmetic that training wants: products in the computing type, norms in float32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def computing_type(device: torch.device) -> torch.dtype:
    """Autocast's type where it is on, float32 where it is not."""
    if torch.is_autocast_enabled(device.type):
        return torch.get_autocast_dtype(device.type)
    return torch.float32


def norm(hidden: Tensor, layer: nn.LayerNorm, kind: torch.dtype) -> Tensor:
    """Layer norm in float32, its result in ``kind``."""
    result = functional.layer_norm(hidden, layer.normalized_shape, layer.weight, layer.bias, layer.eps)
    return result.to(kind)


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``x·W + b`` of ``(n, in)`` and ``(in, out)`` in the type of ``x``."""
    if weight.dtype == x.dtype:
        return torch.addmm(bias.to(x.dtype), x, weight)
    result: Tensor = Cast.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return result


def pointwise(x: Tensor, layer: nn.Conv1d) -> Tensor:
    """A convolution of width 1 over ``(b, s, in)``, which is a product: torch's own convolution takes several times as
    long on a processor."""
    rows = affine(x.reshape(-1, x.shape[-1]), layer.weight[:, :, 0].T, layer.bias)  # type: ignore[arg-type]
    return rows.view(*x.shape[:-1], -1)


class Cast(torch.autograd.Function):
    """``x·W + b`` with ``W`` and ``b`` in another type than ``x``, cast whenever they are needed.

    Autocast keeps the cast weights of all layers from the forward pass to the backward pass; casting again costs
    little beside the product, and saves half of what the weights take.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        return torch.addmm(bias.to(x.dtype), x, weight.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        to_x, to_weight, to_bias = ctx.needs_input_grad
        return (
            gradient @ weight.to(gradient.dtype).T if to_x else None,
            (x.T @ gradient).to(weight.dtype) if to_weight else None,
            gradient.sum(0, dtype=weight.dtype) if to_bias else None,
        )
