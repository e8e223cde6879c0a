"""The figures by which checkpoints are judged: which way is better, how much each counts, and what they come to.

A new figure is one more entry of FIGURES, and somebody who measures it: what is not measured does not count.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

Direction = Literal["higher", "lower", "near"]

T = TypeVar("T", bound=Hashable)

COMPOSITE_DIGITS = 4
"""Closer together, two are equally good: what is measured is not as exact."""


@dataclass(frozen=True)
class Figure:
    """A named figure. ``label`` and ``unit`` are for people, ``digits`` are shown after the point.

    ``ideal`` is the value that nothing is lost at; None: the speaker's own. ``span`` away from it, in the direction
    that is worse, everything is lost: 1 is kept of a figure at its ideal, 0 from there on, evenly between. ``ratio``:
    the distance counts in octaves (twice and half are alike) instead of differences. ``weight`` 0: told, not counted.
    """

    name: str
    label: str
    direction: Direction
    weight: float
    span: float
    ideal: float | None = None
    ratio: bool = False
    unit: str = ""
    digits: int = 2
    meaning: str = ""

    def goodness(self, value: float | None, own: float | None) -> float | None:
        """1 at the ideal down to 0; None where the value or the ideal is not known."""
        ideal = own if self.ideal is None else self.ideal
        if value is None or ideal is None or not math.isfinite(value):
            return None
        if self.ratio:
            if value <= 0 or ideal <= 0:
                return 0.0
            off = math.log2(value / ideal)
        else:
            off = value - ideal
        lost = {"higher": -off, "lower": off, "near": abs(off)}[self.direction]
        return min(max(1 - lost / self.span, 0.0), 1.0)


FIGURES = (
    Figure(
        "similarity",
        "Similarity",
        "higher",
        weight=0.375,
        span=0.5,
        meaning="cosine between the samples and the speaker's held-out clips, by the model's speaker encoder",
    ),
    Figure(
        "character_error_rate",
        "Character errors",
        "lower",
        weight=0.375,
        span=1.0,
        ideal=0.0,
        meaning="edits between what was to be said and what the transcription model hears, per character",
    ),
    Figure(
        "seconds_per_character",
        "Length per character",
        "near",
        weight=0.1,
        span=1.0,
        ratio=True,
        unit="s",
        digits=3,
        meaning="how slowly it speaks; babble makes it long, swallowed words short",
    ),
    Figure(
        "loudness",
        "Loudness",
        "near",
        weight=0.05,
        span=12.0,
        unit="LUFS",
        digits=1,
        meaning="integrated loudness by BS.1770",
    ),
    Figure(
        "silence",
        "Silence",
        "near",
        weight=0.05,
        span=0.5,
        meaning="share of the time more than 30 dB below the loudest",
    ),
    Figure(
        "babble_rate",
        "Babble",
        "lower",
        weight=0.05,
        span=0.5,
        ideal=0.0,
        meaning="share of the samples in which the guard finds babble or a loop",
    ),
)

BY_NAME = {figure.name: figure for figure in FIGURES}


@dataclass(frozen=True)
class Verdict:
    """``composite``: the weighted mean of what was counted, 0..1; None where nothing could be."""

    composite: float | None
    parts: Mapping[str, float]


def counted(measured: Iterable[Mapping[str, float | None]], own: Mapping[str, float | None]) -> tuple[Figure, ...]:
    """The figures with a weight that all of several have."""
    all_of = list(measured)
    return tuple(
        figure
        for figure in FIGURES
        if figure.weight > 0
        and all_of
        and all(figure.goodness(each.get(figure.name), own.get(figure.name)) is not None for each in all_of)
    )


def judge(measured: Mapping[T, Mapping[str, float | None]], own: Mapping[str, float | None]) -> dict[T, Verdict]:
    """What the figures of several come to, all by the same ones: a figure that one of them lacks counts for none.

    ``own``: the speaker's. The composite is sum(weight · goodness) / sum(weight) over the figures that count.
    """
    good = {
        key: {figure.name: figure.goodness(figures.get(figure.name), own.get(figure.name)) for figure in FIGURES}
        for key, figures in measured.items()
    }
    counting = counted(measured.values(), own)
    total = sum(figure.weight for figure in counting)
    verdicts = {}
    for key, parts in good.items():
        known = {name: part for name, part in parts.items() if part is not None}
        composite = sum(figure.weight * known[figure.name] for figure in counting)
        verdicts[key] = Verdict(round(composite / total, COMPOSITE_DIGITS) if total else None, known)
    return verdicts


def best(composites: Iterable[tuple[T, float | None]]) -> T | None:
    """The highest; the first of equals; None where there is none."""
    known = [(key, value) for key, value in composites if value is not None]
    return max(known, key=lambda item: item[1])[0] if known else None
