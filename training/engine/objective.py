"""Coqui's GPT as training needs it: the same weights and the same losses, without the work that training throws away.

Coqui's forward pass pads every clip of a batch to the longest, text and audio apart, sends the padding through every
layer, and takes logits of all positions. Here the clips of a batch stand one behind the other without any padding,
attention is taken clip by clip (the lengths differ, a causal mask alone is right for each), and logits are taken only
where a loss is. In float32 the losses are those of Coqui's forward pass in evaluation mode within rounding, for clips
that no reference masks.

Two things differ from Coqui's training on purpose. Transformers' GPT-2 drops a tenth of all activations unless told
otherwise, and XTTS never told it. Where every weight is trained that keeps few clips from being learnt by heart, so it
is done here too, but for the attention's own weights; with adapters it changes next to nothing, and nothing is dropped
but what LoRA's own dropout asks for (docs/BENCHMARKS.md has the losses). And nothing is computed for gradients that
nobody asked for: with adapters the conditioning networks run without a graph.

Precision follows autocast: where it is on, projections and attention compute in its type, while norms, sums and losses
stay in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.engine.affine import affine, computing_type, norm
from training.engine.style import style_of

STOP_CODES = 3
"""Coqui's GPT reads this many stop tokens after a clip's codes."""


@dataclass(frozen=True)
class Packed:
    """Where the clips of a batch are in one row of positions: ``lengths`` of them, one behind the other.

    ``rows`` and ``columns`` say for every position which clip it belongs to and where in it it stands.
    """

    lengths: list[int]
    rows: Tensor
    columns: Tensor


class Objective(nn.Module):
    """What is minimised: the two losses of a batch, each a mean over its tokens in nats.

    ``gpt`` is Coqui's ``GPT``; ``dropout`` is the share of what the embeddings and every half of a block give that is
    dropped in training.
    """

    def __init__(self, gpt: nn.Module, dropout: float = 0.0):
        super().__init__()
        self.gpt: Any = gpt
        self.dropout = dropout

    def forward(
        self,
        text: Tensor,
        text_lengths: Tensor,
        codes: Tensor,
        wav_lengths: Tensor,
        cond_mels: Tensor,
        mel_targets: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Tensors as in :class:`~training.engine.losses.Batch`; the text loss and the mel loss, float32."""
        gpt, device = self.gpt, codes.device
        kind = computing_type(device)
        texts = [int(length) for length in text_lengths.tolist()]
        counts = [-(-int(length) // gpt.code_stride_len) for length in wav_lengths.tolist()]
        style = style_of(gpt, cond_mels, kind)
        pieces: list[Tensor] = []
        heard, read, spoken = style.shape[1], [], []
        at = 0
        for row, (letters, count) in enumerate(zip(texts, counts, strict=True)):
            words = functional.pad(text[row, :letters], (1, 0), value=gpt.start_text_token)
            sounds = functional.pad(codes[row, :count], (1, 0), value=gpt.start_audio_token)
            sounds = functional.pad(sounds, (0, STOP_CODES), value=gpt.stop_audio_token)
            pieces += [
                style[row],
                gpt.text_embedding(words) + gpt.text_pos_embedding.emb.weight[: len(words)],
                gpt.mel_embedding(sounds) + gpt.mel_pos_embedding.emb.weight[: len(sounds)],
            ]
            at += heard
            read.append(torch.arange(at, at + len(words)))
            at += len(words)
            spoken.append(torch.arange(at, at + len(sounds)))
            at += len(sounds)
        lengths = [heard + letters + 1 + count + 1 + STOP_CODES for letters, count in zip(texts, counts, strict=True)]
        hidden = self._transformer(torch.cat(pieces).float(), packed(lengths, device), kind)

        text_targets = torch.cat(
            [
                functional.pad(text[row, :letters], (0, 1), value=gpt.stop_text_token)
                for row, letters in enumerate(texts)
            ]
        )
        targets = torch.cat([mel_targets[row, : count + 1 + STOP_CODES] for row, count in enumerate(counts)])
        wanted = (targets >= 0).nonzero().flatten()
        loss_text = self._loss(hidden, torch.cat(read).to(device), gpt.text_head, text_targets, kind)
        loss_mel = self._loss(hidden, torch.cat(spoken).to(device)[wanted], gpt.mel_head, targets[wanted], kind)
        return loss_text, loss_mel

    def _transformer(self, hidden: Tensor, where: Packed, kind: torch.dtype) -> Tensor:
        """``(n, width)`` through all layers, in float32; the final norms are left to :meth:`_loss`."""
        share = self.dropout if self.training else 0.0
        with torch.autocast(hidden.device.type, enabled=False):
            hidden = dropped(hidden, share)
            for block in self.gpt.gpt.h:
                qkv = project(norm(hidden, block.ln_1, kind), block.attn.c_attn)
                heard = project(attend(qkv, where, block.attn.num_heads), block.attn.c_proj)
                hidden = hidden + dropped(heard, share)
                inner = functional.gelu(project(norm(hidden, block.ln_2, kind), block.mlp.c_fc), approximate="tanh")
                hidden = hidden + dropped(project(inner, block.mlp.c_proj), share)
        return hidden

    def _loss(self, hidden: Tensor, places: Tensor, head: nn.Linear, targets: Tensor, kind: torch.dtype) -> Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            chosen = norm(hidden.index_select(0, places), self.gpt.gpt.ln_f, torch.float32)
            chosen = norm(chosen, self.gpt.final_norm, kind)
            logits = affine(chosen, head.weight.T, head.bias)
            return functional.cross_entropy(logits.float(), targets)


def packed(lengths: Sequence[int], device: torch.device) -> Packed:
    rows = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    columns = torch.cat([torch.arange(length) for length in lengths])
    return Packed(list(lengths), rows.to(device), columns.to(device))


def attend(qkv: Tensor, where: Packed, heads: int) -> Tensor:
    """Causal self-attention within each clip: ``(n, 3·width)`` to ``(n, width)``."""
    if qkv.device.type == "cpu":
        return _attend_one_by_one(qkv, where, heads)
    return _attend_padded(qkv, where, heads)


def _attend_one_by_one(qkv: Tensor, where: Packed, heads: int) -> Tensor:
    """No padding at all: right for a processor, where a call costs little."""
    found = []
    for part in torch.split(qkv, where.lengths):
        query, key, value = part.view(len(part), 3, heads, -1).permute(1, 2, 0, 3).unsqueeze(1).unbind(0)
        result = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        found.append(result[0].transpose(0, 1).reshape(len(part), -1))
    return torch.cat(found)


def _attend_padded(qkv: Tensor, where: Packed, heads: int) -> Tensor:
    """All clips in one call, padded to the longest. A causal mask keeps the padding, which comes last, from being
    seen."""
    padded = qkv.new_zeros(len(where.lengths), max(where.lengths), qkv.shape[1])
    padded = padded.index_put((where.rows, where.columns), qkv)
    query, key, value = padded.view(*padded.shape[:2], 3, heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
    result = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    return result.transpose(1, 2).flatten(2)[where.rows, where.columns]


def project(x: Tensor, layer: Any) -> Tensor:
    """GPT-2's projection ``x·W + b`` in the type of ``x``, with a LoRA adapter on it or not."""
    base = getattr(layer, "base_layer", layer)
    result = affine(x, base.weight, base.bias)
    if base is layer or layer.disable_adapters:
        return result
    for name in layer.active_adapters:
        narrow = functional.linear(layer.lora_dropout[name](x), layer.lora_A[name].weight.to(x.dtype))
        # One operation instead of a product, a scaling and a sum.
        result = torch.addmm(result, narrow, layer.lora_B[name].weight.to(x.dtype).T, alpha=layer.scaling[name])
    return result


def dropped(x: Tensor, share: float) -> Tensor:
    """``x`` with about ``share`` of it set to 0 and the rest scaled up (Srivastava et al. 2014), by torch's own chance.

    On a processor torch draws a number for every value, which takes longer than a projection; here one draw of 64 bits
    decides over eight values, each by a byte, so the share is a multiple of 1/256.
    """
    if not share:
        return x
    if x.device.type != "cpu":
        return functional.dropout(x, share)
    bytes_ = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None).view(torch.uint8)
    limit = round(256 * share)
    kept = (bytes_[: x.numel()] >= limit).view(x.shape)
    return torch.where(kept, x * (256 / (256 - limit)), 0.0)


def settle(gpt: nn.Module, kind: torch.dtype) -> None:
    """Keep the frozen projections in ``kind``, in which they are computed anyway: half the memory, and no casts."""
    for block in gpt.gpt.h:  # type: ignore[union-attr]
        for name, parameter in block.named_parameters():  # type: ignore[union-attr]
            if name.endswith("weight") and parameter.ndim == 2 and not parameter.requires_grad:
                parameter.data = parameter.data.to(kind)
