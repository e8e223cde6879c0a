"""How a measure is spread over many clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

MOST_BARS = 40


@dataclass(frozen=True)
class Spread:
    """Of a measure in ``unit``: percentiles (linear between values), and a histogram.

    ``counts[i]`` clips lie in ``edges[i]`` ≤ value < ``edges[i + 1]``.
    """

    unit: str
    clips: int
    least: float
    p5: float
    median: float
    p95: float
    most: float
    edges: list[float]
    counts: list[int]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def spread(values: Sequence[float], unit: str, width: float) -> Spread | None:
    """None without any value. Bars are ``width`` wide, or 2, 4, 8 … times as much where there would be too many."""
    if not values:
        return None
    array = np.asarray(values, dtype=np.float64)
    least, most = float(array.min()), float(array.max())
    while _bars(least, most, width) > MOST_BARS:
        width *= 2
    first = math.floor(least / width)
    edges = [round((first + number) * width, 6) for number in range(_bars(least, most, width) + 1)]
    places = np.floor(array / width).astype(np.int64) - first
    counts = np.bincount(places, minlength=len(edges) - 1)
    p5, median, p95 = (round(float(value), 2) for value in np.percentile(array, [5, 50, 95]))
    return Spread(
        unit, len(values), round(least, 2), p5, median, p95, round(most, 2), edges, [int(count) for count in counts]
    )


def _bars(least: float, most: float, width: float) -> int:
    return math.floor(most / width) - math.floor(least / width) + 1


def outliers(values: Sequence[float], *, limit: float = 3.5, least_deviation: float = 0.5) -> list[int]:
    """Places of values whose modified z-score is above ``limit`` (Iglewicz and Hoaglin, 1993):
    0.6745·|x - median| / MAD, where MAD, the median of |x - median|, counts as ``least_deviation`` at least."""
    if not values:
        return []
    array = np.asarray(values, dtype=np.float64)
    away = np.abs(array - np.median(array))
    deviation = max(float(np.median(away)), least_deviation)
    return [int(place) for place in np.flatnonzero(0.6745 * away / deviation > limit)]
