"""Numbers that are read digit by digit: telephone numbers, cards, and whatever stands in groups."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from xttsproject.xtts.normaliser.numerals import digits


def say_groups(text: str, code: str, patterns: Sequence[str], plus: str) -> str:
    """Each match of ``patterns``, digit by digit, a comma where it is written in groups; a leading + is said."""

    def say(match: re.Match[str]) -> str:
        groups = re.findall(r"\d+", match[0])
        spoken = ", ".join(digits(group, code) for group in groups)
        return f"{plus} {spoken}" if match[0].lstrip().startswith("+") else spoken

    for pattern in patterns:
        text = re.sub(pattern, say, text, flags=re.IGNORECASE)
    return text


def say_after(text: str, code: str, words: str, longest: str = r"\d{3}") -> str:
    """A short number after one of ``words`` ("call 911"), digit by digit."""
    spell: Callable[[re.Match[str]], str] = lambda m: f"{m[1]}{digits(m[2], code)}"  # noqa: E731
    return re.sub(
        rf"(\b(?:{words})\s+)({longest})(?![\d.,:/-]*\d|\w|\s?%)(?!\s[^\W\d_]+s\b)", spell, text, flags=re.IGNORECASE
    )
