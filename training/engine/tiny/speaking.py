"""The GPT's training pass: voice, text and codes packed without gaps, as they stand when the model speaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from training.engine.tiny.alignment import Aligned
from xttsproject.xtts.config import GptShape

STOPS = 4
"""Stop codes expected after the speech, as fine-tuning does: the first ends it, the others are read there."""
GUIDED_LAYERS, GUIDED_HEADS = (1, 2), (0.0, 1.0)
"""In these layers the first head is shown which character is being spoken, the second which one comes after it: what a
letter sounds like hangs on the next, and to the text itself the next is hidden."""
_GUIDE_WIDTH = 1.2


@dataclass(frozen=True)
class Pack:
    """``b`` sentences. text ``(b, t)``, codes ``(b, m)`` as inputs, targets ``(b, m)`` with -1 where nothing is
    expected, places ``(b, m)``, lengths ``(b,)`` of text and of codes, and where each stands in the packed row."""

    text: Tensor
    codes: Tensor
    targets: Tensor
    places: Tensor
    text_lengths: Tensor
    code_lengths: Tensor

    def to(self, device: torch.device) -> Pack:
        return Pack(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def pack(shape: GptShape, lines: Sequence[Aligned], codes: Sequence[Tensor]) -> Pack:
    rows = len(lines)
    text_lengths = torch.tensor([len(line.tokens) + 2 for line in lines])
    code_lengths = torch.tensor([len(row) + STOPS for row in codes])
    text = torch.full((rows, int(text_lengths.max())), shape.stop_text_token)
    read = torch.full((rows, int(code_lengths.max())), shape.stop_audio_token)
    targets = torch.full_like(read, -1)
    places = torch.full(read.shape, -1.0)
    for row, (line, heard) in enumerate(zip(lines, codes, strict=True)):
        text[row, 0] = shape.start_text_token
        text[row, 1 : 1 + len(line.tokens)] = torch.tensor(line.tokens)
        count = len(heard)
        read[row, 0] = shape.start_audio_token
        read[row, 1 : 1 + count] = heard
        targets[row, :count] = heard
        targets[row, count : count + STOPS] = shape.stop_audio_token
        known = torch.from_numpy(line.places)[:count]
        places[row, : len(known)] = known
    return Pack(text, read, targets, places, text_lengths, code_lengths)


def noisy(codes: Tensor, share: float | Tensor, shape: GptShape) -> Tensor:
    """Some input codes replaced by others, so that the model leans on text and voice and forgives its own slips.

    ``share`` is how many, of all or ``(b, 1)`` of each row. Half of what replaces them is any code, half what another
    row, often another voice, says there.
    """
    drawn = torch.rand(codes.shape, device=codes.device) < share
    drawn &= codes < shape.start_audio_token
    others = codes.roll(codes.shape[0] // 2 + 1, dims=0)
    chance = torch.rand(codes.shape, device=codes.device) < 0.5
    any_code = torch.randint_like(codes, shape.start_audio_token)
    foreign = torch.where(chance & (others < shape.start_audio_token), others, any_code)
    return torch.where(drawn, foreign, codes)


def forward(gpt: Any, style: Tensor, batch: Pack, codes: Tensor, *, guided: bool) -> tuple[Tensor, Tensor, Tensor]:
    """``style`` ``(b, 32, width)``; ``codes`` the inputs, noisy or not.

    Returns latents ``(b, m, width)``, the text's hidden states ``(b, t, width)``, and how little the guided heads
    looked where they should (0 when not ``guided``). Rows are packed: padding stands at their end only,
    where causal attention never looks.
    """
    text = gpt.text_embedding(batch.text) + gpt.text_pos_embedding(batch.text)
    heard = gpt.mel_embedding(codes) + gpt.mel_pos_embedding(codes)
    rows, voices = style.shape[:2]
    texts, many = text.shape[1], heard.shape[1]
    device = style.device
    place = torch.arange(voices + texts + many, device=device)[None].expand(rows, -1)
    text_end = (voices + batch.text_lengths)[:, None]
    # Of the row [voice | text, padded | codes, padded]: skip the text's padding.
    source = torch.where(
        place < text_end, place, (place - text_end + voices + texts).clamp(max=voices + texts + many - 1)
    )
    length = int((voices + batch.text_lengths + batch.code_lengths).max())
    source = source[:, :length]
    whole = torch.cat([style.to(text.dtype), text, heard], dim=1)
    x = whole.gather(1, source[..., None].expand(-1, -1, whole.shape[-1]))
    code_places = text_end + torch.arange(many, device=device)[None]
    code_places = code_places.clamp(max=length - 1)
    guides = [_guide(batch, voices, ahead, length, code_places) for ahead in GUIDED_HEADS] if guided else []
    hidden, lost = _blocks(gpt.gpt, x, guides, code_places)
    hidden = gpt.final_norm(hidden)
    width = hidden.shape[-1]
    latents = hidden.gather(1, code_places[..., None].expand(-1, -1, width))
    return latents, hidden[:, voices : voices + texts], lost


def _guide(batch: Pack, voices: int, ahead: float, length: int, code_places: Tensor) -> tuple[Tensor, Tensor]:
    columns = torch.arange(length, device=code_places.device)[None, None] - voices
    distance = (columns - batch.places[..., None] - ahead) / _GUIDE_WIDTH
    inside = (columns >= 0) & (columns < batch.text_lengths[:, None, None])
    return torch.exp(-0.5 * distance**2) * inside, (batch.places >= 0).float()


def _blocks(
    network: Any, x: Tensor, guides: Sequence[tuple[Tensor, Tensor]], code_places: Tensor
) -> tuple[Tensor, Tensor]:
    lost = torch.zeros((), device=x.device)
    rows, length, width = x.shape
    future = torch.full((length, length), -1e4, device=x.device).triu(1)
    for number, block in enumerate(network.h):
        heads = block.attn.num_heads
        query, key, value = (_split(part, heads) for part in block.attn.c_attn(block.ln_1(x)).chunk(3, dim=-1))
        # Written out: on processors this takes a third of the time of PyTorch's one function for it.
        scores = torch.baddbmm(future.to(query.dtype)[None], query, key.mT, alpha=1 / math.sqrt(width // heads))
        weights = scores.softmax(-1)
        attended = (weights @ value).view(rows, heads, length, -1)
        x = x + block.attn.c_proj(attended.transpose(1, 2).flatten(2))
        if number in GUIDED_LAYERS:
            by_head = weights.view(rows, heads, length, length)
            for head, guide in enumerate(guides):
                away = _looked_away(by_head[:, head], guide, code_places)
                lost = lost + away / len(guides) / len(GUIDED_LAYERS)
        x = x + block.mlp.c_proj(fn.gelu(block.mlp.c_fc(block.ln_2(x)), approximate="tanh"))
    return network.ln_f(x), lost


def _split(x: Tensor, heads: int) -> Tensor:
    """``(b, n, width)`` to ``(b * heads, n, width / heads)``."""
    rows, length, width = x.shape
    return x.view(rows, length, heads, width // heads).transpose(1, 2).reshape(rows * heads, length, -1)


def _looked_away(weights: Tensor, guide: tuple[Tensor, Tensor], code_places: Tensor) -> Tensor:
    """Mean over codes of minus the log of one head's attention ``(b, n, n)`` within the guide."""
    wanted, known = guide
    asked = weights.gather(1, code_places[..., None].expand(-1, -1, weights.shape[-1]))
    return -(((asked.float() * wanted).sum(-1) + 1e-3).log() * known).sum() / known.sum()


