"""Cutting text into what the model reads in one go. Loads no ML library."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.languages import LANGUAGES, validate_language
from xttsproject.xtts.words import words_of

Measure = Callable[[str], tuple[int, int]]
"""Characters (cleaned) and tokens that a piece of text takes."""

MAX_TOKENS = 400
_SHORT = 40
"""A sentence below so many characters is joined to its neighbour: very short texts make the model babble."""

_CLOSERS = "\"'”’»›)\\]」』）】"
# Possessive, and from the first of several signs only: a page of dots must not take its length squared.
_SENTENCE_END = re.compile(rf"(?:(?<![.!?…؟])[.!?…؟]++[{_CLOSERS}]*+(?=\s))|(?:[。！？।]+[{_CLOSERS}]*)|\n+")
_CLAUSE_END = re.compile(rf"(?:(?<![,;:،؛–—])[,;:،؛–—]++[{_CLOSERS}]*+(?=\s))|(?:[、，；：]+[{_CLOSERS}]*)")
# What stands before a full stop that ends no sentence: an initial, a title, a short form common in several languages.
_ABBREVIATION = re.compile(
    r"(?<![^\s(。！？।])(?:[^\W\d_]|mrs?|ms|dra?|prof|st|sra?|srta|mme|mlle|sig|herr|fr|nr|no|vs|etc|e\.g|i\.e|z\.b|bzw|ca"
    r"|p\.ej|str|ul|tj|np|jr|gen|col|lt|sgt|capt|rev|hon|inc|ltd|co)\.$",
    re.IGNORECASE,
)
_LONGEST_ABBREVIATION = 5
_NEXT_SIGN = re.compile(r"[^ \t]")
_QUOTES = '"“”„‟«»‹›「」『』'
_TYPOGRAPHY = str.maketrans({"‘": "'", "’": "'", "‚": ",", "…": ".", "\u00a0": " ", "\u202f": " ", "\u200b": ""})
_DASH = re.compile(r"\s+[-–—]+\s+")


def plan(text: str, language: str, measure: Measure, *, max_tokens: int = MAX_TOKENS) -> list[str]:
    """Cut text into pieces that the model reads in one go, in order.

    Cuts at sentence ends, then at clause ends, then between words, never inside a word (:func:`words_of` knows those of
    Chinese and Japanese, which write no spaces). ``measure`` tells a piece's size as the model sees it, so that
    spelled-out numbers count in full. Short neighbours are joined. Raises :class:`DomainError` ``text_empty``,
    ``text_unspeakable`` or ``language_unsupported``.
    """
    code = validate_language(language)
    limit = LANGUAGES[code].max_chars
    if not text.strip():
        raise DomainError("text_empty", "There is no text to speak.", field="text")

    def fits(piece: str) -> bool:
        characters, tokens = measure(spoken_form(piece))
        return characters <= limit and tokens <= max_tokens

    pieces: list[str] = []
    for sentence in _sentences(text):
        if is_speakable(sentence):
            pieces.extend([sentence] if fits(sentence) else _cut(sentence, code, fits))
    if not pieces:
        raise DomainError("text_unspeakable", "The text has no letters or digits to speak.", field="text")
    return _join_short(pieces, fits)


def spoken_form(sentence: str) -> str:
    """What is encoded of a sentence: typographic signs made plain, quotes and the final full stop taken off.

    The model babbles after a final full stop; question and exclamation marks it needs for the melody.
    """
    plain = unicodedata.normalize("NFC", sentence).translate(_TYPOGRAPHY)
    plain = "".join(sign for sign in plain if sign not in _QUOTES)
    plain = _DASH.sub(", ", " ".join(plain.split()))
    return plain.strip(" '()[]-,;:").rstrip(".。।").rstrip(" '()[]-,;:")


def shorten(text: str, longest: int = 60) -> str:
    """Quote of a text for messages."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def is_speakable(text: str) -> bool:
    """Whether there is a letter or a digit in it."""
    return any(sign.isalnum() for sign in text)


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for end in _SENTENCE_END.finditer(text):
        if end.group().startswith(".") and not _ends_sentence(text, end.end()):
            continue
        candidate, start = text[start : end.end()], end.end()
        if stripped := " ".join(candidate.split()):
            yield stripped
    if stripped := " ".join(text[start:].split()):
        yield stripped


def _ends_sentence(text: str, end: int) -> bool:
    """Whether the full stop before ``end`` ends a sentence: not after an abbreviation, nor before a small letter."""
    following = _NEXT_SIGN.search(text, end)
    if following and following[0].islower():
        return False
    return not _ABBREVIATION.search(text, max(0, end - _LONGEST_ABBREVIATION), end)


def _cut(sentence: str, code: str, fits: Callable[[str], bool]) -> list[str]:
    """A sentence that is too long, cut at clause ends and, within a clause that is still too long, between words."""
    pieces: list[str] = []
    for clause in _clauses(sentence):
        pieces.extend([clause] if fits(clause) else _pack(words_of(clause, code), fits))
    return [piece for piece in _evened(_pack(pieces, fits), code, fits) if is_speakable(piece)]


def _evened(pieces: list[str], code: str, fits: Callable[[str], bool]) -> list[str]:
    """Packing leaves scraps: the last two words, or the "Yes," before a long clause. Such a one and its neighbour are
    parted anew, near their middle, and best at a clause end."""
    for place in range(len(pieces) - 1):
        both = pieces[place] + pieces[place + 1]
        if min(len(pieces[place].strip()), len(pieces[place + 1].strip())) >= _SHORT:
            continue
        ends = list(itertools.accumulate(len(word) for word in words_of(both, code)))
        clauses = {end.end() for end in _CLAUSE_END.finditer(both)}
        ends.sort(key=lambda end: (len(both[:end].rstrip()) not in clauses, abs(2 * end - len(both))))
        for end in ends:
            first, second = both[:end], both[end:]
            if min(len(first.strip()), len(second.strip())) >= _SHORT and fits(first) and fits(second):
                pieces[place], pieces[place + 1] = first, second
                break
    return pieces


def _clauses(sentence: str) -> list[str]:
    ends = [0, *(end.end() for end in _CLAUSE_END.finditer(sentence)), len(sentence)]
    return [sentence[a:b] for a, b in itertools.pairwise(ends) if sentence[a:b].strip()]


def _pack(parts: list[str], fits: Callable[[str], bool]) -> list[str]:
    """As many parts together as fit; each keeps the white space that followed it."""
    packed: list[str] = []
    current = ""
    for part in parts:
        if current and not fits(current + part):
            packed.append(current)
            current = ""
        if not current and not fits(part):
            raise DomainError(
                "text_unspeakable",
                f"“{part.strip()[:40]}…” is one word of {len(part.strip())} characters, too long to speak; divide it.",
                field="text",
            )
        current += part
    return [*packed, current] if current else packed


def _join_short(pieces: list[str], fits: Callable[[str], bool]) -> list[str]:
    joined: list[str] = []
    for piece in (" ".join(piece.split()) for piece in pieces):
        if joined and min(len(joined[-1]), len(piece)) < _SHORT and fits(f"{joined[-1]} {piece}"):
            joined[-1] = f"{joined[-1]} {piece}"
        else:
            joined.append(piece)
    return joined
