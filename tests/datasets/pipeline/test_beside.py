"""Captions by time, beside segments."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.pipeline.beside import caption_between


def cue(start: float, end: float, text: str) -> SimpleNamespace:
    return SimpleNamespace(start=start, end=end, text=text)


CUES = [cue(0.0, 2.0, "He went home."), cue(2.0, 6.0, "aaaa bbbb cccc dddd"), cue(9.0, 10.0, "Late.")]


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (0.0, 2.0, "He went home."),
        (2.0, 4.0, "aaaa bbbb"),
        (4.0, 6.0, "cccc dddd"),
        (0.0, 20.0, "He went home. aaaa bbbb cccc dddd Late."),
        (6.0, 9.0, ""),
        (7.0, 7.1, ""),
    ],
)
def test_a_segment_gets_the_words_of_its_time(start: float, end: float, text: str) -> None:
    assert caption_between(CUES, start, end) == text


@given(st.lists(st.floats(0.0, 12.0), min_size=1, max_size=6))
def test_cuts_neither_lose_nor_repeat_a_word(cuts: list[float]) -> None:
    edges = [0.0, *sorted(cuts), 12.0]
    parts = [caption_between(CUES, start, end) for start, end in pairwise(edges)]
    assert " ".join(part for part in parts if part) == " ".join(cue.text for cue in CUES)