class SoundHead(nn.Module):
    """For training only: latents to the mel, pitch and voicing of their own sound, so that latents tell the decoder.

    ``(b, m, width)`` to mel ``(b, 80, 4m)``, log2 pitch and voicing logit ``(b, 4m)``.
    """

    def __init__(self, width: int):
        super().__init__()
        self.first = nn.Conv1d(width, 192, 5, padding=2)
        self.second = nn.Conv1d(192, 192, 3, padding=1)
        self.last = nn.Conv1d(192, 82 * 4, 1)

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = fn.gelu(self.first(latents.transpose(1, 2)))
        hidden = hidden + fn.gelu(self.second(hidden))
        rows, _, many = hidden.shape
        out = self.last(hidden).view(rows, 82, 4, many).permute(0, 1, 3, 2).reshape(rows, 82, 4 * many).float()
        return out[:, :80], out[:, 80] + 7.2, out[:, 81]

    def loss(self, latents: Tensor, mel: Tensor, pitch: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean absolute errors of mel and of pitch (in octaves), and the cross-entropy of voicing.

        ``mel`` ``(b, 80, 4m)``, ``pitch`` ``(b, 4m)`` in hertz with 0 where unvoiced, ``known`` ``(b, 4m)`` 0 or 1.
        """
        told, octave, voicing = self(latents)
        voiced = (pitch > 0).float() * known
        mel_loss = ((told - mel).abs() * known[:, None]).sum() / known.sum() / mel.shape[1]
        pitch_loss = ((octave - pitch.clamp(min=40).log2()).abs() * voiced).sum() / voiced.sum().clamp(min=1)
        voicing_loss = fn.binary_cross_entropy_with_logits(voicing, voiced, reduction="none") * known
        return mel_loss, pitch_loss, voicing_loss.sum() / known.sum()
