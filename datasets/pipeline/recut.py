"""A second look at the cuts, once it is known which words were said when.

A recording is first cut by its pauses alone. Afterwards the machine has listened, and this plans it anew around what
must stay: segments that a person has touched, and those whose words are not to be relied upon. A segment that comes out
as it was is left alone; a part of one keeps its words; only what is made of several is to be listened to again.
Times of words come from Whisper (see ``spoken_words``); what is silence is said by the speech detector.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from datasets.pipeline.planning import (
    FORCED_CUT,
    QuietestPoint,
    SegmentSettings,
    SegmentSpan,
    Stretch,
    plan_segments,
)
from datasets.pipeline.spoken_words import TOLERANCE, Mark, SpokenWord, WordTimes, fit_words, mark_of, with_unheard

SAME_SECONDS = 0.0005
"""Ends that differ by less are the same: times are rounded to milliseconds."""
CLOSE_SECONDS = 0.02
"""Ends of neighbours that are closer touch each other."""
WORDS_IN_SPEECH = 0.7
"""The least share of a segment's words that touch detected speech."""


@dataclass(frozen=True)
class HeardWord:
    """Seconds from the start of its segment, without surrounding space."""

    text: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True)
class Heard:
    """A segment as it is; ``key`` is the caller's. ``fixed``: it must stay as it is, and its words are not used.
    ``forced``: an end of it may cut a word in two."""

    key: int
    start: float
    end: float
    text: str
    words: tuple[HeardWord, ...]
    fixed: bool = False
    forced: bool = False


@dataclass(frozen=True)
class Part:
    """``text`` and ``words`` (seconds from the part's start) of the segment ``key``, heard there already."""

    key: int
    text: str
    words: tuple[HeardWord, ...]


@dataclass(frozen=True)
class Piece:
    """A segment of the new plan. ``part`` is None where it has to be listened to."""

    span: SegmentSpan
    part: Part | None


@dataclass(frozen=True)
class Recut:
    """``kept``: keys of segments that stay as they are; all others give way to ``pieces`` (in order of time).
    ``left_out``: stretches of speech that no segment takes, as (start, end, reason)."""

    kept: frozenset[int]
    pieces: tuple[Piece, ...]
    left_out: tuple[tuple[float, float, str], ...]


def recut(
    heard: Sequence[Heard],
    speech: Sequence[Stretch],
    total_seconds: float,
    settings: SegmentSettings,
    quietest: QuietestPoint,
) -> Recut:
    """Plan a recording of ``total_seconds`` anew.

    ``heard`` is in order and does not overlap; ``speech`` is what was detected, before any words were known.
    """
    heard = [segment if _fits(segment, speech) else replace(segment, fixed=True) for segment in heard]
    free = [segment for segment in heard if not segment.fixed]
    words = fit_words(_on_the_clock(free, speech), speech)
    times = WordTimes(words)
    spoken = with_unheard(words, speech)
    kept = {segment.key for segment in heard if segment.fixed}
    pieces: list[Piece] = []
    left_out: list[tuple[float, float, str]] = []
    for begin, end in _between([segment for segment in heard if segment.fixed], total_seconds):
        plan = plan_segments(_within(spoken, begin, end), end, settings, quietest, times, begin)
        left_out += plan.left_out
        for span in (_with_cut_ends(span, begin, end, spoken) for span in plan.spans):
            same = next((segment for segment in free if _same(segment, span)), None)
            if same is not None:
                kept.add(same.key)
            else:
                pieces.append(Piece(span, _part(span, free, spoken)))
    return Recut(frozenset(kept), tuple(pieces), tuple(left_out))


def _fits(segment: Heard, speech: Sequence[Stretch]) -> bool:
    """Whether most of a segment's words were said while somebody spoke: otherwise their times are worth nothing."""
    words = [(segment.start + word.start, segment.start + word.end) for word in segment.words]
    near = [(a, b) for a, b in speech if a < segment.end and b > segment.start]
    spoken = sum(any(start <= b and end >= a for a, b in near) for start, end in words)
    return bool(words) and spoken >= WORDS_IN_SPEECH * len(words)


