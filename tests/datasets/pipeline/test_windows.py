"""Clips into windows, and words back to their clips: promises that hold for any input."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.pipeline.windows import plan_windows, share_out


@given(st.lists(st.integers(1, 120), max_size=30), st.booleans())
def test_every_clip_has_one_place_in_order_and_no_window_is_overfull(lengths: list[int], shared: bool) -> None:
    windows = plan_windows(lengths, 100, 5, shared=shared)
    places = [place for window in windows for place in window]
    assert [place.clip for place in places] == list(range(len(lengths)))
    assert [place.end - place.start for place in places] == lengths
    for window in windows:
        assert window[0].start == 0
        assert window[-1].end <= 100 or len(window) == 1
        assert all(after.start - before.end == 5 for before, after in pairwise(window))
        assert shared or len(window) == 1


def test_neighbours_share_a_window_as_long_as_there_is_room() -> None:
    windows = plan_windows([40, 30, 20, 60, 99], 100, 5, shared=True)
    assert [[place.clip for place in window] for window in windows] == [[0, 1, 2], [3], [4]]


@pytest.mark.parametrize(
    ("words", "owners", "crossed"),
    [
        ([(0.2, 0.6), (0.6, 1.8), (2.5, 2.9)], [0, 0, 1], set()),
        # The second clip's first word begins too early, in the silence and a little of the clip before: still its own.
        ([(0.2, 1.7), (1.7, 2.9)], [0, 1], set()),
        # A word over both: who said it cannot be known.
        ([(0.2, 0.9), (1.4, 2.8)], [0, 0], {0, 1}),
        # In nobody's sound: the nearer one's.
        ([(2.05, 2.06), (2.25, 2.28)], [0, 1], set()),
        # Back in time: order is kept, and both are named.
        ([(2.4, 2.9), (0.5, 0.9)], [1, 1], {0, 1}),
        ([], [], set()),
    ],
)
def test_a_word_goes_to_the_clip_that_it_lies_in(words: list, owners: list[int], crossed: set[int]) -> None:
    assert share_out(words, [(0.0, 2.0), (2.3, 5.0)]) == (owners, frozenset(crossed))
