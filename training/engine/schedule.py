"""The learning rate at every step."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """A linear warm-up to ``peak``, then ``cosine`` or ``linear`` decay towards 0, or ``constant``.

    The decay would reach 0 one step after the last, so that no step is spent on a rate of 0.
    """

    kind: str
    peak: float
    steps_total: int
    warmup_fraction: float

    @property
    def warmup_steps(self) -> int:
        return math.ceil(self.warmup_fraction * self.steps_total)

    def rate(self, step: int) -> float:
        """The rate of step ``step``; the first is 1. Steps beyond the last keep the last one's rate."""
        step = min(max(step, 1), self.steps_total)
        warmup = self.warmup_steps
        if step <= warmup:
            return self.peak * step / warmup
        if self.kind == "constant":
            return self.peak
        done = (step - warmup - 1) / (self.steps_total - warmup)
        if self.kind == "linear":
            return self.peak * (1.0 - done)
        return self.peak * 0.5 * (1.0 + math.cos(math.pi * done))
