"""When more epochs are not worth their time."""

from __future__ import annotations

import math
from collections.abc import Iterable


def patience_ran_out(losses: Iterable[float], patience: int, min_delta: float) -> bool:
    """Whether ``patience`` epochs in a row have not brought the loss more than ``min_delta`` below its best before.

    ``losses`` are the epochs' validation losses so far, oldest first. A loss that falls slowly, by less than
    ``min_delta`` an epoch, counts from the last epoch that was better by that much, so a steady small gain is a gain.
    Method: Prechelt 1998, "Early Stopping - But When?", its criterion UP with a threshold.
    """
    best, since = math.inf, 0
    for loss in losses:
        if loss < best - min_delta:
            best, since = loss, 0
        else:
            since += 1
        if since >= patience:
            return True
    return False
