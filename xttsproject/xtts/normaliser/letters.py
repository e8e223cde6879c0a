"""Letters said one by one: initials, and abbreviations in capitals that cannot be read as a word."""

from __future__ import annotations

import re
from collections.abc import Collection

from xttsproject.xtts.normaliser.romans import roman

_DOTTED = re.compile(r"(?<![\w.])((?:[A-ZÀ-Ý]\.){2,}|(?:[A-ZÀ-Ý]\. ){1,3}[A-ZÀ-Ý]\.(?= [A-ZÀ-Ý][a-zà-ÿ]))(?!\w)")
_CAPITALS = re.compile(r"(?<![\w'-])([A-Z]{2,6})(s?)(?![\w'])")
_NO_VOWEL = re.compile(r"[BCDFGHJKLMNPQRSTVWXZ]{2,6}")
# Interjections and titles, which are no letters.
_SOUNDS = frozenset({"HM", "HMM", "SH", "SHH", "SHHH", "PSST", "BRR", "BRRR", "GRR", "GRRR", "TSK", "PFF", "ZZZ", "MR",
                     "MRS", "MS", "DR", "ST", "SR", "JR", "KM", "NTH"})  # fmt: skip


def initials(text: str, starters: Collection[str]) -> str:
    """ "U.S." and "J. R. R." without their full stops; the last one stays where a sentence ends.

    ``starters`` are words that begin sentences and follow no abbreviation ("The").
    """

    def spell(match: re.Match[str]) -> str:
        rest = match.string[match.end() :]
        following = re.match(r"[\"')]*\s+(\w+)", rest)
        ends = not rest.strip(" \"')") or (following is not None and following[1] in starters)
        return " ".join(re.findall(r"\w", match[1])) + ("." if ends else "")

    return _DOTTED.sub(spell, text)


def capitals(text: str, spelt: Collection[str]) -> str:
    """ "BBC" as "B B C": capitals without a vowel, and those of ``spelt``, in a text that has small letters too."""
    if not any(sign.islower() for sign in text):
        return text

    def spell(match: re.Match[str]) -> str:
        word = match[1]
        numeral = roman(word) is not None
        if word in spelt or (_NO_VOWEL.fullmatch(word) and word not in _SOUNDS and not numeral):
            return " ".join(word) + match[2]
        return match[0]

    # "MP3" and "H2O": the letters beside a digit count as a word.
    return _CAPITALS.sub(spell, re.sub(r"(?<=[A-Z]{2})(?=\d)|(?<=\d)(?=[A-Z]{2})", " ", text))
