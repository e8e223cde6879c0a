"""Quantities with a unit: "120 km/h", "-5 °C", "m²"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from xttsproject.xtts.normaliser.shared import MINUS_SIGN, any_of, minus, number, number_pattern


@dataclass(frozen=True)
class Unit:
    """A unit's name after one and after more; ``alone`` where the sign means the unit without a number too."""

    one: str
    more: str
    feminine: bool = False
    alone: bool = False


def say_units(text: str, code: str, table: Mapping[str, Unit], per: str, one_below_two: bool) -> str:
    """Replace number and unit by words.

    ``per`` stands for the slash; ``one_below_two`` says that the language counts "1,5 litro" as one (Portuguese does,
    English says "1.5 liters").
    """
    if code not in _COMPILED:
        _COMPILED[code] = _patterns(code, table)
    counted, alone = _COMPILED[code]

    def name(sign: str, below: str | None, plural: bool) -> str:
        unit = table[sign]
        words = unit.more if plural else unit.one
        return f"{words} {per} {table[below].one}" if below else words

    def say(match: re.Match[str]) -> str:
        whole, fraction = int(re.sub(r"\D", "", match["whole"])), match["fraction"]
        singular = whole < 2 if one_below_two and fraction else whole == 1 and not fraction
        if one_below_two and whole == 0 and not fraction:
            singular = True
        # A hyphen makes an adjective of it, which has no plural: "a 5-km run".
        hyphened = match["gap"] == "-"
        words = number(match["whole"], fraction, code, feminine=table[match["unit"]].feminine)
        spoken = f"{minus(match, code)}{words} {name(match['unit'], match['below'], not singular and not hyphened)}"
        # The full stop of "5 min." may be the sentence's too.
        rest = match.string[match.end() :]
        ends = match["unit"].count(".") == match[0].endswith(".") == 1 and (
            not rest.strip(" \"')") or re.match(r"[\"')]*\s+[A-ZÀ-Ý]", rest)
        )
        return f"{spoken}." if ends else spoken

    return alone.sub(lambda m: name(m["unit"], m["below"], True), counted.sub(say, text))


# A language has one table, and its patterns are long: they are made once.
_COMPILED: dict[str, tuple[re.Pattern[str], re.Pattern[str]]] = {}


def _patterns(code: str, table: Mapping[str, Unit]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Of a number with a unit, and of a unit without a number."""
    signs, lone = any_of(table), any_of(sign for sign, unit in table.items() if unit.alone)
    found = rf"(?P<unit>{signs})(?:/(?P<below>{signs}))?(?![\w²³'/])"
    return (
        re.compile(rf"(?<![\d.,]){MINUS_SIGN}(?<![\w.,]){number_pattern(code)}(?P<gap>[ -]?){found}"),
        re.compile(rf"(?<![\w/])(?P<unit>{lone})(?:/(?P<below>{signs}))?(?![\w²³/])"),
    )
