"""What all languages share: money, percentages, ordinals, ranges, numbers, signs and spacing, from tables of words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache

from xttsproject.xtts.normaliser.numerals import LONGEST, cardinal, counted, decimal, digits, ordinal, year
from xttsproject.xtts.normaliser.tables import (
    AND,
    CURRENCY,
    DECIMAL_COMMA,
    MAGNITUDES,
    MINOR,
    MINUS,
    NO_SPACES,
    ORDINALS,
    PERCENT,
    PERCENT_BEFORE,
    POINT,
    RANGE,
    SPACED_THOUSANDS,
    SYMBOLS,
)

Match = re.Match[str]

# Digits with thousands grouped, or bare, and a decimal part: "1,234.56"; or, where the comma is the decimal sign,
# "1.234,56" and in some languages "1 234,56".
_POINT_NUMBER = r"(?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.(?P<fraction>\d+))?"
_COMMA_NUMBER = r"(?P<whole>\d{1,3}(?:\.\d{3})+(?!\d)|\d+)(?:,(?P<fraction>\d+))?"
_SPACED_NUMBER = r"(?P<whole>\d{1,3}(?:[. ]\d{3})+(?!\d)|\d+)(?:,(?P<fraction>\d+))?"
_SIGN = r"US\$|R\$|[$€£¥₹]"
MINUS_SIGN = r"(?P<minus>(?<![\w)])-)?"


def any_of(words: Iterable[str]) -> str:
    """A pattern of any of the words, of longer ones before shorter."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def speak(text: str, code: str) -> str:
    """Everything that the language's own rules have left, as words."""
    text = separators(text, code)
    text = _money(text, code)
    text = _percentages(text, code)
    if code in ORDINALS:
        text = re.sub(ORDINALS[code], lambda m: ordinal(int(m[1]), code), text)
    text = _dashes(ranges(text, code))
    text = _numbers(text, code)
    text = _symbols(text, code)
    return _spacing(text)


def number_pattern(code: str) -> str:
    """A pattern with the groups ``whole`` and ``fraction``."""
    if code in SPACED_THOUSANDS:
        return _SPACED_NUMBER
    return _COMMA_NUMBER if code in DECIMAL_COMMA else _POINT_NUMBER


def number(whole: str, fraction: str | None, code: str, *, feminine: bool = False) -> str:
    """A written number in words; one that nobody reads as a quantity ("007", sixteen digits) digit by digit."""
    bare = re.sub(r"\D", "", whole)
    if len(bare) > LONGEST or (len(bare) > 1 and bare.startswith("0")):
        return digits(bare + (fraction or ""), code)
    return decimal(bare, fraction, code) if fraction else cardinal(int(bare), code, feminine=feminine)


def separators(text: str, code: str) -> str:
    """Make separators mean one thing: version numbers are spelt, the other convention's decimals are taken as such."""
    comma = code in DECIMAL_COMMA

    def spell(match: Match) -> str:
        if comma and re.fullmatch(r"\d{1,3}(?:\.\d{3})+", match[0]):
            return match[0]
        return match[0].replace(".", f" {POINT[code]} ")

    text = re.sub(r"(?<![\d,])\d+(?:\.\d+){2,}(?![\d,])", spell, text)
    if comma:
        return re.sub(r"(?<![\d.,])(\d+)\.(\d{1,2}|\d{4,})(?![.,]?\d)", r"\1,\2", text)
    return re.sub(r"(?<![\d.,])(\d+),(?=\d{1,2}(?!\d))", r"\1, ", text)


def ranges(text: str, code: str) -> str:
    """ "10–20" and "10-20" as "10 to 20"."""
    between = f" {RANGE[code]} " if code in RANGE else ", "
    text = re.sub(r"(?<=\d)\s?[–—]\s?(?=\d)", between, text)
    return re.sub(r"(?<![\d-])(\d{1,4})-(?=\d{1,4}(?![\d-]))", lambda m: m[1] + between, text)


def minus(match: Match, code: str) -> str:
    """The word for the sign that the group ``minus`` has found, or nothing."""
    return MINUS[code] + " " if match["minus"] else ""


def _money(text: str, code: str) -> str:
    table = CURRENCY[code]

    def say(match: Match) -> str:
        sign = match["sign"].removeprefix("US") if match["sign"] == "US$" else match["sign"]
        forms = table.get(sign, (sign,))
        return minus(match, code) + _amount(match["whole"], match["fraction"], match["magnitude"], forms, sign, code)

    for pattern in _money_patterns(code):
        text = pattern.sub(say, text)
    return text


