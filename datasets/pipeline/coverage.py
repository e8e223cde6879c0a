"""What the texts of a dataset hold: words, letters, kinds of sentences, and what the tokenizer makes of them."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from datasets.pipeline.alphabets import ALPHABETS, SPELLED_BY_SOUND, letters

COMMONEST = 12
"""How many of the most frequent words are told."""
_CLOSING = "\"'”’»›)]} "
_QUESTION = "?？؟"
_EXCLAMATION = "!！"


@dataclass(frozen=True)
class Coverage:
    """``words``: 0 for scripts that put no spaces between them. ``letters``: how often each letter of the alphabet
    occurs, ``missing`` those that never do; both empty where the language has no alphabet. ``other``: characters beyond
    the alphabet, with how often.

    ``unknown``: characters that the tokenizer does not know, with the number of clips they stand in; ``unused``: signs
    of the tokenizer, letters aside, that never occur. Both None where the tokenizer is not known or reads the language
    by its sound.
    """

    words: int
    distinct_words: int
    once: int
    commonest: list[tuple[str, int]]
    characters: int
    distinct_characters: int
    statements: int
    questions: int
    exclamations: int
    unended: int
    letters: dict[str, int]
    missing: list[str]
    other: dict[str, int]
    unknown: dict[str, int] | None
    unused: list[str] | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def coverage(texts: Sequence[str], language: str, known: Collection[str] | None = None) -> Coverage:
    """Count over ``texts`` as they are spoken; ``known`` are the single characters of the model's tokenizer."""
    # Scripts without spaces have words that only a dictionary could part.
    parted = language not in ("zh-cn", "ja")
    words = Counter(word for text in texts for word in _words(text)) if parted else Counter()
    found = Counter(sign for text in texts for sign in letters(text, language) if not sign.isspace())
    alphabet = ALPHABETS[language]
    ends = Counter(_ending(text) for text in texts)
    unknown, unused = _tokenizer(texts, language, known, found)
    return Coverage(
        words=words.total(),
        distinct_words=len(words),
        once=sum(1 for count in words.values() if count == 1),
        commonest=sorted(words.items(), key=lambda pair: (-pair[1], pair[0]))[:COMMONEST],
        characters=found.total(),
        distinct_characters=len(found),
        statements=ends["statement"],
        questions=ends["question"],
        exclamations=ends["exclamation"],
        unended=ends["unended"],
        letters={letter: found[letter] for letter in alphabet},
        missing=[letter for letter in alphabet if not found[letter]],
        other={sign: count for sign, count in sorted(found.items(), key=_by_count) if sign not in alphabet},
        unknown=unknown,
        unused=unused,
    )


def _words(text: str) -> list[str]:
    """Parted at white space, signs at their ends taken off; combining marks belong to their letters."""
    words = []
    for part in text.lower().split():
        start, end = 0, len(part)
        while start < end and not _in_word(part[start]):
            start += 1
        while end > start and not _in_word(part[end - 1]):
            end -= 1
        if start < end:
            words.append(part[start:end])
    return words


def _in_word(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LNM"


def _ending(text: str) -> str:
    last = text.rstrip(_CLOSING)[-1:]
    if last and last in _QUESTION:
        return "question"
    if last and last in _EXCLAMATION:
        return "exclamation"
    return "statement" if last and last in ".…。।" else "unended"


def _tokenizer(
    texts: Sequence[str], language: str, known: Collection[str] | None, found: Counter[str]
) -> tuple[dict[str, int] | None, list[str] | None]:
    if known is None or language in SPELLED_BY_SOUND:
        return None, None
    # The quotation mark is taken out before a text is encoded.
    strange = Counter(
        sign
        for text in texts
        for sign in set(letters(text, language))
        if not sign.isspace() and sign != '"' and sign not in known
    )
    signs = [sign for sign in "!',-.:;?¡¿؟،।" if sign in known and not found[sign] and _belongs(sign, language)]
    return dict(sorted(strange.items(), key=_by_count)), signs


def _belongs(sign: str, language: str) -> bool:
    """Whether a language uses a sign at all."""
    own = {"¡": ("es",), "¿": ("es",), "؟": ("ar",), "،": ("ar",), "।": ("hi",), "?": tuple(set(ALPHABETS) - {"ar"})}
    return sign not in own or language in own[sign]


def _by_count(pair: tuple[str, int]) -> tuple[int, str]:
    return -pair[1], pair[0]
