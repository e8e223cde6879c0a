"""Which clips are trained on and which are held out, so that the model is judged by speech that it never heard."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from datasets.pipeline.manifest import Item

CLEAR_PAUSE = 0.5
"""Seconds between two blocks above which a longer pause is no better: with the clips' padding it is a full stop."""


def split_by_source(items: Sequence[Item], validation_share: float = 0.1, seed: int = 0) -> list[Item]:
    """The same items in the same order, each with its ``split``.

    The answer depends on the items alone, whatever order they come in. With several recordings whole recordings go to
    validation, drawn by ``seed`` until the share of seconds is met as closely as it can be; none is ever on both
    sides. One recording is parted into two blocks of time, the later one for validation, see :func:`_last_block`. Two
    clips or more always leave at least one on either side; a single clip trains.
    """
    if not 0 <= validation_share < 1:
        raise ValueError(f"validation_share lies within 0..1 (1 excluded), got {validation_share}.")
    if len(items) < 2:
        return [replace(item, split="train") for item in items]
    sources = sorted({item.source for item in items})
    chosen = _last_block(items, validation_share) if len(sources) == 1 else _some_sources(items, validation_share, seed)
    return [replace(item, split="validation" if index in chosen else "train") for index, item in enumerate(items)]


def _last_block(items: Sequence[Item], share: float) -> set[int]:
    """The last clips of a recording, from the clearest pause on that leaves about the share that was asked for.

    Speech right beside a held-out clip is its other half: the same sentence, breath and level. So of all cuts that
    leave between half and one and a half of the share, the one with the longest silence before it is taken (a pause of
    ``CLEAR_PAUSE`` counts as good as any), and of equals the one nearest to the share. Where no cut comes so close,
    the nearest one is.
    """
    order = sorted(range(len(items)), key=lambda index: (items[index].start, items[index].end, items[index].text))
    ordered = [items[index] for index in order]
    lengths = [item.end - item.start for item in ordered]
    total = math.fsum(lengths)
    wanted = share * total
    before = list(accumulate(lengths))
    ends = list(accumulate((item.end for item in ordered), max))
    cuts = range(1, len(ordered))

    def miss(cut: int) -> float:
        return abs(total - before[cut - 1] - wanted)

    def pause(cut: int) -> float:
        # Rounded, since clips' times are whole milliseconds and their differences are not.
        return round(min(ordered[cut].start - ends[cut - 1], CLEAR_PAUSE), 3)

    # The same sound on both sides is worse than any share.
    apart = [cut for cut in cuts if pause(cut) >= 0] or list(cuts)
    near = [cut for cut in apart if miss(cut) <= wanted / 2] or [min(apart, key=miss)]
    best = max(near, key=lambda cut: (pause(cut), -miss(cut)))
    return set(order[best:])


def _some_sources(items: Sequence[Item], share: float, seed: int) -> set[int]:
    lengths: dict[str, list[float]] = {}
    for item in items:
        lengths.setdefault(item.source, []).append(item.end - item.start)
    # An exact sum, since one that depends on the order of rows could tip the balance.
    seconds = {source: math.fsum(parts) for source, parts in lengths.items()}
    wanted = share * math.fsum(seconds.values())
    order = sorted(seconds)
    random.Random(seed).shuffle(order)  # noqa: S311 - a draw that must repeat, not a secret
    chosen: list[str] = []
    held = 0.0
    for source in order:
        if len(chosen) + 1 < len(order) and abs(held + seconds[source] - wanted) < abs(held - wanted):
            chosen.append(source)
            held += seconds[source]
    if not chosen:
        chosen = [min(order, key=lambda source: (seconds[source], source))]
    return {index for index, item in enumerate(items) if item.source in chosen}
