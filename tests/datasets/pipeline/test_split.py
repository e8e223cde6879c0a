"""Which clips are held out: whole recordings, or one block of time of the only one."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.pipeline.manifest import Item
from datasets.pipeline.split import CLEAR_PAUSE, split_by_source


def item(number: int, /, **changes) -> Item:
    made = Item(
        id=f"clip-{number}",
        source="source-1",
        master=Path("m.wav"),
        start=number * 2.0,
        end=number * 2.0 + 2.0,
        text=f"Sentence number {number}.",
        language="en",
        speaker="Anna",
    )
    return replace(made, **changes)


def held_out(items: list[Item], share: float, seed: int = 0) -> list[Item]:
    return [one for one in split_by_source(items, share, seed) if one.split == "validation"]


sources = st.lists(st.tuples(st.sampled_from("abcde"), st.floats(0, 1000), st.floats(1, 11)), max_size=60)


@given(sources, st.floats(0, 0.9), st.integers(0, 5))
def test_a_split_parts_recordings_and_leaves_something_on_both_sides(
    drawn: list[tuple[str, float, float]], share: float, seed: int
) -> None:
    items = [
        Item(str(n), source, Path("m.wav"), start, start + length, "text", "en", "Anna")
        for n, (source, start, length) in enumerate(drawn)
    ]
    result = split_by_source(items, share, seed)

    assert [replace(one, split="train") for one in result] == items, "nothing but the split changes"
    assert result == split_by_source(items, share, seed)
    train = [one for one in result if one.split == "train"]
    kept = [one for one in result if one.split == "validation"]
    if len(items) < 2:
        assert not kept
        return
    assert train
    assert kept
    if len({one.source for one in items}) > 1:
        assert not {one.source for one in train} & {one.source for one in kept}
    else:
        assert max(one.start for one in train) <= min(one.start for one in kept)


@given(sources, st.floats(0.01, 0.5), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(
    drawn: list[tuple[str, float, float]], share: float, shuffler: random.Random
) -> None:
    items = [item(n, source=source, start=start, end=start + length) for n, (source, start, length) in enumerate(drawn)]
    mixed = items.copy()
    shuffler.shuffle(mixed)
    assert {one.id for one in held_out(items, share)} == {one.id for one in held_out(mixed, share)}


def test_the_split_comes_close_to_the_share_that_was_asked_for() -> None:
    items = [item(n, source=f"source-{n // 5}") for n in range(100)]
    chosen = held_out(items, 0.1, seed=1)

    assert len(chosen) == 10
    assert {one.source for one in held_out(items, 0.1, seed=2)} != {one.source for one in chosen}


@pytest.mark.parametrize(("clips", "held"), [(1, 0), (2, 1), (3, 1), (4, 1), (5, 1)])
@pytest.mark.parametrize("recordings", [1, 2])
def test_a_handful_of_clips_keeps_most_for_training(clips: int, held: int, recordings: int) -> None:
    items = [item(n, source="a" if n < max(clips - 1, 1) or recordings == 1 else "b") for n in range(clips)]
    chosen = held_out(items, 0.1)
    assert len(chosen) == held
    if recordings == 1 or clips > 2:
        assert [one.id for one in chosen] == [f"clip-{n}" for n in range(clips)][clips - held :]


def test_one_recording_is_parted_at_a_pause_and_not_within_a_sentence() -> None:
    """Ninety seconds of sentences of three clips each that touch; one second of silence between two sentences."""
    items, at = [], 0.0
    for number in range(30):
        items.append(item(number, start=at, end=at + 3.0))
        at += 3.0 if number % 3 != 2 else 4.0
    chosen = held_out(items, 0.1)
    before = items[len(items) - len(chosen) - 1]
    assert chosen[0].start - before.end == pytest.approx(1.0)
    assert len(chosen) == 3


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(1, 11)), min_size=2, max_size=40), st.floats(0.05, 0.5))
def test_two_blocks_share_no_sound_and_lie_as_far_apart_as_can_be(
    drawn: list[tuple[float, float]], share: float
) -> None:
    items, at = [], 0.0
    for number, (pause, length) in enumerate(drawn):
        start = round(at + pause, 3)
        items.append(item(number, start=start, end=round(start + length, 3)))
        at = items[-1].end
    chosen = held_out(items, share)
    cut = len(items) - len(chosen)
    assert items[cut - 1].end <= items[cut].start
    wanted = share * sum(one.end - one.start for one in items)

    def seconds(first: int) -> float:
        return sum(one.end - one.start for one in items[first:])

    near = [n for n in range(1, len(items)) if abs(seconds(n) - wanted) < wanted / 2 - 1e-6]
    pauses = [min(items[n].start - items[n - 1].end, CLEAR_PAUSE) for n in near]
    if near:
        assert items[cut].start - items[cut - 1].end >= max(pauses) - 0.0011
        assert wanted * 0.5 - 1e-6 <= seconds(cut) <= wanted * 1.5 + 1e-6


def test_overlapping_clips_are_not_parted() -> None:
    items = [item(n, start=2.0 * n, end=2.0 * n + 2.5 if n in (7, 8) else 2.0 * n + 2.0) for n in range(10)]
    chosen = held_out(items, 0.2)
    cut = 10 - len(chosen)
    assert max(one.end for one in items[:cut]) <= chosen[0].start


def test_a_share_beyond_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="1.5"):
        split_by_source([], 1.5)
