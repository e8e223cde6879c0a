"""Several short clips in one window of the model: a pure plan, and where each clip's words went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GAP_SECONDS = 0.3
"""Silence between two clips of a window, on top of what each has at its ends."""


@dataclass(frozen=True)
class Place:
    """A clip (its position in the list) and where in its window it lies, in samples."""

    clip: int
    start: int
    end: int


Window = tuple[Place, ...]


def plan_windows(lengths: Sequence[int], room: int, gap: int, *, shared: bool) -> list[Window]:
    """Put clips of ``lengths`` samples, in their order, into windows of at most ``room`` samples with ``gap`` between.

    Neighbours stay neighbours, so that each is context to the other. A clip that is longer than a window has one to
    itself (and is cut off by it); without ``shared`` every clip has.
    """
    windows: list[Window] = []
    current: list[Place] = []
    for clip, length in enumerate(lengths):
        start = current[-1].end + gap if current else 0
        if current and (not shared or start + length > room):
            windows.append(tuple(current))
            current, start = [], 0
        current.append(Place(clip, start, start + length))
    if current:
        windows.append(tuple(current))
    return windows


Span = tuple[float, float]


def share_out(words: Sequence[Span], clips: Sequence[Span]) -> tuple[list[int], frozenset[int]]:
    """Which of ``clips`` each word belongs to, and the clips whose border some word may have crossed.

    Both in seconds of the window, in order. A word belongs to the clip that it overlaps the most (to the nearest one
    where it overlaps none), and never to an earlier one than the word before it. Where a second clip has more than
    half as much of it, both are named: what they say must be listened to apart.
    """
    owners: list[int] = []
    crossed: set[int] = set()
    latest = 0
    for start, end in words:
        overlaps = [min(end, b) - max(start, a) for a, b in clips]
        ranked = sorted(range(len(clips)), key=lambda clip: overlaps[clip], reverse=True)
        owner = ranked[0]
        if len(ranked) > 1 and overlaps[ranked[1]] > 0 and overlaps[ranked[1]] > overlaps[owner] / 2:
            crossed |= {owner, ranked[1]}
        if owner < latest:
            crossed |= {owner, latest}
            owner = latest
        latest = owner
        owners.append(owner)
    return owners, frozenset(crossed)
