"""A batch as the GPT takes it, and what the GPT gets wrong about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from training.engine.batches import Reference
from training.engine.dataset import Clip
from training.engine.features import ClipFeatures
from training.engine.objective import Objective
from xttsproject.xtts.limits import SAMPLES_PER_CODE

FRAME_SAMPLES = 256
"""Hop of the conditioning mel at 22 050 Hz."""

IGNORED = -1


@dataclass(frozen=True)
class Batch:
    """``b`` clips, padded to the longest.

    text ``(b, t)`` and text_lengths ``(b,)``; codes ``(b, m)`` and wav_lengths ``(b,)`` in samples; cond_mels
    ``(b, 1, 80, s)``; mel_targets ``(b, longest + 5)`` with :data:`IGNORED` where no loss is taken.
    """

    ids: tuple[str, ...]
    text: Tensor
    text_lengths: Tensor
    codes: Tensor
    wav_lengths: Tensor
    cond_mels: Tensor
    mel_targets: Tensor

    def to(self, device: torch.device) -> Batch:
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in _TENSORS}
        return Batch(self.ids, **moved)


_TENSORS = ("text", "text_lengths", "codes", "wav_lengths", "cond_mels", "mel_targets")


def collate(
    batch: Sequence[int],
    references: Sequence[Reference],
    clips: Sequence[Clip],
    features: Sequence[ClipFeatures],
    stop_token: int,
    *,
    mask_references: bool,
) -> Batch:
    """Put clips and their references together.

    With ``mask_references`` no loss is taken on the codes that a clip's own reference covers: the model has just
    heard them. (In Coqui's forward pass this masking counts mel frames as codes and reaches the last clip of a
    batch only; here it counts codes and reaches every clip.)
    """
    chosen = [features[index] for index in batch]
    codes = torch.nn.utils.rnn.pad_sequence([item.codes for item in chosen], batch_first=True)
    text = torch.nn.utils.rnn.pad_sequence([item.tokens for item in chosen], batch_first=True)
    mels = [features[ref.index].mel(ref.start, ref.frames, ref.variant) for ref in references]
    targets = torch.full((len(batch), max(clips[index].codes for index in batch) + 5), IGNORED, dtype=torch.long)
    for row, (index, reference) in enumerate(zip(batch, references, strict=True)):
        length = clips[index].codes
        targets[row, :length] = features[index].codes[:length]
        # Coqui's GPT reads three more positions after the clip and expects the stop token at each and after the last.
        targets[row, length : length + 4] = stop_token
        if mask_references and reference.index == index:
            targets[row, _heard(reference, length)] = IGNORED
    return Batch(
        ids=tuple(clips[index].id for index in batch),
        text=text,
        text_lengths=torch.tensor([len(item.tokens) for item in chosen]),
        codes=codes,
        wav_lengths=torch.tensor([clips[index].samples for index in batch]),
        cond_mels=torch.stack(mels).unsqueeze(1),
        mel_targets=targets,
    )


def _heard(reference: Reference, length: int) -> slice:
    """Which of a clip's ``length`` codes its own reference covers."""
    first = reference.start * FRAME_SAMPLES // SAMPLES_PER_CODE
    last = -(-(reference.start + reference.frames) * FRAME_SAMPLES // SAMPLES_PER_CODE)
    return slice(first, min(last, length))


def count_targets(
    batch: Sequence[int], references: Sequence[Reference], clips: Sequence[Clip], features: Sequence[ClipFeatures]
) -> Tensor:
    """How many targets each clip has in the text loss and in that of its codes, ``(b, 2)`` float64; nothing is read.

    The loss of a batch is the mean over them, so a piece of it weighs as much as it has of them.
    """
    counts = []
    for index, reference in zip(batch, references, strict=True):
        length = clips[index].codes
        heard = _heard(reference, length) if reference.index == index else slice(0, 0)
        counts.append((len(features[index].tokens) + 1, length + 4 - max(0, heard.stop - heard.start)))
    return torch.tensor(counts, dtype=torch.float64)


def misled(codes: Tensor, share: float) -> Tensor:
    """``codes`` ``(b, m)`` with a share of them replaced by others of the same batch, by torch's own chance.

    When the model speaks, the codes before are its own; in training they are true ones. What was fine-tuned on truth
    alone leans on it and drifts once it has slipped (Bengio et al., 2015, https://arxiv.org/abs/1506.03099).
    """
    if not share:
        return codes
    others = codes.flatten()[torch.randint(codes.numel(), codes.shape, device=codes.device)]
    return torch.where(torch.rand(codes.shape, device=codes.device) < share, others, codes)


def forward_losses(model: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Cross-entropy of text and of audio codes, each a mean over its tokens in nats.

    ``model`` is Coqui's GPT, or an :class:`Objective` of it, wrapped for precision or several devices or not.
    """
    objective = Objective(model) if hasattr(model, "mel_head") else model
    losses: tuple[Tensor, Tensor] = objective(*(getattr(batch, name) for name in _TENSORS))
    return losses
