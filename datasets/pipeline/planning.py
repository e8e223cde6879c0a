"""Stretches of speech to segments: a pure function, so that its promises can be tested on any input.

The plan is the cheapest one (dynamic programming over the pauses) by costs that say what a good training clip is: cut
where a sentence ends, at long pauses rather than at short ones, no long silence inside, and lengths that spread over
what XTTS takes: a voice that has never learnt a short sentence babbles after one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from datasets.pipeline.spoken_words import TOLERANCE, Mark, WordTimes

Stretch = tuple[float, float]
QuietestPoint = Callable[[float, float], float]
"""Given a window in seconds, the time within it at which a cut does the least harm."""

SHORT = "short"
"""Flag: under the least length, with no neighbour close enough to join."""
FORCED_CUT = "forced_cut"
"""Flag: speech without a usable pause had to be cut; that end has no padding and may touch a word."""

_MILLISECOND = 0.001
_GOLDEN = (math.sqrt(5) - 1) / 2
# What it costs to end a segment there; None: no word is known.
_MARK_COST = {Mark.SENTENCE: 0.0, Mark.PERHAPS: 0.1, Mark.CLAUSE: 0.2, None: 0.25, Mark.NOTHING: 0.6}
_MARK_RANK = {Mark.SENTENCE: 3, Mark.PERHAPS: 3, Mark.CLAUSE: 2, Mark.NOTHING: 1, None: 1}


@dataclass(frozen=True)
class SegmentSettings:
    """All in seconds. Segment lengths include the padding.

    ``pad_min``..``pad_max``: silence kept at both ends; a pause shorter than two ``pad_min`` is never cut.
    ``shortest``: below ``min_seconds`` a segment is flagged, below this it is left out.
    ``longest_pause``: the longest silence that may stay inside a segment.
    ``aim_from``..``aim_to``: the lengths that segments aim at, each at its own, evenly spread.
    """

    min_seconds: float = 2.0
    max_seconds: float = 11.5
    shortest: float = 1.0
    pad_min: float = 0.15
    pad_max: float = 0.25
    longest_pause: float = 1.2
    aim_from: float = 2.6
    aim_to: float = 9.5

    def __post_init__(self) -> None:
        if not 0 < self.shortest <= self.min_seconds <= self.aim_from <= self.aim_to <= self.max_seconds:
            raise ValueError(
                "Segment lengths must rise: 0 < shortest <= min_seconds <= aim_from <= aim_to <= max_seconds, got "
                f"{self.shortest}, {self.min_seconds}, {self.aim_from}, {self.aim_to}, {self.max_seconds}."
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


@dataclass(frozen=True)
class _Ground:
    """What a plan stands on: ``begin``..``end`` seconds of the recording are to be planned."""

    begin: float
    end: float
    settings: SegmentSettings
    quietest: QuietestPoint
    words: WordTimes


def plan_segments(
    stretches: Sequence[Stretch],
    total_seconds: float,
    settings: SegmentSettings,
    quietest: QuietestPoint,
    words: WordTimes | None = None,
    begin: float = 0.0,
) -> SegmentationResult:
    """Plan segments over ``stretches`` of speech (in order, not overlapping, within ``begin``..``total_seconds``).

    Every stretch ends up whole in one segment, cut over several flagged ones, or in ``left_out``. With ``words``
    (fitted to the stretches) pauses inside words are no pauses, those at the ends of sentences are preferred, and
    speech without a pause is cut between two words; without, at its ``quietest`` point.
    """
    ground = _Ground(begin, total_seconds, settings, quietest, words or WordTimes())
    units = [unit for stretch in _merge(stretches, ground) for unit in _cut_long(stretch, stretches, ground)]
    spans: list[SegmentSpan] = []
    left_out: list[tuple[float, float, str]] = []
    for first, last in _group(units, ground):
        start, end = _padded(units, first, last, ground)
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


def _merge(stretches: Sequence[Stretch], ground: _Ground) -> list[Stretch]:
    """Join what is too close for padding on both sides of a cut, and what a word holds together."""
    merged: list[Stretch] = []
    for start, end in stretches:
        if merged and (
            start - merged[-1][1] < 2 * ground.settings.pad_min or ground.words.divides(merged[-1][1], start)
        ):
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def _cut_long(stretch: Stretch, stretches: Sequence[Stretch], ground: _Ground) -> list[_Unit]:
    """Cut a stretch that is too long for one segment, at the best place that leaves both parts long enough."""
    settings = ground.settings
    room = settings.max_seconds - 2 * settings.pad_max - 2 * _MILLISECOND
    start, end = stretch
    pauses = [
        (before[1], after[0])
        for before, after in pairwise(stretches)
        if before[1] >= start and after[0] <= end and not ground.words.divides(before[1], after[0])
    ]
    units: list[_Unit] = []
    forced = False
    while end - start > room:
        earliest = start + max(settings.min_seconds, room / 2)
        latest = min(start + room, end - settings.min_seconds)
        cut = _best_cut(earliest, latest, pauses, ground)
        units.append(_Unit(start, cut, cut_before=forced, cut_after=True))
        start, forced = cut, True
    units.append(_Unit(start, end, cut_before=forced))
    return units


def _best_cut(earliest: float, latest: float, pauses: Sequence[Stretch], ground: _Ground) -> float:
    """Where to cut speech without a usable pause: in its best short pause, else between two words, else where it is
    quietest. Of several, after a sentence or clause; then the widest, then the latest."""
    inside = [(a, b) for a, b in pauses if a >= earliest and b <= latest]
    if inside:
        a, b = max(inside, key=lambda p: (_MARK_RANK[ground.words.mark_at(*p)], round(p[1] - p[0], 6), p[0]))
        return (a + b) / 2
    gaps = ground.words.gaps(earliest + TOLERANCE, latest - TOLERANCE)
    if gaps:
        gap = max(gaps, key=lambda g: (_MARK_RANK[g.mark], round(g.end - g.start, 2), g.start))
        # The words' times may be a little wrong; what is between them is quieter than what they are.
        earliest, latest = gap.start - TOLERANCE, gap.end + TOLERANCE
    return min(max(ground.quietest(earliest, latest), earliest), latest)


def _group(units: Sequence[_Unit], ground: _Ground) -> list[tuple[int, int]]:
    """The cheapest way to group neighbouring units, as (first, last) indices: dynamic programming from the left."""
    ends = [_end_cost(units, last, ground) for last in range(len(units))]
    best = [0.0] + [math.inf] * len(units)
    origin = [0] * (len(units) + 1)
    for last in range(len(units)):
        for first in range(last, -1, -1):
            cost = _cost(units, first, last, ground)
            if cost is None:
                break
            if best[first] + cost + ends[last] < best[last + 1]:
                best[last + 1], origin[last + 1] = best[first] + cost + ends[last], first
    groups: list[tuple[int, int]] = []
    position = len(units)
    while position:
        groups.append((origin[position], position - 1))
        position = origin[position]
    return groups[::-1]


def _cost(units: Sequence[_Unit], first: int, last: int, ground: _Ground) -> float | None:
    """What a segment of these units costs, its end apart; None where it, and any longer one from the same end, is not
    allowed."""
    settings = ground.settings
    start, end = _padded(units, first, last, ground)
    seconds = end - start
    if first < last:
        if seconds > settings.max_seconds - 2 * _MILLISECOND:
            return None
        # Two halves of a forced cut were parted because they are too long together, and a long silence is no speech.
        if units[first].cut_after or units[first + 1].start - units[first].end > settings.longest_pause:
            return None
    pauses = [units[i + 1].start - units[i].end for i in range(first, last)]
    cost = 0.3 + 1.5 * sum((pause / settings.longest_pause) ** 2 for pause in pauses)
    aim = _aim(units[first].start, settings)
    cost += 0.8 * ((seconds - aim) / (settings.aim_to - settings.aim_from)) ** 2
    if seconds < settings.min_seconds:
        cost += 4.0 if seconds >= settings.shortest else 12.0
    return cost


def _aim(start: float, settings: SegmentSettings) -> float:
    """The length that a segment beginning at ``start`` aims at: multiples of the golden ratio fall evenly between 0
    and 1, and the same start always has the same aim, so that a second plan does not differ by chance."""
    share = (round(start * 100) * _GOLDEN) % 1.0
    return settings.aim_from + share * (settings.aim_to - settings.aim_from)


def _end_cost(units: Sequence[_Unit], last: int, ground: _Ground) -> float:
    """What it costs to end a segment after this unit."""
    if last + 1 == len(units) or units[last].cut_after:
        return 0.0
    pause = (units[last].end, units[last + 1].start)
    # A pause of half a second or more is a good place to end.
    return max(0.0, 0.5 - (pause[1] - pause[0])) + _MARK_COST[ground.words.mark_at(*pause)]


def _padded(units: Sequence[_Unit], first: int, last: int, ground: _Ground) -> tuple[float, float]:
    """Start and end with padding: up to ``pad_max``, at most half of the pause, none at a forced cut."""
    before = units[first].start - (units[first - 1].end if first else ground.begin)
    after = (units[last + 1].start if last + 1 < len(units) else ground.end) - units[last].end
    # At the recording's own ends the whole margin is free; a pause is shared by two segments.
    pad = ground.settings.pad_max
    lead = 0.0 if units[first].cut_before else min(pad, before / 2 if first else before)
    tail = 0.0 if units[last].cut_after else min(pad, after / 2 if last + 1 < len(units) else after)
    return units[first].start - max(lead, 0.0), units[last].end + max(tail, 0.0)


def _ms(seconds: float) -> float:
    return round(seconds, 3)
