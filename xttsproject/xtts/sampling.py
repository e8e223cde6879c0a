"""Choosing the next audio code of each sentence in a batch: each has its own sampling and its own luck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

NOTHING = -1
"""Chosen where there is nothing to choose from: scores that are no finite numbers."""

_STEP = 64
_SEEDS = 2**32
"""How many seeds PyTorch's generator of a processor tells apart."""


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

    def __init__(self, device: torch.device, codes: int, room: int):
        """``codes`` is the number of codes there are, ``device`` where the logits will be; of rows there are at most
        ``room``. Their settings never move to other addresses, and those of rows that are not there are harmless."""
        self._draws: list[Draw] = []
        self._heard = torch.zeros(room, codes, dtype=torch.bool, device=device)
        self._penalty, self._temperature, self._top_p = (torch.ones(room, 1, device=device) for _ in range(3))
        self._greedy = torch.ones(room, 1, dtype=torch.bool, device=device)
        self._top_k = torch.ones(room, 1, dtype=torch.long, device=device)
        self._all = self._of(0, 0)
        self.widest = min(_STEP, codes)
        """How many of the likeliest codes are looked at, for all rows alike."""

    def join(self, draws: Sequence[Draw], heard: Tensor) -> None:
        """Further rows; ``heard`` is ``(rows, codes)``, true where the penalty holds from the start."""
        first = len(self._draws)
        self._draws += draws
        self._heard[first : len(self._draws)] = heard
        self._spread()

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order."""
        self._draws = [self._draws[row] for row in rows]
        self._heard[: len(rows)] = self._heard[list(rows)]
        self._spread()

    def choose(self, logits: Tensor, luck: Sequence[float], first: int = 0) -> Tensor:
        """Next codes ``(rows,)`` from ``logits`` ``(rows, codes)`` in float32 and a number of [0, 1) for each, of the
        rows from ``first`` on.

        NOTHING for a row with logits that are not finite; the others do not notice.
        """
        numbers = torch.tensor(luck, dtype=torch.float64, device=logits.device)
        return self.choose_there(logits, numbers, self.widest, first)

    def choose_there(self, logits: Tensor, luck: Tensor, widest: int, first: int = 0) -> Tensor:
        """:meth:`choose` with the luck on the device, so that there is nothing to wait for; ``widest`` is this
        object's, or was when the step was recorded."""
        heard, *columns = self._all if len(logits) == len(self._draws) else self._of(first, first + len(logits))
        penalty, temperature, top_p, greedy, top_k = columns
        # A number that is none makes the sum one too; finite numbers of this size do not overflow it.
        lost = ~logits.sum(dim=-1).isfinite()
        logits = logits.masked_fill(lost[:, None], 0.0)
        # Keskar et al., 2019 (CTRL): a positive score is divided, a negative one multiplied.
        weakened = torch.where(logits < 0, logits * penalty, logits / penalty)
        scores = torch.where(heard, weakened, logits) / temperature
        best, codes = scores.topk(widest, dim=-1)
        rank = torch.arange(widest, device=logits.device)
        best = best.masked_fill(rank >= top_k, -torch.inf)
        chances = best.softmax(dim=-1)
        # Nucleus (Holtzman et al., 2020): a code stays while those before it have not reached p; the first always.
        before = chances.cumsum(dim=-1) - chances
        chances = chances.masked_fill((before >= top_p) & (rank > 0), 0.0).double()
        summed = chances.cumsum(dim=-1)
        threshold = luck[:, None] * summed[:, -1:]
        place = (summed <= threshold).sum(dim=-1, keepdim=True)
        # Rounding can put the threshold on the total itself; the last code with any chance is meant then.
        place = torch.minimum(place, (chances > 0).sum(dim=-1, keepdim=True) - 1)
        chosen = codes.gather(1, place.masked_fill(greedy, 0))
        heard.scatter_(1, chosen, True)
        return chosen[:, 0].masked_fill(lost, NOTHING)

    def memory(self) -> Tensor:
        """Which codes the penalty holds for, to be given to :meth:`recall`."""
        return self._heard.clone()

    def recall(self, memory: Tensor) -> None:
        """Forget what was chosen since."""
        self._heard.copy_(memory)

    def _spread(self) -> None:
        """The rows' settings as columns, once per change of rows and not at each step."""
        draws, codes, rows = self._draws, self._heard.shape[1], slice(len(self._draws))
        _fill(self._penalty[rows], [draw.repetition_penalty for draw in draws])
        _fill(self._temperature[rows], [1.0 if draw.greedy else draw.temperature for draw in draws])
        _fill(self._top_p[rows], [draw.top_p for draw in draws])
        _fill(self._greedy[rows], [draw.greedy for draw in draws])
        # One pass of the largest k serves all rows; a row's own k masks what lies beyond it. The width comes in steps,
        # so that a row's own chances are summed and rounded alike whatever the others' k is.
        kept = [1 if draw.greedy else min(draw.top_k or codes, codes) for draw in draws]
        self.widest = min(-(-max(kept, default=1) // _STEP) * _STEP, codes)
        _fill(self._top_k[rows], kept)
        self._all = self._of(0, len(draws))

    def _of(self, first: int, end: int) -> tuple[Tensor, ...]:
        """Of these rows: what was heard, and the settings, as views."""
        return tuple(
            each[first:end]
            for each in (self._heard, self._penalty, self._temperature, self._top_p, self._greedy, self._top_k)
        )


def uniforms(seed: int, steps: int) -> list[float]:
    """A sentence's luck: numbers of [0, 1), one per step; the same whatever the number of steps.

    The generator takes 32 bits of a seed (MT19937; Matsumoto and Nishimura 1998), so seeds that are a multiple of 2^32
    apart would say the same. Numbers that the higher bits give are added to those of the lower ones, modulo 1, where
    there are any. They are taken one step later, so that halves which are exchanged say something else.
    """
    high, low = divmod(seed, _SEEDS)
    numbers = _drawn(low, steps)
    if high:
        numbers = (numbers + _drawn(high, steps + 1)[1:]) % 1.0
    return list(numbers.tolist())


def _drawn(seed: int, count: int) -> Tensor:
    return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _fill(column: Tensor, values: Sequence[float]) -> None:
    column.copy_(torch.tensor(values, dtype=column.dtype)[:, None])
