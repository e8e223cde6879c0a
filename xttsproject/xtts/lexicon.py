"""Own spoken forms for words that the normaliser cannot know: names, brands, jargon. Loads no ML library."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

# These write no spaces, so nothing in them is a word by what stands around it.
_UNSPACED = frozenset({"zh-cn", "ja"})

# Vowel signs, accents and joiners: to ``re`` they are no part of a word, and yet a word goes on with them.
_MARKS = (
    "\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u0900-\u0903\u093a-\u093c\u093e-\u094f"
    "\u0951-\u0957\u0962\u0963\u200c\u200d"
)
_OF_A_WORD = rf"[\w{_MARKS}]"
# In Turkish these are two letters with a capital each, and elsewhere the small and the capital of one.
_DOTLESS, _DOTTED = "Iı", "İi"
_TURKISH = "tr"
_TURKISH_SMALL = str.maketrans("Iİ", "ıi")
_APOSTROPHES = "'’‘ʼ"
_STRAIGHT = str.maketrans(dict.fromkeys(_APOSTROPHES, "'"))


@dataclass(frozen=True)
class Word:
    """How ``written`` is spoken.

    ``whole_word``: not within a longer word, which has no meaning in Chinese and Japanese. ``match_case``: only with
    the same small and capital letters.
    """

    written: str
    spoken: str
    whole_word: bool = True
    match_case: bool = False


@dataclass(frozen=True)
class Stretch:
    """A stretch of text: as it is written, and what was put in its place (None: nothing)."""

    written: str
    spoken: str | None = None


def apply(text: str, language: str, words: Sequence[Word]) -> list[Stretch]:
    """Cut ``text`` where words of a lexicon stand.

    At each place the first of ``words`` that fits is taken, of longer ones before shorter; what was put in is not
    looked at again. Any white space stands for a space, a line's end too, and any apostrophe for another.
    ``"".join(stretch.spoken or stretch.written …)`` is the text to be spoken: see :func:`spoken_text`.
    """
    text = unicodedata.normalize("NFC", text)
    pattern, known = _pattern(text, language, words)
    if pattern is None:
        return [Stretch(text)]
    stretches: list[Stretch] = []
    place = 0
    for found in pattern.finditer(text):
        if found.start() > place:
            stretches.append(Stretch(text[place : found.start()]))
        stretches.append(Stretch(found[0], known[int((found.lastgroup or "w0")[1:])].spoken))
        place = found.end()
    if place < len(text):
        stretches.append(Stretch(text[place:]))
    return stretches


def spoken_text(stretches: Iterable[Stretch]) -> str:
    """What is said of the stretches, one after the other."""
    return "".join(stretch.written if stretch.spoken is None else stretch.spoken for stretch in stretches)


def _pattern(text: str, language: str, words: Sequence[Word]) -> tuple[re.Pattern[str] | None, list[Word]]:
    """One pattern of the words that occur at all: of a lexicon of thousands a text holds a few."""
    turkish = language == _TURKISH
    folded = _folded(text, turkish)
    present = [word for word in words if _key(word.written, turkish) in folded]
    # Stable: among words of one length the order that was given decides.
    present.sort(key=lambda word: -len(word.written))
    if not present:
        return None, []
    alternatives = []
    for number, word in enumerate(present):
        signs = _spaced(unicodedata.normalize("NFC", word.written))
        written = "".join(_escaped(sign, turkish and not word.match_case) for sign in signs)
        if word.whole_word and language not in _UNSPACED:
            written = rf"(?<!{_OF_A_WORD}){written}(?!{_OF_A_WORD})"
        alternatives.append(f"(?P<w{number}>{written if word.match_case else f'(?i:{written})'})")
    return re.compile("|".join(alternatives)), present


def _folded(text: str, turkish: bool) -> str:
    """What two texts have in common that are written alike but for case, white space and the kind of apostrophe."""
    small = text.translate(_TURKISH_SMALL) if turkish else text
    return _spaced(small.casefold().translate(_STRAIGHT))


def _spaced(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@lru_cache(maxsize=20_000)
def _key(written: str, turkish: bool) -> str:
    # Of thousands of words, asked for with each paragraph of a book.
    return _folded(unicodedata.normalize("NFC", written), turkish)


def _escaped(sign: str, turkish: bool) -> str:
    """``turkish``: whatever the case of the letter, which ``re`` does not tell from its neighbour."""
    if sign == " ":
        return r"\s+"
    if turkish and sign in _DOTLESS + _DOTTED:
        return f"(?-i:[{_DOTLESS if sign in _DOTLESS else _DOTTED}])"
    return f"[{_APOSTROPHES}]" if sign in _APOSTROPHES else re.escape(sign)
