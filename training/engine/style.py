"""What the GPT hears of a reference: Coqui's conditioning networks with their weights, in operations that are fast.

Coqui's encoder consists of convolutions of width 1 and of attention that is written out; on a processor both take
several times as long as the product and the fused attention that they come to.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from training.engine.affine import pointwise


def style_of(gpt: Any, cond_mels: Tensor, kind: torch.dtype) -> Tensor:
    """``(b, 1, 80, s)`` to latents ``(b, 32, width)``; with a graph only where something of the networks is trained."""
    networks = (gpt.conditioning_encoder, gpt.conditioning_perceiver)
    trained = any(parameter.requires_grad for network in networks for parameter in network.parameters())
    with nullcontext() if trained else torch.no_grad():
        with torch.autocast(cond_mels.device.type, enabled=False):
            heard = _encode(gpt.conditioning_encoder, cond_mels.squeeze(1).transpose(1, 2), kind)
        latents: Tensor = gpt.conditioning_perceiver(heard)
    return latents


def _encode(encoder: Any, mels: Tensor, kind: torch.dtype) -> Tensor:
    """``(b, s, 80)`` to ``(b, s, width)``, float32."""
    hidden = pointwise(mels.to(kind), encoder.init).float()
    for block in encoder.attn:
        group = block.norm
        normed = functional.group_norm(hidden.transpose(1, 2), group.num_groups, group.weight, group.bias, group.eps)
        normed = normed.transpose(1, 2)
        # A head's query, key and value stand side by side here, unlike GPT-2's.
        qkv = pointwise(normed.to(kind), block.qkv).unflatten(2, (block.num_heads, 3, -1))  # type: ignore[no-untyped-call]
        query, key, value = qkv.permute(3, 0, 2, 1, 4).unbind(0)
        found = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        hidden = normed + pointwise(found, block.proj_out)
    return hidden