@cache
def _money_patterns(code: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    magnitudes = any_of(MAGNITUDES.get(code, ()))
    after = rf"(?:\s(?P<magnitude>{magnitudes})\b)?" if magnitudes else "(?P<magnitude>(?!))?"
    amount = number_pattern(code)
    return (
        re.compile(rf"{MINUS_SIGN}(?<!\d)(?<!\d\s)(?P<sign>{_SIGN})\s?{amount}{after}"),
        re.compile(rf"{MINUS_SIGN}(?<!\d){amount}{after}\s?(?P<sign>{_SIGN})(?!\d)"),
    )


def _amount(
    whole: str, fraction: str | None, magnitude: str | None, forms: tuple[str, ...], sign: str, code: str
) -> str:
    value = int(re.sub(r"\D", "", whole))
    gap = "" if code in NO_SPACES else " "
    if magnitude:
        of = "de " if code == "pt" and magnitude != "mil" else ""
        return f"{number(whole, fraction, code)} {magnitude} {of}{forms[-1]}"
    if fraction and len(fraction) != 2:
        return gap.join((number(whole, fraction, code), forms[-1]))
    of = "de " if code == "pt" and value and value % 1_000_000 == 0 else ""
    feminine = code == "pt" and forms[0] in ("libra", "rupia")
    words = gap.join((cardinal(value, code, feminine=feminine), of + counted(value, forms)))
    cents = int(fraction or 0)
    if not cents:
        return words
    minor = MINOR.get(code, {}).get(sign)
    if minor is None:
        # Other languages say the rest bare: "douze euros cinquante".
        return gap.join((words, cardinal(cents, code)))
    small = f"{cardinal(cents, code)} {counted(cents, minor)}"
    return small if not value else f"{words} {AND[code]} {small}"


def _percentages(text: str, code: str) -> str:
    def say(match: Match) -> str:
        spoken = minus(match, code) + number(match["whole"], match["fraction"], code)
        if code in PERCENT_BEFORE:
            return PERCENT_BEFORE[code] + spoken
        forms = PERCENT[code]
        form = (
            forms[min(1, len(forms) - 1)]
            if match["fraction"]
            else counted(int(re.sub(r"\D", "", match["whole"])), forms)
        )
        return spoken + ("" if code in NO_SPACES else " ") + form

    before, after = _percent_patterns(code)
    if code == "tr":
        text = before.sub(say, text)
    return after.sub(say, text)


@cache
def _percent_patterns(code: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    amount = number_pattern(code)
    # From a number's first digit only: tried from each, a long one would take its length squared.
    return re.compile(rf"{MINUS_SIGN}%\s?{amount}"), re.compile(rf"{MINUS_SIGN}(?<!\d){amount}\s?%")


def _dashes(text: str) -> str:
    text = re.sub(r"\s*[–—]+\s*|\s+-+\s+|\s*--+\s*", ", ", text)
    # A dash at the edge or beside other punctuation separates nothing.
    return re.sub(r"^(?:,\s*)+|(?:\s*,\s*)+$|,\s*(?=[.,;:!?])", "", re.sub(r"([.,;:!?])\s*,\s+", r"\1 ", text))


# These say years by hundreds; the others as any number, and English has rules of its own. Above 1999 all agree.
_YEARS = frozenset({"de", "nl"})


def _numbers(text: str, code: str) -> str:
    text = re.sub(r"(?<![\w)])-(?=\d)", MINUS[code] + ("" if code in NO_SPACES else " "), text)
    # "mp3", "4K": the number is said by itself.
    if code not in NO_SPACES:
        text = re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " ", text)
    text = re.sub(r"(?<=\d)[:/](?=\d)", " ", text)
    if code in _YEARS:
        # Four digits without a sign between them, with which they would be counted: "1985", not "1.985".
        text = re.sub(r"(?<![\d.,])1[1-9]\d\d(?![\d]|[.,]\d)", lambda m: year(int(m[0]), code), text)
    return re.sub(number_pattern(code), lambda m: number(m["whole"], m["fraction"], code), text)


def _symbols(text: str, code: str) -> str:
    pattern, table = _symbol_table(code)
    replace: Callable[[Match], str] = lambda match: f" {table[match[0]]} "  # noqa: E731
    text = pattern.sub(replace, text)
    # Quotation marks and brackets are not said; neither are signs that no rule above knew.
    text = re.sub(r"\s*[()\[\]{}]\s*", ", ", text)
    text = re.sub(r"[\"*_~^`|\\<>•]", " ", text)
    return _apostrophes(text) if code == "en" else re.sub(r"(?<!\w)'|'(?!\w)", " ", text)


@cache
def _symbol_table(code: str) -> tuple[re.Pattern[str], dict[str, str]]:
    table = {**SYMBOLS.get(code, {}), "&": AND[code]}
    return re.compile(any_of(table)), table


# English leaves out letters at a word's beginning; these are written so and keep their sign.
_CLIPPED = r"(?:em|til|tis|twas|cause|bout|round|n|neath|gainst|nuff|cuz)\b"


def _apostrophes(text: str) -> str:
    """Apostrophes stay, single quotation marks go: a mark after an s is a possessive's where none was opened before."""
    text = re.sub(rf"(?<!\w)'(?!{_CLIPPED})(?=\w)", "\x00", text, flags=re.IGNORECASE)
    parts = text.split("\x00")
    kept = [
        re.sub(r"(?<!\w)'(?!\w)|(?<=\w)'(?!\w)" if place else r"(?<!\w)'(?!\w)|(?<=[^\Ws])'(?!\w)(?<!\bn')", " ", part)
        for place, part in enumerate(parts)
    ]
    return " ".join(kept)


def _spacing(text: str) -> str:
    text = " ".join(text.split())
    text = re.sub(r"\s+([.,;:!?])", r"\1", text)
    text = re.sub(r"([!?])[!?.]+", r"\1", text)
    text = re.sub(r"(?:,\s*)+(?=[.,;:!?])", "", text)
    # An opening bracket has become a comma; after another mark it is no pause of its own.
    text = re.sub(r"([.;:!?])(?:\s*,)+", r"\1", text)
    text = re.sub(r"^[\s,;:]+|[\s,]+$", "", text)
    return text.strip()
