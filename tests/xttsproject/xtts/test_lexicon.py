"""Words are replaced where they stand, the longest first, each once."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xttsproject.xtts.lexicon import Stretch, Word, apply, spoken_text


def said(text: str, *words: Word, language: str = "en") -> str:
    return spoken_text(apply(text, language, words))


def test_where_words_stand_is_told() -> None:
    assert apply("Learn SQL now.", "en", [Word("sql", "sequel")]) == [
        Stretch("Learn "), Stretch("SQL", "sequel"), Stretch(" now.")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "word", "spoken"),
    [
        ("a cat, Cat, CATs", Word("cat", "dog"), "a dog, dog, CATs"),
        ("a cat, Cat, CATs", Word("cat", "dog", whole_word=False), "a dog, dog, dogs"),
        ("a cat, Cat", Word("Cat", "dog", match_case=True), "a cat, dog"),
        ("ASP.NET .NET .NETs", Word(".NET", "dot net"), "ASP.NET dot net .NETs"),
        ("C++ and C", Word("C++", "see plus plus"), "see plus plus and C"),
        ("o'neill", Word("O'Neill", "oh neel"), "oh neel"),
        (unicodedata.normalize("NFD", "São Tomé"), Word("São", "Saint"), "Saint Tomé"),
        ("Straße", Word("straße", "street"), "street"),
        # As it comes from a phone or a word processor, and from a book with lines of one length.
        ("O’Neill", Word("O'Neill", "oh neel"), "oh neel"),
        ("in New\nYork and New  York", Word("New York", "the City"), "in the City and the City"),
        # Vowel signs are no letters to Python's expressions; "की" is another word than "क", "कामों" than "काम".
        ("की क कामों", Word("क", "अ"), "की अ कामों"),
        ("कामों में काम", Word("काम", "अ"), "कामों में अ"),
    ],
)
def test_words_are_found_as_asked(text: str, word: Word, spoken: str) -> None:
    assert said(text, word) == spoken


@pytest.mark.parametrize("written", ["Işık", "IŞIK", "ışık"])
def test_in_turkish_dotless_and_dotted_i_are_two_letters(written: str) -> None:
    """Elsewhere a capital I is that of i: so "Işık" was not found in "ışık", and "sınır" was in "sinir"."""
    word = Word(written, "nur")
    assert said("Işık, ışık, IŞIK, ışıklar, işik, İŞİK", word, language="tr") == "nur, nur, nur, ışıklar, işik, İŞİK"
    assert said("Işık, ışık", Word("Işık", "nur", match_case=True), language="tr") == "nur, ışık"


def test_in_turkish_a_dotted_capital_is_found_too() -> None:
    words = [Word("istanbul", "şehir"), Word("Sınır", "hudut")]
    assert said("İSTANBUL İstanbul ISTANBUL, sinir sınır SINIR", *words, language="tr") == (
        "şehir şehir ISTANBUL, sinir hudut hudut"
    )
    assert said("IDLE Idle", Word("idle", "eye-dell"), language="en") == "eye-dell eye-dell"


def test_in_chinese_and_japanese_nothing_must_stand_apart() -> None:
    assert said("我在重庆住", Word("重庆", "崇庆"), language="zh-cn") == "我在崇庆住"


def test_the_longest_goes_first_and_what_was_put_in_stays() -> None:
    words = [Word("New", "Old"), Word("New York", "the Big Apple"), Word("Apple", "fruit"), Word("Old", "New")]
    assert said("New York, New Apple, Old", *words) == "the Big Apple, Old fruit, New"


def test_of_two_forms_of_one_word_the_first_given_holds() -> None:
    assert said("a GIF", Word("gif", "jiff"), Word("GIF", "ghif")) == "a jiff"


def test_thousands_of_words_take_no_time_worth_telling() -> None:
    words = [Word(f"word{number}", f"spoken {number}") for number in range(5_000)]
    text = "Some word17 among others that are not there. " * 110
    start = time.process_time()
    assert said(text, *words).count("spoken 17") == 110
    assert time.process_time() - start < 1.0


LETTERS = st.text(alphabet="abAB c.", min_size=1, max_size=3)


@given(
    st.text(alphabet="abAB c.", max_size=30),
    st.lists(st.builds(Word, LETTERS, LETTERS, st.booleans(), st.booleans()), max_size=5),
)
def test_nothing_of_the_text_is_lost_or_moved(text: str, words: list[Word]) -> None:
    stretches = apply(text, "en", words)
    assert "".join(stretch.written for stretch in stretches) == text
    hits = [stretch for stretch in stretches if stretch.spoken is not None]
    assert all(any(one_spaced(hit.written) == one_spaced(word.written) for word in words) for hit in hits)


def one_spaced(text: str) -> str:
    return re.sub(" +", " ", text).lower()
