"""What keeps a transcript out of a dataset."""

from __future__ import annotations

import pytest

from datasets.pipeline.text import check_text


@pytest.mark.parametrize(("text", "words"), [("", "empty"), (" \n", "empty"), ("“”", "empty"), ("...?", "no letters")])
def test_a_text_that_says_nothing_is_a_problem(text: str, words: str) -> None:
    (problem,) = check_text(text, "en")

    assert words in problem


def test_a_text_is_measured_as_it_is_spoken() -> None:
    assert check_text("a" * 250, "en") == []
    assert check_text("a" * 251, "en") == ["Spoken out, the text has 251 characters, and the limit for English is 250."]
    assert check_text("777777 " * 5, "en") != []


def test_good_text_has_no_problems() -> None:
    assert check_text("It costs $5, doesn't it?", "en") == []
