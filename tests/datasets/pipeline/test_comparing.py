"""Two manifests side by side."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.choices import ChangeKind
from datasets.pipeline.comparing import KINDS, compare, word_changes


def row(number: int, **changes: Any) -> dict[str, Any]:
    made = {"id": f"segment-{number}", "text": f"Sentence {number}.", "raw": f"Sentence {number}.", "split": "train"}
    return made | {"sound": f"sound-{number}"} | changes


def kinds(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    return {str(change.row["id"]): change.kinds for change in compare(before, after).changes}


def test_the_form_offers_the_kinds_that_there_are() -> None:
    assert tuple(ChangeKind.values) == KINDS


def test_added_removed_reworded_moved_and_recut_are_told_apart() -> None:
    before = [row(number) for number in range(1, 7)]
    after = [
        row(1),
        row(2, raw="Sentence two.", text="Sentence two."),
        row(3, split="validation"),
        row(4, sound="other"),
        row(5, raw="Other.", text="Other.", split="validation"),
        row(7),
    ]
    assert kinds(before, after) == {
        "segment-2": ("reworded",),
        "segment-3": ("moved",),
        "segment-4": ("recut",),
        "segment-5": ("reworded", "moved"),
        "segment-7": ("added",),
        "segment-6": ("removed",),
    }
    comparison = compare(before, after)
    assert comparison.unchanged == 1
    assert comparison.counts() == {"added": 1, "removed": 1, "reworded": 2, "moved": 2, "recut": 1}
    assert [change.row["id"] for change in comparison.of_kind("moved")] == ["segment-3", "segment-5"]
    assert comparison.of_kind("") == comparison.changes


def test_a_recording_cut_anew_keeps_the_clips_that_sound_the_same() -> None:
    before = [row(1), row(2), row(3)]
    after = [row(1, id="segment-11"), row(2, id="segment-12", raw="Better.", text="Better."), row(13)]
    assert kinds(before, after) == {"segment-12": ("reworded",), "segment-13": ("added",), "segment-3": ("removed",)}


def test_the_same_sound_twice_is_paired_by_its_id() -> None:
    before = [row(1, sound="x"), row(2, sound="x")]
    after = [row(2, sound="x"), row(1, sound="x")]
    assert compare(before, after).unchanged == 2
    assert kinds(before, after[:1]) == {"segment-1": ("removed",)}


def test_another_spoken_form_is_a_rewording_even_if_it_is_written_alike() -> None:
    assert kinds([row(1, raw="At 5.", text="At five.")], [row(1, raw="At 5.", text="At five o'clock.")]) == {
        "segment-1": ("reworded",)
    }


def test_manifests_without_sounds_are_paired_by_id() -> None:
    old = {"id": "segment-1", "text": "One.", "split": "train"}
    assert kinds([old], [row(1, raw="One.", text="One.")]) == {}
    assert kinds([old], [row(1)]) == {"segment-1": ("reworded",)}


rows = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3), st.booleans()), max_size=14, unique_by=lambda r: r[0])


@given(rows, rows)
def test_nothing_is_lost_and_backwards_is_the_reverse(one: Any, two: Any) -> None:
    before, after = ([row(n, text=f"t{t}", raw=f"t{t}", split="ab"[s]) for n, t, s in side] for side in (one, two))
    forth, back = compare(before, after), compare(after, before)
    assert forth.unchanged == back.unchanged
    counts, reverse = forth.counts(), back.counts()
    assert (counts["added"], counts["removed"]) == (reverse["removed"], reverse["added"])
    assert (counts["reworded"], counts["moved"]) == (reverse["reworded"], reverse["moved"])
    paired = len(forth.changes) - counts["added"] - counts["removed"] + forth.unchanged
    assert (paired + counts["removed"], paired + counts["added"]) == (len(before), len(after))
    assert compare(before, before).changes == ()


def test_ten_thousand_clips_are_compared_in_a_moment() -> None:
    before = [row(number) for number in range(10_000)]
    after = [row(number, text=f"S {number % 7}") for number in range(500, 10_500)]
    random.Random(1).shuffle(after)
    started = time.perf_counter()
    comparison = compare(before, after)
    assert time.perf_counter() - started < 2
    assert comparison.counts() == {"added": 500, "removed": 500, "reworded": 9500, "moved": 0, "recut": 0}


@pytest.mark.parametrize(
    ("before", "after", "marked"),
    [
        ("The old man.", "The young man.", "The [-old][+young] man."),
        ("Yes, he said.", "Yes he said.", "Yes[-,] he said."),
        ("Come here", "Come here now!", "Come here[+ now!]"),
        ("", "New.", "[+New.]"),
        ("Same.", "Same.", "Same."),
        ("今天很好。", "今天不好。", "今天[-很][+不]好。"),
        ("नमस्ते दुनिया", "नमस्ते भारत", "नमस्ते [-दुनिया][+भारत]"),
        ("the dog's bone", "the dogs bone", "the [-dog's][+dogs] bone"),
    ],
)
def test_texts_are_compared_word_by_word(before: str, after: str, marked: str) -> None:
    signs = {"gone": "[-{}]", "new": "[+{}]", "same": "{}"}
    assert "".join(signs[run.sort].format(run.text) for run in word_changes(before, after)) == marked


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_runs_spell_both_texts(before: str, after: str) -> None:
    runs = word_changes(before, after)
    assert "".join(run.text for run in runs if run.sort != "new") == before
    assert "".join(run.text for run in runs if run.sort != "gone") == after
