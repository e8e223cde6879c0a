"""Roman numerals."""

from __future__ import annotations

import re

_VALUES = {"M": 1000, "D": 500, "C": 100, "L": 50, "X": 10, "V": 5, "I": 1}
PATTERN = r"[IVXLC]+"
_WELL_FORMED = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")


def roman(text: str) -> int | None:
    """The value of a well-formed numeral in capitals, up to 3999; None of anything else (``IIX``, an empty text)."""
    if not text or not _WELL_FORMED.fullmatch(text):
        return None
    values = [_VALUES[sign] for sign in text]
    return sum(-value if after > value else value for value, after in zip(values, [*values[1:], 0], strict=True))
