"""How loud a clip is to the ear."""

from __future__ import annotations

import math
import warnings

import numpy as np

from datasets.pipeline.screening.frames import Signal

BLOCK_SECONDS = 0.4
QUIETEST_LUFS = -70.0
"""The gate of BS.1770: what lies below it counts as silence."""


def loudness_lufs(samples: Signal, sample_rate: int) -> float | None:
    """Integrated loudness in LUFS by ITU-R BS.1770-4 (pyloudnorm), at least ``QUIETEST_LUFS``.

    None for a clip shorter than one block of 0.4 s, which the standard does not measure.
    """
    if len(samples) < BLOCK_SECONDS * sample_rate + 1:
        return None
    import pyloudnorm

    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        # Silence has no loudness; numpy says so in a warning, and we in a number.
        warnings.simplefilter("ignore")
        measured = float(pyloudnorm.Meter(sample_rate).integrated_loudness(samples))
    return max(measured, QUIETEST_LUFS) if math.isfinite(measured) else QUIETEST_LUFS
