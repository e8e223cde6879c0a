"""Stretches of speech to segments: a pure function, so that its promises can be tested on any input.

The plan is the cheapest one (dynamic programming over the pauses) by costs that say what a good training clip is: cut
at long pauses rather than at short ones, no long silence inside, a length near the middle of what XTTS takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Stretch = tuple[float, float]
QuietestPoint = Callable[[float, float], float]
"""Given a window in seconds, the time within it at which a cut does the least harm."""

SHORT = "short"
"""Flag: under the least length, with no neighbour close enough to join."""
FORCED_CUT = "forced_cut"
"""Flag: speech without a usable pause had to be cut; that end may touch a word."""

_MILLISECOND = 0.001


@dataclass(frozen=True)
class SegmentSettings:
    """All in seconds. Segment lengths include the padding.

    ``pad_min``..``pad_max``: silence kept at both ends; a pause shorter than two ``pad_min`` is never cut.
    ``shortest``: below ``min_seconds`` a segment is flagged, below this it is left out.
    ``longest_pause``: the longest silence that may stay inside a segment.
    """

    min_seconds: float = 2.0
    max_seconds: float = 11.5
    shortest: float = 1.0
    pad_min: float = 0.15
    pad_max: float = 0.25
    longest_pause: float = 1.2
    preferred_seconds: float = 6.0

    def __post_init__(self) -> None:
        if not 0 < self.shortest <= self.min_seconds <= self.preferred_seconds <= self.max_seconds:
            raise ValueError(
                "Segment lengths must rise: 0 < shortest <= min_seconds <= preferred_seconds <= max_seconds, got "
                f"{self.shortest}, {self.min_seconds}, {self.preferred_seconds}, {self.max_seconds}."
            )
        if self.max_seconds < 2 * self.min_seconds + 4 * self.pad_max:
            raise ValueError(
                f"max_seconds={self.max_seconds} must be at least twice min_seconds={self.min_seconds} plus padding."
            )
        if not 0 <= self.pad_min <= self.pad_max:
            raise ValueError(f"0 <= pad_min <= pad_max is needed, got {self.pad_min} and {self.pad_max}.")
        if self.longest_pause < 2 * self.pad_max:
            raise ValueError(f"longest_pause={self.longest_pause} must be at least twice pad_max={self.pad_max}.")


@dataclass(frozen=True)
class SegmentSpan:
    """A segment in seconds of the master, padding included; ``flags`` are ``SHORT`` and ``FORCED_CUT``."""

    start: float
    end: float
    flags: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True)
class SegmentationResult:
    """``spans`` in order, not overlapping; ``left_out`` are stretches of speech as (start, end, reason in words).

    ``speech_seconds`` is all speech that was found, ``total_seconds`` the length of the recording.
    """

    spans: tuple[SegmentSpan, ...]
    left_out: tuple[tuple[float, float, str], ...]
    speech_seconds: float
    total_seconds: float


@dataclass(frozen=True)
class _Unit:
    """Speech that is not cut again. ``cut_before``/``cut_after``: that end is a forced cut, without padding."""

    start: float
    end: float
    cut_before: bool = False
    cut_after: bool = False


def plan_segments(
    stretches: Sequence[Stretch], total_seconds: float, settings: SegmentSettings, quietest: QuietestPoint
) -> SegmentationResult:
    """Plan segments over ``stretches`` of speech (in order, not overlapping, within 0..``total_seconds``).

    Every stretch ends up whole in one segment, cut over several flagged ones at ``quietest`` points, or in
    ``left_out``.
    """
    merged = _merge(stretches, 2 * settings.pad_min)
    units = [unit for stretch in merged for unit in _cut_long(stretch, stretches, settings, quietest)]
    spans: list[SegmentSpan] = []
    left_out: list[tuple[float, float, str]] = []
    for first, last in _group(units, total_seconds, settings):
        start, end = _padded(units, first, last, total_seconds, settings)
        if end - start < settings.shortest:
            speech_start, speech_end = units[first].start, units[last].end
            reason = f"only {speech_end - speech_start:.1f} s of speech, with no other speech close by"
            left_out.append((_ms(speech_start), _ms(speech_end), reason))
            continue
        flags = [SHORT] if end - start < settings.min_seconds else []
        if units[first].cut_before or units[last].cut_after:
            flags.append(FORCED_CUT)
        spans.append(SegmentSpan(_ms(start), _ms(end), tuple(flags)))
    speech = sum(end - start for start, end in stretches)
    return SegmentationResult(tuple(spans), tuple(left_out), speech, total_seconds)


def _merge(stretches: Sequence[Stretch], pause: float) -> list[Stretch]:
    """Join what is less than ``pause`` seconds apart: there is no room for padding on both sides of a cut."""
    merged: list[Stretch] = []
    for start, end in stretches:
        if merged and start - merged[-1][1] < pause:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def _cut_long(
    stretch: Stretch, stretches: Sequence[Stretch], settings: SegmentSettings, quietest: QuietestPoint
) -> list[_Unit]:
    """Cut a stretch that is too long for one segment: in its widest short pause, or else at its quietest point."""
    room = settings.max_seconds - 2 * settings.pad_max - 2 * _MILLISECOND
    start, end = stretch
    pauses = [(before[1], after[0]) for before, after in pairwise(stretches) if before[1] >= start and after[0] <= end]
    units: list[_Unit] = []
    forced = False
    while end - start > room:
        # Both parts must be long enough, and the first one short enough.
        earliest = start + max(settings.min_seconds, room / 2)
        latest = min(start + room, end - settings.min_seconds)
        inside = [(a, b) for a, b in pauses if a >= earliest and b <= latest]
        if inside:
            a, b = max(inside, key=lambda pause: (pause[1] - pause[0], pause[0]))
            cut = (a + b) / 2
        else:
            cut = min(max(quietest(earliest, latest), earliest), latest)
        units.append(_Unit(start, cut, cut_before=forced, cut_after=True))
        start, forced = cut, True
    units.append(_Unit(start, end, cut_before=forced))
    return units


def _group(units: Sequence[_Unit], total: float, settings: SegmentSettings) -> list[tuple[int, int]]:
    """The cheapest way to group neighbouring units, as (first, last) indices: dynamic programming from the left."""
    best = [0.0] + [math.inf] * len(units)
    origin = [0] * (len(units) + 1)
    for last in range(len(units)):
        for first in range(last, -1, -1):
            cost = _cost(units, first, last, total, settings)
            if cost is None:
                break
            if best[first] + cost < best[last + 1]:
                best[last + 1], origin[last + 1] = best[first] + cost, first
    groups: list[tuple[int, int]] = []
    position = len(units)
    while position:
        groups.append((origin[position], position - 1))
        position = origin[position]
    return groups[::-1]


def _cost(units: Sequence[_Unit], first: int, last: int, total: float, settings: SegmentSettings) -> float | None:
    """What a segment of these units costs; None where it, and any longer one from the same end, is not allowed."""
    start, end = _padded(units, first, last, total, settings)
    seconds = end - start
    if first < last:
        if seconds > settings.max_seconds - 2 * _MILLISECOND:
            return None
        # Two halves of a forced cut were parted because they are too long together, and a long silence is no speech.
        if units[first].cut_after or units[first + 1].start - units[first].end > settings.longest_pause:
            return None
    pauses = [units[i + 1].start - units[i].end for i in range(first, last)]
    cost = 0.5 + sum((pause / settings.longest_pause) ** 2 for pause in pauses)
    cost += 0.5 * ((seconds - settings.preferred_seconds) / settings.preferred_seconds) ** 2
    if seconds < settings.min_seconds:
        cost += 4.0 if seconds >= settings.shortest else 12.0
    if last + 1 < len(units):
        # A pause of half a second or more is a good place to end.
        after = units[last + 1].start - units[last].end
        cost += max(0.0, 0.5 - after)
    return cost


def _padded(
    units: Sequence[_Unit], first: int, last: int, total: float, settings: SegmentSettings
) -> tuple[float, float]:
    """Start and end with padding: up to ``pad_max``, at most half of the pause, none at a forced cut."""
    before = units[first].start - (units[first - 1].end if first else 0.0)
    after = (units[last + 1].start if last + 1 < len(units) else total) - units[last].end
    # At the recording's own ends the whole margin is free; a pause is shared by two segments.
    lead = 0.0 if units[first].cut_before else min(settings.pad_max, before / 2 if first else before)
    tail = 0.0 if units[last].cut_after else min(settings.pad_max, after / 2 if last + 1 < len(units) else after)
    return units[first].start - max(lead, 0.0), units[last].end + max(tail, 0.0)


def _ms(seconds: float) -> float:
    return round(seconds, 3)
