"""Which transcripts are listened to again, and which of two is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from datasets.pipeline.doubt import better, doubts
from datasets.pipeline.transcript import Transcript

GOOD = Transcript("He went home.", "en", 1.0, (), -0.3, 0.01, 1.1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ()),
        ({"text": ""}, ("nothing_heard",)),
        ({"avg_logprob": -1.0}, ()),
        ({"avg_logprob": -1.01}, ("unsure",)),
        ({"compression_ratio": 2.4}, ()),
        ({"compression_ratio": 2.41}, ("repetitive",)),
        ({"no_speech_prob": 0.99}, ()),
        ({"no_speech_prob": 0.61, "avg_logprob": -1.2}, ("unsure", "silent")),
    ],
)
def test_the_thresholds_are_whispers(changes: dict, expected: tuple) -> None:
    assert doubts(replace(GOOD, **changes)) == expected


def test_the_better_of_two_is_kept_whichever_comes_first() -> None:
    unsure, sure = replace(GOOD, avg_logprob=-1.4), replace(GOOD, avg_logprob=-0.9)
    loop = replace(GOOD, avg_logprob=-0.05, compression_ratio=4.0)
    silent = replace(unsure, no_speech_prob=0.9)
    empty = replace(GOOD, text="", avg_logprob=0.0)
    for best, worse in ((sure, unsure), (unsure, loop), (unsure, silent), (silent, empty), (loop, empty), (GOOD, sure)):
        assert better(best, worse) is best
        assert better(worse, best) is best
    same = replace(GOOD)
    assert better(GOOD, same) is same
