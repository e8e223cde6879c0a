"""When a trial of a search is not worth its remaining epochs: the median stopping rule."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

GRACE_EPOCHS = 3
LEAST_OTHERS = 3
"""A median of one or two is no judgement."""


@dataclass(frozen=True)
class Hopeless:
    """Why a trial ends: its ``best`` loss after ``epoch`` epochs is above ``median``, that of ``others`` trials."""

    epoch: int
    best: float
    median: float
    others: int

    @property
    def sentence(self) -> str:
        return (
            f"Stopped after epoch {self.epoch}: its best validation loss so far, {self.best:.3f}, is worse than "
            f"{self.median:.3f}, the median of {self.others} other trials' running averages at that epoch."
        )


def hopeless(
    own: Sequence[float],
    others: Iterable[Sequence[float]],
    *,
    grace: int = GRACE_EPOCHS,
    least: int = LEAST_OTHERS,
) -> Hopeless | None:
    """None as long as a trial may go on.

    ``own`` and each of ``others`` are validation losses epoch by epoch. Method: Golovin et al. 2017, "Google Vizier: A
    Service for Black-Box Optimization", section 3.2.2: stop when the best value so far is strictly worse than the
    median of the other trials' running averages up to the same step. Nobody is judged before ``grace`` epochs, nor
    against fewer than ``least`` trials that have come as far.
    """
    epoch = len(own)
    if epoch < max(grace, 1):
        return None
    averages = [statistics.fmean(other[:epoch]) for other in others if len(other) >= epoch]
    if len(averages) < least:
        return None
    middle, best = statistics.median(averages), min(own)
    return Hopeless(epoch, best, middle, len(averages)) if best > middle else None
