"""Two frozen versions side by side: what came, what went, and what is said otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

Row = Mapping[str, Any]
Kind = Literal["added", "removed", "reworded", "moved", "recut"]
KINDS: tuple[Kind, ...] = ("added", "removed", "reworded", "moved", "recut")


@dataclass(frozen=True)
class Change:
    """One clip that is not the same in both. ``before`` is None for an added one, ``after`` for a removed one.

    ``kinds``: ``added`` or ``removed`` alone; else any of ``reworded`` (another text), ``moved`` (to the other side of
    the split) and ``recut`` (the same segment with other sound).
    """

    kinds: tuple[Kind, ...]
    before: Row | None
    after: Row | None

    @property
    def row(self) -> Row:
        """The newer one of the two."""
        row = self.after or self.before
        assert row is not None
        return row


@dataclass(frozen=True)
class Comparison:
    """``changes`` in the order of the newer manifest, removed clips last in the order of the older one."""

    changes: tuple[Change, ...]
    unchanged: int

    def counts(self) -> dict[Kind, int]:
        """Of each kind; a clip that was both re-worded and moved counts for both."""
        return {kind: sum(1 for change in self.changes if kind in change.kinds) for kind in KINDS}

    def of_kind(self, kind: str) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if kind in change.kinds) if kind else self.changes


@dataclass(frozen=True)
class Words:
    """A run of words that is the same in both texts, or stands in one of them only."""

    sort: Literal["same", "gone", "new"]
    text: str


def compare(before: Sequence[Row], after: Sequence[Row]) -> Comparison:
    """Pair the clips of two manifests and say what differs.

    Clips are paired by their sound first, so that a recording that was cut and reviewed anew is not taken for another
    one; what is left is paired by its id. A manifest that was written before it told sounds is paired by id alone.
    """
    partner = _pairs(before, after)
    paired: set[int] = set()
    changes: list[Change] = []
    unchanged = 0
    for place, row in enumerate(after):
        old_place = partner.get(place)
        if old_place is None:
            changes.append(Change(("added",), None, row))
            continue
        paired.add(old_place)
        old = before[old_place]
        kinds = _differences(old, row)
        if kinds:
            changes.append(Change(kinds, old, row))
        else:
            unchanged += 1
    changes += [Change(("removed",), row, None) for place, row in enumerate(before) if place not in paired]
    return Comparison(tuple(changes), unchanged)


def _pairs(before: Sequence[Row], after: Sequence[Row]) -> dict[int, int]:
    """Places in ``after`` with their places in ``before``."""
    waiting: dict[tuple[str, Any], list[int]] = {}
    for place, row in enumerate(before):
        if row.get("sound"):
            waiting.setdefault(("sound", row["sound"]), []).append(place)
        waiting.setdefault(("id", row["id"]), []).append(place)
    taken: set[int] = set()
    partner: dict[int, int] = {}
    # The same sound may stand in a version twice: then the id decides, and only then the order.
    for keys in (("sound", "id"), ("sound",), ("id",)):
        for place, row in enumerate(after):
            if place in partner:
                continue
            candidates = [
                old
                for old in waiting.get((keys[0], row.get(keys[0])), ())
                if old not in taken and all(before[old].get(key) == row.get(key) for key in keys)
            ]
            if candidates:
                partner[place] = candidates[0]
                taken.add(candidates[0])
    return partner


def _differences(old: Row, new: Row) -> tuple[Kind, ...]:
    kinds: list[Kind] = []
    if old["text"] != new["text"] or written(old) != written(new):
        kinds.append("reworded")
    if old["split"] != new["split"]:
        kinds.append("moved")
    if old.get("sound") and new.get("sound") and old["sound"] != new["sound"]:
        kinds.append("recut")
    return tuple(kinds)


def written(row: Row) -> str:
    """A clip's text as people wrote it; manifests of the first days hold the spoken form alone."""
    return str(row.get("raw") or row["text"])


def word_changes(before: str, after: str) -> list[Words]:
    """The two texts as runs of words, by the longest common runs (Ratcliff and Obershelp, as in ``difflib``).

    What is not ``new`` spells ``before`` and what is not ``gone`` spells ``after``, white space included.
    """
    old, new = _split_words(before), _split_words(after)
    runs: list[Words] = []
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for sort, first, last, start, end in matcher.get_opcodes():
        if sort == "equal":
            runs.append(Words("same", "".join(old[first:last])))
            continue
        if last > first:
            runs.append(Words("gone", "".join(old[first:last])))
        if end > start:
            runs.append(Words("new", "".join(new[start:end])))
    return runs


def _split_words(text: str) -> list[str]:
    """Signs are words of their own, so that a comma more does not make its word another one; so is every character of
    scripts that put no spaces between words."""
    return re.findall(r"[぀-ヿ㐀-鿿]|[\w'’̀-ͯऀ-ॿ]+|[^\w\s]|\s+", text)
