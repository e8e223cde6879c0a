"""What a transcript shows of itself: loops, and a pace that nobody speaks at."""

from __future__ import annotations

import statistics
import zlib
from collections.abc import Sequence

LONGEST_PHRASE = 12
_LEAST_FOR_PACE = 5


def compression_ratio(text: str) -> float | None:
    """Bytes of the text over bytes of it deflated by zlib, as Whisper measures it; None without text."""
    raw = text.strip().encode("utf-8")
    return len(raw) / len(zlib.compress(raw)) if raw else None


def repeated_share(text: str) -> float:
    """Share of the words that repeat the phrase of 1 to 12 words just before them, word by word.

    “a b a b a b” has 4 of 6. In a text without spaces characters count in place of words.
    """
    words = _words(text)
    repeats = [False] * len(words)
    for length in range(1, min(LONGEST_PHRASE, len(words) // 2) + 1):
        run = 0
        for index in range(length, len(words)):
            run = run + 1 if words[index] == words[index - length] else 0
            # A whole phrase agrees: it and, from here on, every word that goes on with it.
            if run == length:
                repeats[index - length + 1 : index + 1] = [True] * length
            elif run > length:
                repeats[index] = True
    return sum(repeats) / len(words) if words else 0.0


def paces(characters_per_second: Sequence[float | None]) -> list[float | None]:
    """Each clip's characters a second over the median of all clips of the speaker; None where it is not known, and for
    all where fewer than five are."""
    known = [value for value in characters_per_second if value]
    if len(known) < _LEAST_FOR_PACE:
        return [None] * len(characters_per_second)
    usual = statistics.median(known)
    return [value / usual if value else None for value in characters_per_second]


def _words(text: str) -> list[str]:
    folded = text.casefold()
    if len(folded.split()) > 1:
        stripped = ("".join(c for c in word if c.isalnum()) for word in folded.split())
        return [word for word in stripped if word]
    return [character for character in folded if character.isalnum()]