def _on_the_clock(segments: Sequence[Heard], speech: Sequence[Stretch]) -> list[SpokenWord]:
    """All words on the recording's clock. Two that meet at a forced cut may be halves of one word: they are joined,
    unless the detector heard a pause there."""
    words: list[SpokenWord] = []
    for number, segment in enumerate(segments):
        following = segments[number + 1] if number + 1 < len(segments) else None
        texts = [word.text for word in segment.words]
        beyond = following.words[0].text if following is not None and following.words else None
        own = [
            SpokenWord(
                word.text,
                segment.start + word.start,
                segment.start + word.end,
                word.probability,
                mark_of(word.text, after),
            )
            for word, after in zip(segment.words, [*texts[1:], beyond], strict=True)
        ]
        if own and own[-1].mark is Mark.SENTENCE:
            # Models close a clip with a full stop, and open the next with a capital, whatever was said.
            own[-1] = replace(own[-1], mark=Mark.PERHAPS)
        if own and following is not None and segment.forced and following.start - segment.end < CLOSE_SECONDS:
            cut = segment.end
            in_pause = any(before[1] <= cut <= after[0] for before, after in pairwise(speech))
            own[-1] = replace(own[-1], joined=not in_pause and own[-1].end > cut - 2 * TOLERANCE)
        words += own
    return words


def _between(fixed: Sequence[Heard], total: float) -> list[Stretch]:
    """What lies between the fixed segments."""
    edges = [0.0, *(edge for segment in fixed for edge in (segment.start, segment.end)), total]
    return [(begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True) if end - begin > CLOSE_SECONDS]


def _with_cut_ends(span: SegmentSpan, begin: float, end: float, speech: Sequence[Stretch]) -> SegmentSpan:
    """Flagged too where its speech goes on in the fixed segment beside it."""
    cuts = [cut for cut, own in ((begin, span.start), (end, span.end)) if abs(own - cut) < CLOSE_SECONDS]
    touched = any(a < cut - TOLERANCE and b > cut + TOLERANCE for cut in cuts for a, b in speech)
    return replace(span, flags=(*span.flags, FORCED_CUT)) if touched and FORCED_CUT not in span.flags else span


def _within(speech: Sequence[Stretch], begin: float, end: float) -> list[Stretch]:
    """``speech`` between two times; of a stretch that goes on in a fixed segment, the rest if it is worth a word."""
    found = []
    for a, b in speech:
        start, stop = max(a, begin), min(b, end)
        if stop - start > (TOLERANCE if (start, stop) != (a, b) else 0.0):
            found.append((start, stop))
    return found


def _same(segment: Heard, span: SegmentSpan) -> bool:
    return (
        abs(segment.start - span.start) < SAME_SECONDS
        and abs(segment.end - span.end) < SAME_SECONDS
        and segment.forced == (FORCED_CUT in span.flags)
    )


def _part(span: SegmentSpan, segments: Sequence[Heard], speech: Sequence[Stretch]) -> Part | None:
    """What was heard in the span already: where all its speech is of one segment, and that was whole."""
    place = bisect_right([segment.start for segment in segments], (span.start + span.end) / 2) - 1
    if place < 0:
        return None
    segment = segments[place]
    if segment.forced or FORCED_CUT in span.flags:
        return None
    said = [(max(a, span.start), min(b, span.end)) for a, b in speech if a < span.end and b > span.start]
    if any(a < segment.start - CLOSE_SECONDS or b > segment.end + CLOSE_SECONDS for a, b in said):
        return None
    middles = [segment.start + (word.start + word.end) / 2 for word in segment.words]
    inside = [number for number, middle in enumerate(middles) if span.start <= middle < span.end]
    places = _places(segment)
    if not inside or places is None:
        return None
    first, last = inside[0], inside[-1]
    stop = places[last + 1] if last + 1 < len(places) else len(segment.text)
    shift = segment.start - span.start
    words = tuple(_moved(word, shift, span.seconds) for word in segment.words[first : last + 1])
    return Part(segment.key, segment.text[places[first] : stop].strip(), words)


def _places(segment: Heard) -> list[int] | None:
    """Where each word begins in the text; None where the text is not that of the words."""
    places, position = [], 0
    for word in segment.words:
        found = segment.text.find(word.text, position)
        if found < 0 or segment.text[position:found].strip():
            return None
        places.append(found)
        position = found + len(word.text)
    return None if segment.text[position:].strip() else places


def _moved(word: HeardWord, shift: float, seconds: float) -> HeardWord:
    def within(time: float) -> float:
        return round(min(max(time + shift, 0.0), seconds), 3)

    return replace(word, start=within(word.start), end=within(word.end))
