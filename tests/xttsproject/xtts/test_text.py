"""Texts are cut where a reader would breathe, and no piece is longer than the model reads."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.languages import LANGUAGES
from xttsproject.xtts.normaliser import normalise
from xttsproject.xtts.text import plan, spoken_form


def measure(piece: str) -> tuple[int, int]:
    return len(piece), len(piece) + 1


def test_a_text_is_cut_at_sentence_ends() -> None:
    text = (
        "This is the first sentence, and it is long enough to stand alone. Is the second one, which asks something, "
        "also long enough to stand? It is indeed, so that it can stand by itself without any help!"
    )
    assert plan(text, "en", measure) == [
        "This is the first sentence, and it is long enough to stand alone.",
        "Is the second one, which asks something, also long enough to stand?",
        "It is indeed, so that it can stand by itself without any help!",
    ]


def test_neither_abbreviations_nor_initials_nor_numbers_end_a_sentence() -> None:
    text = "Dr. Smith and J. R. Miller, e.g. on Mondays, paid 3.50 to Prof. Jones, who lives at no. 10 of this street."
    assert plan(text, "en", measure) == [text]


def test_short_neighbours_are_joined() -> None:
    assert plan("No. Yes! Well, perhaps we should think about it.", "en", measure) == [
        "No. Yes! Well, perhaps we should think about it."
    ]


def test_a_long_sentence_is_cut_at_a_clause_end() -> None:
    clause = "and then the river went on through the wide and quiet valley"
    text = f"{clause}, {clause}, {clause}, {clause}, {clause}."
    pieces = plan(text, "en", measure)
    assert len(pieces) == 2
    assert pieces[0].endswith("valley,")
    assert " ".join(pieces) == text


def test_chinese_is_cut_between_characters_where_nothing_else_helps() -> None:
    pieces = plan("天" * 200 + "。", "zh", measure)
    assert [len(spoken_form(piece)) for piece in pieces] == [82, 82, 36]


def test_tokens_limit_a_piece_too() -> None:
    pieces = plan("a word " * 30, "en", lambda piece: (len(piece), 20 * len(piece)), max_tokens=400)
    assert len(pieces) > 8
    assert all(20 * len(piece) <= 400 for piece in pieces)


@pytest.mark.parametrize(("text", "code"), [("", "text_empty"), (" \n ", "text_empty"), ("…!? —", "text_unspeakable")])
def test_a_text_without_anything_to_say_is_refused(text: str, code: str) -> None:
    with pytest.raises(DomainError) as caught:
        plan(text, "en", measure)
    assert caught.value.code == code


def test_a_word_longer_than_the_limit_is_refused_not_broken() -> None:
    with pytest.raises(DomainError) as caught:
        plan(f"Look at {'x' * 300} there.", "en", measure)
    assert caught.value.code == "text_unspeakable"
    assert "300 characters" in caught.value.message


@given(
    st.lists(st.text(alphabet="abcdeé", min_size=1, max_size=12), min_size=1, max_size=120),
    st.lists(st.sampled_from([" ", ", ", ". ", "? ", "\n", "; "]), min_size=120, max_size=120),
    st.sampled_from(["en", "ko", "pt", "ja"]),
)
def test_no_word_is_lost_or_broken_and_every_piece_fits(words: list[str], joints: list[str], language: str) -> None:
    text = "".join(word + joint for word, joint in zip(words, joints, strict=False))
    pieces = plan(text, language, measure)
    spoken = [word.strip(".,;?") for piece in pieces for word in piece.split()]
    assert spoken == words
    assert all(len(spoken_form(piece)) <= LANGUAGES.get(language, LANGUAGES["en"]).max_chars for piece in pieces)


@pytest.mark.parametrize(
    ("sentence", "spoken"),
    [
        ("The end.", "The end"),
        ("“The end.”", "The end"),
        ("Really?", "Really?"),
        ("It’s here…", "It's here"),
        ("«Olá!»", "Olá!"),
        ("One — two", "One, two"),
        ("e-mail", "e-mail"),
    ],
)
def test_the_final_full_stop_and_quotes_are_not_spoken(sentence: str, spoken: str) -> None:
    assert spoken_form(sentence) == spoken


@pytest.mark.parametrize("text", ["a. ", "!", ",", "word. ", "Mr. ", "!)", "。", "7"])
def test_a_long_text_of_one_kind_takes_no_more_than_its_length(text: str) -> None:
    # Anything that looks back over what it has read takes five seconds and more here, and hours for a book.
    long = text * (20_000 // len(text)) + "x"
    began = time.process_time()
    for language in ("en", "zh-cn"):
        with contextlib.suppress(DomainError):  # one word of so many signs cannot be spoken
            plan(long, language, measure)
    normalise(long, "de")
    assert time.process_time() - began < 2.0
