"""Choosing the next audio code of each sentence in a batch: each has its own sampling and its own luck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

NOTHING = -1
"""Chosen where there is nothing to choose from: scores that are no finite numbers."""

_STEP = 64


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

    Every sentence's chance is a uniform number that its own seed gave (:func:`uniforms`), so who shares the batch
    changes nothing, and the result is the same on every device up to rounding. Rows join at the end.
    """

    def __init__(self, device: torch.device, codes: int):
        """``codes`` is the number of codes there are, ``device`` where the logits will be."""
        self._draws: list[Draw] = []
        self._heard = torch.zeros(0, codes, dtype=torch.bool, device=device)

    def join(self, draws: Sequence[Draw], heard: Tensor) -> None:
        """Further rows; ``heard`` is ``(rows, codes)``, true where the penalty holds from the start."""
        self._draws += draws
        self._heard = torch.cat([self._heard, heard])
        self._spread()

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order."""
        self._draws = [self._draws[row] for row in rows]
        self._heard = self._heard[list(rows)]
        self._spread()

    def choose(self, logits: Tensor, luck: Sequence[float]) -> Tensor:
        """Next codes ``(rows,)`` from ``logits`` ``(rows, codes)`` in float32 and a number of [0, 1) for each.

        NOTHING for a row with logits that are not finite; the others do not notice.
        """
        # A number that is none makes the sum one too; finite numbers of this size do not overflow it.
        lost = ~logits.sum(dim=-1).isfinite()
        logits = logits.masked_fill(lost[:, None], 0.0)
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
        threshold = torch.tensor(luck, dtype=torch.float64, device=logits.device)[:, None] * summed[:, -1:]
        place = (summed <= threshold).sum(dim=-1, keepdim=True)
        # Rounding can put the threshold on the total itself; the last code with any chance is meant then.
        place = torch.minimum(place, (chances > 0).sum(dim=-1, keepdim=True) - 1)
        place = torch.where(self._greedy[:, None], 0, place)
        chosen = codes.gather(1, place)
        self._heard.scatter_(1, chosen, True)
        return chosen[:, 0].masked_fill(lost, NOTHING)

    def _spread(self) -> None:
        """The rows' settings as columns, once per change of rows and not at each step."""
        draws, (_, codes), device = self._draws, self._heard.shape, self._heard.device
        self._penalty = _column([draw.repetition_penalty for draw in draws], device)
        self._temperature = _column([1.0 if draw.greedy else draw.temperature for draw in draws], device)
        self._top_p = _column([draw.top_p for draw in draws], device)
        self._greedy = torch.tensor([draw.greedy for draw in draws], device=device, dtype=torch.bool)
        # One pass of the largest k serves all rows; a row's own k masks what lies beyond it. The width comes in steps,
        # so that a row's own chances are summed and rounded alike whatever the others' k is.
        kept = [1 if draw.greedy else min(draw.top_k or codes, codes) for draw in draws]
        self._widest = min(-(-max(kept, default=1) // _STEP) * _STEP, codes)
        self._top_k = torch.tensor(kept, device=device, dtype=torch.long)[:, None]


def uniforms(seed: int, steps: int) -> list[float]:
    """A sentence's luck: numbers of [0, 1), one per step; the same whatever the number of steps."""
    generator = torch.Generator().manual_seed(seed)
    numbers: list[float] = torch.rand(steps, generator=generator, dtype=torch.float64).tolist()
    return numbers


def _column(values: Sequence[float], device: torch.device) -> Tensor:
    return torch.tensor(values, device=device, dtype=torch.float32)[:, None]
