"""Overdriven sound that was turned down afterwards: its peaks are flat, though not at full scale."""

from __future__ import annotations

import numpy as np

from datasets.pipeline.screening.frames import Signal

NEAR_PEAK = 0.985
LEAST_PEAK = 0.02


def flat_top_share(samples: Signal, sample_rate: int) -> float:
    """Share of the clip's samples that lie within 1.5 % of its highest or of its lowest value, whichever is more.

    A voice reaches its very peak in one or two periods; what was cut off reaches it in many. 0 below a peak of 0.02,
    where rounding to 16 bits alone makes steps.
    """
    if not len(samples):
        return 0.0
    shares = []
    for side in (samples, -samples):
        peak = float(side.max())
        shares.append(float(np.mean(side >= NEAR_PEAK * peak)) if peak >= LEAST_PEAK else 0.0)
    return max(shares)
