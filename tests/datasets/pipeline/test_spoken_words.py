"""Words and silence reconciled: what a cut may go through, and what ends before a pause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.pipeline.spoken_words import Gap, Mark, SpokenWord, WordTimes, fit_words, mark_of, with_unheard


def word(start: float, end: float, text: str = "word", **facts) -> SpokenWord:
    return SpokenWord(text, start, end, **facts)


def times(words: list[SpokenWord]) -> list[tuple[float, float]]:
    return [(round(each.start, 3), round(each.end, 3)) for each in words]


@pytest.mark.parametrize(
    ("text", "following", "mark"),
    [
        ("done.", "Then", Mark.SENTENCE),
        ("really?”", "“Yes", Mark.SENTENCE),
        ("feito!", "E", Mark.SENTENCE),
        ("终。", "我", Mark.SENTENCE),
        ("end.", "1999", Mark.SENTENCE),
        ("end.", None, Mark.PERHAPS),
        ("Dr.", "Smith", Mark.NOTHING),
        ("J.", "Smith", Mark.NOTHING),
        ("wait...", "and", Mark.NOTHING),
        ("first,", "then", Mark.CLAUSE),
        ("said:", None, Mark.CLAUSE),
        ("and", "then", Mark.NOTHING),
        ("”", None, Mark.NOTHING),
    ],
)
def test_signs_tell_what_ends_with_a_word(text: str, following: str | None, mark: Mark) -> None:
    assert mark_of(text, following) is mark


def test_a_word_that_is_stretched_into_a_pause_ends_with_the_speech() -> None:
    speech = [(1.0, 2.0), (3.0, 4.0)]
    assert times(fit_words([word(1.5, 2.6), word(2.6, 3.4)], speech)) == [(1.5, 2.0), (3.0, 3.4)]


def test_a_word_with_a_long_pause_inside_keeps_its_longer_part() -> None:
    assert times(fit_words([word(1.9, 3.5)], [(1.0, 2.0), (2.6, 4.0)])) == [(2.6, 3.5)]


def test_a_word_may_have_the_closure_of_a_consonant_inside() -> None:
    assert times(fit_words([word(1.5, 2.8)], [(1.0, 2.0), (2.3, 4.0)])) == [(1.5, 2.8)]


def test_words_that_overlap_share_what_is_between_them_and_what_is_no_word_goes() -> None:
    speech = [(0.0, 20.0)]
    assert times(fit_words([word(1.0, 1.6), word(1.4, 2.0), word(3.0, 9.0)], speech)) == [(1.0, 1.5), (1.5, 2.0)]


def test_a_quiet_word_that_the_detector_missed_is_speech_if_the_model_is_sure() -> None:
    speech = [(1.0, 2.0)]
    assert with_unheard([word(2.5, 2.9, probability=0.9)], speech) == [(1.0, 2.0), (2.5, 2.9)]
    assert with_unheard([word(2.5, 2.9, probability=0.3)], speech) == speech
    assert with_unheard([word(1.5, 2.9, probability=0.9)], speech) == speech


def test_a_pause_inside_a_word_is_told_from_one_between_words() -> None:
    said = WordTimes([word(1.0, 2.0), word(2.3, 3.0, mark=Mark.SENTENCE), word(3.4, 4.0)])
    assert said.divides(1.4, 1.7)
    assert not said.divides(2.0, 2.3)
    assert not said.divides(0.2, 0.9)
    assert not said.divides(4.1, 5.0)
    # Within what a time may be wrong by.
    assert not said.divides(1.95, 2.25)
    assert said.mark_at(3.0, 3.4) is Mark.SENTENCE
    assert said.mark_at(2.0, 2.3) is Mark.NOTHING
    assert said.mark_at(0.0, 0.9) is None
    assert said.mark_at(9.0, 9.5) is None


def test_gaps_lie_between_neighbours_and_never_between_halves_of_a_word() -> None:
    said = WordTimes([word(1.0, 2.0), word(2.0, 3.0, joined=True), word(3.0, 4.0), word(4.2, 5.0)])
    assert said.gaps(0.0, 10.0) == [Gap(2.0, 2.0, Mark.NOTHING), Gap(4.0, 4.2, Mark.NOTHING)]
    assert said.gaps(2.1, 4.1) == []
    assert WordTimes().gaps(0.0, 10.0) == []


seconds = st.floats(0, 30).map(lambda value: round(value, 2))


@given(
    st.lists(st.tuples(seconds, st.floats(0, 4)), max_size=25),
    st.lists(st.tuples(st.floats(0.05, 3), st.floats(0.1, 4)), max_size=12),
)
def test_fitted_words_are_in_order_and_never_overlap(said: list, spoken: list) -> None:
    speech, position = [], 0.0
    for pause, length in spoken:
        speech.append((position + pause, position + pause + length))
        position += pause + length
    fitted = fit_words([word(start, start + length) for start, length in said], speech)
    for before, after in zip(fitted, fitted[1:], strict=False):
        assert before.end <= after.start
    assert all(each.start <= each.end for each in fitted)
    for a, b in zip(speech, speech[1:], strict=False):
        if b[0] - a[1] >= 0.4:
            assert not any(each.start < a[1] - 1e-9 and each.end > b[0] + 1e-9 for each in fitted)
