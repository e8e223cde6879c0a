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
    assert [len(spoken_form(piece)) for piece in pieces] == [82, 59, 59]


@pytest.mark.parametrize(
    ("text", "language", "word"),
    [
        ("天" * 70 + "在巴黎喝café-crème咖啡" + "天" * 60, "zh", "café-crème"),
        ("天" * 78 + "在中华人民共和国" + "天" * 60, "zh", "中华人民共和国"),
        ("あ" * 66 + "Straßenbahn" + "い" * 60, "ja", "Straßenbahn"),
        ("昨日の夕方に友達と一緒に" * 5 + "新しいコンピューターを買いに行きました", "ja", "コンピューターを"),
    ],
)
def test_words_stay_whole_where_no_spaces_are_written(text: str, language: str, word: str) -> None:
    pieces = plan(text, language, measure)
    assert "".join(pieces) == text
    assert len(pieces) > 1
    assert sum(word in piece for piece in pieces) == 1
    assert not any(piece[0] in "、。，" for piece in pieces)


def test_a_run_of_one_sign_is_no_word_that_could_not_be_cut() -> None:
    assert "".join(plan("ア" * 200, "ja", measure)) == "ア" * 200


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("я пошёл домой " * 13 + "и всё тут", "ru"),
        ("Yes, " + "and then the river went on through the wide and quiet valley " * 4 + "again", "en"),
        ("今天我们一起去公园" * 9 + "好不好", "zh"),
    ],
)
def test_cutting_leaves_no_scrap_on_which_the_model_would_babble(text: str, language: str) -> None:
    pieces = plan(text, language, measure)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert min(map(len, pieces)) >= 40


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
