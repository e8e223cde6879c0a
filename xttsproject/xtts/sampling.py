"""Choosing the next audio code of each sentence in a batch: each has its own sampling and its own luck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Draw:
    """How one sentence's codes are drawn. ``greedy`` takes the likeliest code and reads only the penalty."""

    temperature: float = 0.75
    top_k: int = 50
    top_p: float = 0.85
    repetition_penalty: float = 10.0
    greedy: bool = False


class Chooser:
    """Draws codes for a batch, identically in law to Hugging Face's order: penalty, temperature, top-k, top-p.

    Every sentence's chance comes from a table of uniform numbers that its own seed filled, so who shares the batch
    changes nothing, and the result is the same on every device up to rounding.
    """

    def __init__(self, draws: Sequence[Draw], seeds: Sequence[int], steps: int, heard: Tensor):
        """``heard`` is ``(batch, codes)``, true where the penalty holds from the start; it is written to."""
        device = heard.device
        self._heard = heard
        self._penalty = _column([draw.repetition_penalty for draw in draws], device)
        self._temperature = _column([1.0 if draw.greedy else draw.temperature for draw in draws], device)
        self._top_p = _column([draw.top_p for draw in draws], device)
        self._greedy = torch.tensor([draw.greedy for draw in draws], device=device)
        codes = heard.shape[1]
        # One pass of the largest k serves all rows; a row's own k masks what lies beyond it.
        kept = [1 if draw.greedy else min(draw.top_k or codes, codes) for draw in draws]
        self._widest = max(kept)
        self._top_k = torch.tensor(kept, device=device)[:, None]
        self._luck = torch.stack([_uniforms(seed, steps) for seed in seeds]).to(device)

    def choose(self, logits: Tensor, step: int) -> Tensor:
        """Next codes ``(batch,)`` from ``logits`` ``(batch, codes)`` in float32."""
        # Keskar et al., 2019 (CTRL): a positive score is divided, a negative one multiplied.
        weakened = torch.where(logits < 0, logits * self._penalty, logits / self._penalty)
        scores = torch.where(self._heard, weakened, logits) / self._temperature
        best, codes = scores.topk(self._widest, dim=-1)
        rank = torch.arange(self._widest, device=logits.device)
        best = best.masked_fill(rank >= self._top_k, -torch.inf)
        chances = best.softmax(dim=-1)
        # Nucleus (Holtzman et al., 2020): a code stays while those before it have not reached p; the first always.
        before = chances.cumsum(dim=-1) - chances
        chances = chances.masked_fill((before >= self._top_p) & (rank > 0), 0.0).double()
        summed = chances.cumsum(dim=-1)
        threshold = self._luck[:, step : step + 1] * summed[:, -1:]
        place = (summed <= threshold).sum(dim=-1, keepdim=True)
        # Rounding can put the threshold on the total itself; the last code with any chance is meant then.
        place = torch.minimum(place, (chances > 0).sum(dim=-1, keepdim=True) - 1)
        place = torch.where(self._greedy[:, None], 0, place)
        chosen = codes.gather(1, place)
        self._heard.scatter_(1, chosen, True)
        return chosen[:, 0]

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only."""
        for name in ("_heard", "_penalty", "_temperature", "_top_p", "_greedy", "_top_k", "_luck"):
            setattr(self, name, getattr(self, name).index_select(0, rows))


def _column(values: Sequence[float], device: torch.device) -> Tensor:
    return torch.tensor(values, device=device, dtype=torch.float32)[:, None]


def _uniforms(seed: int, steps: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(steps, generator=generator, dtype=torch.float64)
