"""What the texts of a dataset hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datasets.pipeline.alphabets import ALPHABETS, letters
from datasets.pipeline.coverage import coverage
from xttsproject.xtts.config import known_characters
from xttsproject.xtts.languages import LANGUAGES


def test_every_language_has_its_alphabet_or_is_known_to_have_none() -> None:
    assert set(ALPHABETS) == set(LANGUAGES)
    assert {code for code, alphabet in ALPHABETS.items() if not alphabet} == {"zh-cn", "ja"}
    for code, alphabet in ALPHABETS.items():
        assert len(set(alphabet)) == len(alphabet), code
        assert list(letters(alphabet, code)) == list(alphabet), "letters stand as they are counted"


@pytest.mark.parametrize(
    ("language", "text", "counted"),
    [
        ("en", "Café AU lait", {"c": 1, "a": 3, "f": 1, "u": 1, "l": 1, "i": 1, "t": 1}),
        ("pt", "Coração", {"c": 1, "o": 2, "r": 1, "a": 1, "ç": 1, "ã": 1}),
        ("tr", "IİıiĞ", {"ı": 2, "i": 2, "ğ": 1}),
        ("de", "Straße", {"s": 1, "t": 1, "r": 1, "a": 1, "ß": 1, "e": 1}),
        ("ru", "Ёлка", {"ё": 1, "л": 1, "к": 1, "а": 1}),
        ("ko", "한국", {"ㅎ": 1, "ㅏ": 1, "ㄴ": 1, "ㄱ": 2, "ㅜ": 1}),
        ("hi", "नमस्ते", {"न": 1, "म": 1, "स": 1, "्": 1, "त": 1, "े": 1}),
        ("ar", "سلام", {"س": 1, "ل": 1, "ا": 1, "م": 1}),
    ],
)
def test_letters_are_counted_as_the_language_counts_them(language: str, text: str, counted: dict[str, int]) -> None:
    found = coverage([text], language)
    assert {letter: count for letter, count in found.letters.items() if count} == counted
    assert set(found.missing) == set(ALPHABETS[language]) - set(counted)


def test_a_letter_written_in_two_parts_is_the_same_letter() -> None:
    assert coverage(["cafe\u0301"], "es").letters["é"] == 1


def test_words_and_sentences_are_counted() -> None:
    found = coverage(["Yes, the dog’s here.", "The dog?", "“Come!”", "and then"], "en")
    assert (found.words, found.distinct_words, found.once) == (9, 8, 7)
    assert found.commonest[:3] == [("the", 2), ("and", 1), ("come", 1)]
    assert (found.statements, found.questions, found.exclamations, found.unended) == (1, 1, 1, 1)
    assert coverage(["¿Qué?", "你好。", "هل؟"], "es").questions == 2


def test_characters_that_the_tokenizer_lacks_are_named_with_their_clips() -> None:
    known = frozenset("abcdefghijklmnopqrstuvwxyz.,?")
    found = coverage(["Naïve.", "A naïve œuvre, “so”.", "Plain?"], "en", known)
    assert found.unknown == {"ï": 2, "“": 1, "”": 1, "œ": 1}
    assert found.unused == []
    assert coverage(["Plain."], "en", known).unused == [",", "?"]


def test_without_a_tokenizer_nothing_is_called_unknown() -> None:
    assert coverage(["Naïve."], "en").unknown is None
    assert coverage(["今天"], "zh-cn", frozenset("abc")).unknown is None


def test_chinese_has_characters_but_no_alphabet() -> None:
    found = coverage(["今天天气很好。"], "zh-cn")
    assert (found.letters, found.missing) == ({}, [])
    assert (found.characters, found.distinct_characters) == (7, 6)


def test_the_tokenizers_own_characters_are_read_from_the_bundle(tmp_path: Path) -> None:
    vocabulary = {
        "model": {"vocab": {"[STOP]": 0, "a": 1, "ab": 2, "é": 3}},
        "added_tokens": [{"id": 4, "content": "!"}],
    }
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    assert known_characters(tmp_path) == {"a", "é", "!"}
