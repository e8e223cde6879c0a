"""What counts as an error of a transcript, and what does not."""

from __future__ import annotations

import pytest

from xttsproject.lib.error_rates import character_error_rate, plain


def test_case_punctuation_and_spaces_do_not_count() -> None:
    assert plain("Well — don't,  they? Às 3ª!") == "well don't they às 3ª"
    assert character_error_rate([("Come here.", "come  here"), ("Go!", "no")]) == pytest.approx(1 / 11)


def test_the_rate_is_that_of_all_characters_together() -> None:
    assert character_error_rate([("kitten", "sitting"), ("abcd", "")]) == pytest.approx(7 / 10)


def test_where_nothing_was_said_any_writing_is_wrong() -> None:
    assert character_error_rate([("", "babble")]) == 1
    assert character_error_rate([("…", "")]) == 0
    assert character_error_rate([]) == 0
