"""Written text to spoken words: what training learns to say and what synthesis is given.

Plain rules, applied in order: characters, abbreviations, amounts of money, percentages, ordinals, ranges, numbers,
signs, spacing. English and Portuguese have rules of their own; the other languages have numbers, money and signs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from datasets.pipeline.numerals import LONGEST, cardinal, counted, decimal, digits, ordinal, year
from datasets.pipeline.text_tables import (
    ABBREVIATIONS,
    AND,
    BEFORE_NAMES,
    CURRENCY,
    DECIMAL_COMMA,
    MAGNITUDES,
    MAY_END,
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
from xttsproject.xtts.languages import LANGUAGES, validate_language

Match = re.Match[str]

# Digits with thousands grouped, or bare, and a decimal part: "1,234.56"; or, where the comma is the decimal sign,
# "1.234,56" and in some languages "1 234,56".
_POINT_NUMBER = r"(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<fraction>\d+))?"
_COMMA_NUMBER = r"(?P<whole>\d{1,3}(?:\.\d{3})+(?!\d)|\d+)(?:,(?P<fraction>\d+))?"
_SPACED_NUMBER = r"(?P<whole>\d{1,3}(?:[. ]\d{3})+(?!\d)|\d+)(?:,(?P<fraction>\d+))?"
_SIGN = r"US\$|R\$|[$€£]"
_CHARACTERS = str.maketrans(
    {
        "‘": "'", "’": "'", "‛": "'", "′": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "″": '"',
        "…": "...", "‐": "-", "‑": "-", "−": "-", "–": "–", "―": "—", "\u00ad": "", "％": "%", "＄": "$",
    }
)  # fmt: skip


def normalise(text: str, language: str) -> str:
    """The spoken form of ``text``; applying it twice changes nothing more. Raises DomainError ``language_unsupported``.

    Quotation marks go (nothing is said for them), dashes between words become commas, hyphens within words stay.
    """
    language = validate_language(language)
    text = _clean(text)
    text = _abbreviations(text, language)
    text = _separators(text, language)
    text = _money(text, language)
    text = _percentages(text, language)
    if language == "en":
        text = re.sub(r"\b(\d{1,3}(?:,\d{3})*|\d+)(?:st|nd|rd|th)\b", lambda m: ordinal(_int(m[1]), "en"), text)
    if language == "pt":
        text = re.sub(r"\b(\d+)\.?([ºª])", lambda m: ordinal(int(m[1]), "pt", feminine=m[2] == "ª"), text)
        text = re.sub(r"\b[nN][ºo°]\.?(?=\s*\d)", "número ", text)
        text = re.sub(r"\b(\d{1,2})h(?:(\d{2})(?:min)?)?\b", _portuguese_time, text)
    if language in ORDINALS:
        text = re.sub(ORDINALS[language], lambda m: ordinal(int(m[1]), language), text)
    text = _dashes(text, language)
    text = _numbers(text, language)
    text = _symbols(text, language)
    return _spacing(text)


def check_text(text: str, language: str) -> list[str]:
    """What keeps XTTS from learning or speaking ``text``, each in one sentence; empty when nothing does."""
    language = validate_language(language)
    spoken = normalise(text, language)
    if not spoken:
        return ["The text is empty."]
    problems = []
    if not any(character.isalpha() for character in spoken):
        problems.append("The text has no letters, so there is nothing to say.")
    facts = LANGUAGES[language]
    if len(spoken) > facts.max_chars:
        problems.append(
            f"Spoken out, the text has {len(spoken)} characters, and the limit for {facts.name} is {facts.max_chars}."
        )
    return problems


def _portuguese_time(match: Match) -> str:
    hour, minutes = int(match[1]), int(match[2] or 0)
    # Hours are feminine.
    words = f"{cardinal(hour, 'pt', feminine=True)} hora{'' if hour == 1 else 's'}"
    return f"{words} e {cardinal(minutes, 'pt')}" if minutes else words


def _clean(text: str) -> str:
    text = unicodedata.normalize("NFC", text).translate(_CHARACTERS)
    kept = (
        " " if character.isspace() else character for character in text if character.isspace() or _printable(character)
    )
    return " ".join("".join(kept).split())


def _printable(character: str) -> bool:
    # A zero-width joiner and non-joiner shape letters in Hindi and Arabic; other invisible characters say nothing.
    return unicodedata.category(character)[0] != "C" or character in "\u200c\u200d"


def _abbreviations(text: str, language: str) -> str:
    table = ABBREVIATIONS.get(language)
    if not table:
        return text
    names, endings = BEFORE_NAMES[language], MAY_END[language]

    def spell(match: Match) -> str:
        short, rest = match[0], text[match.end() :]
        if short in names and not re.match(r"\s+[A-ZÀ-Ý\d]", rest):
            return short
        ends = short in endings and (not rest.strip(" \"')") or re.match(r"[\"')]*\s+[A-ZÀ-Ý]", rest))
        return table[short] + ("." if ends else "")

    longest_first = sorted(table, key=len, reverse=True)
    return re.sub(r"(?<![\w.])(?:" + "|".join(map(re.escape, longest_first)) + ")", spell, text)


def _number_pattern(language: str) -> str:
    if language in SPACED_THOUSANDS:
        return _SPACED_NUMBER
    return _COMMA_NUMBER if language in DECIMAL_COMMA else _POINT_NUMBER


def _separators(text: str, language: str) -> str:
    """Make separators mean one thing: version numbers are spelt, the other convention's decimals are taken as such."""
    comma = language in DECIMAL_COMMA

    def spell(match: Match) -> str:
        if comma and re.fullmatch(r"\d{1,3}(?:\.\d{3})+", match[0]):
            return match[0]
        return match[0].replace(".", f" {POINT[language]} ")

    text = re.sub(r"(?<![\d,])\d+(?:\.\d+){2,}(?![\d,])", spell, text)
    if comma:
        return re.sub(r"(?<![\d.,])(\d+)\.(\d{1,2}|\d{4,})(?![.,]?\d)", r"\1,\2", text)
    return re.sub(r"(?<![\d.,])(\d+),(?=\d{1,2}(?!\d))", r"\1, ", text)


def _money(text: str, language: str) -> str:
    table = CURRENCY[language]
    magnitudes = "|".join(sorted(MAGNITUDES.get(language, ()), key=len, reverse=True))
    after = rf"(?:\s(?P<magnitude>{magnitudes})\b)?" if magnitudes else "(?P<magnitude>(?!))?"
    number = _number_pattern(language)

    def say(match: Match) -> str:
        sign = match["sign"].removeprefix("US") if match["sign"] == "US$" else match["sign"]
        forms = table.get(sign, (sign,))
        return _amount(match["whole"], match["fraction"], match["magnitude"], forms, sign, language)

    text = re.sub(rf"(?<!\d)(?<!\d\s)(?P<sign>{_SIGN})\s?{number}{after}", say, text)
    return re.sub(rf"(?<!\d){number}{after}\s?(?P<sign>{_SIGN})(?!\d)", say, text)


def _amount(
    whole: str, fraction: str | None, magnitude: str | None, forms: tuple[str, ...], sign: str, language: str
) -> str:
    number = _int(whole)
    gap = "" if language in NO_SPACES else " "
    if magnitude:
        of = "de " if language == "pt" and magnitude != "mil" else ""
        return f"{_number(whole, fraction, language)} {magnitude} {of}{forms[-1]}"
    if fraction and len(fraction) != 2:
        return gap.join((_number(whole, fraction, language), forms[-1]))
    of = "de " if language == "pt" and number and number % 1_000_000 == 0 else ""
    feminine = language == "pt" and forms[0] == "libra"
    words = gap.join((cardinal(number, language, feminine=feminine), of + counted(number, forms)))
    cents = int(fraction or 0)
    if not cents:
        return words
    minor = MINOR.get(language, {}).get(sign)
    if minor is None:
        # Other languages say the rest bare: "douze euros cinquante".
        return gap.join((words, cardinal(cents, language)))
    small = f"{cardinal(cents, language)} {counted(cents, minor)}"
    return small if not number else f"{words} {AND[language]} {small}"


def _percentages(text: str, language: str) -> str:
    def say(match: Match) -> str:
        spoken = (MINUS[language] + " " if match["minus"] else "") + _number(
            match["whole"], match["fraction"], language
        )
        if language in PERCENT_BEFORE:
            return PERCENT_BEFORE[language] + spoken
        forms = PERCENT[language]
        form = forms[min(1, len(forms) - 1)] if match["fraction"] else counted(_int(match["whole"]), forms)
        return spoken + ("" if language in NO_SPACES else " ") + form

    number = _number_pattern(language)
    if language == "tr":
        text = re.sub(rf"(?P<minus>(?<![\w)])-)?%\s?{number}", say, text)
    return re.sub(rf"(?P<minus>(?<![\w)])-)?{number}\s?%", say, text)


def _dashes(text: str, language: str) -> str:
    between = f" {RANGE[language]} " if language in RANGE else ", "
    text = re.sub(r"(?<=\d)\s?[–—]\s?(?=\d)", between, text)
    text = re.sub(r"(?<![\d-])(\d{1,4})-(?=\d{1,4}(?![\d-]))", lambda m: m[1] + between, text)
    text = re.sub(r"\s*[–—]+\s*|\s+-+\s+|\s*--+\s*", ", ", text)
    # A dash at the edge or beside other punctuation separates nothing.
    return re.sub(r"^(?:,\s*)+|(?:\s*,\s*)+$|,\s*(?=[.,;:!?])", "", re.sub(r"([.,;:!?])\s*,\s+", r"\1 ", text))


def _numbers(text: str, language: str) -> str:
    text = re.sub(r"(?<![\w)])-(?=\d)", MINUS[language] + ("" if language in NO_SPACES else " "), text)
    # "mp3", "4K": the number is said by itself.
    if language not in NO_SPACES:
        text = re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " ", text)
    text = re.sub(r"(?<=\d)[:/](?=\d)", " ", text)

    def say(match: Match) -> str:
        whole, fraction = match["whole"], match["fraction"]
        if language == "en" and not fraction and re.fullmatch(r"(?:1[1-9]|20)\d\d", whole):
            return year(int(whole))
        return _number(whole, fraction, language)

    return re.sub(_number_pattern(language), say, text)


def _number(whole: str, fraction: str | None, language: str) -> str:
    bare = re.sub(r"\D", "", whole)
    # A code, not a quantity: "007", or a telephone number.
    if len(bare) > LONGEST or (len(bare) > 1 and bare.startswith("0")):
        return digits(bare + (fraction or ""), language)
    return decimal(bare, fraction, language) if fraction else cardinal(int(bare), language)


def _int(whole: str) -> int:
    return int(re.sub(r"\D", "", whole))


def _symbols(text: str, language: str) -> str:
    table = {**SYMBOLS.get(language, {}), "&": AND[language]}
    replace: Callable[[Match], str] = lambda match: f" {table[match[0]]} "  # noqa: E731
    text = re.sub("|".join(re.escape(sign) for sign in sorted(table, key=len, reverse=True)), replace, text)
    # Quotation marks and brackets are not said; neither are signs that no rule above knew.
    text = re.sub(r"\s*[()\[\]{}]\s*", ", ", text)
    text = re.sub(r"[\"*_~^`|\\<>•]", " ", text)
    return re.sub(r"(?<!\w)'|'(?!\w)", " ", text)


def _spacing(text: str) -> str:
    text = " ".join(text.split())
    text = re.sub(r"\s+([.,;:!?])", r"\1", text)
    text = re.sub(r"([!?])[!?.]+", r"\1", text)
    text = re.sub(r"(?:,\s*)+(?=[.,;:!?])", "", text)
    # An opening bracket has become a comma; after another mark it is no pause of its own.
    text = re.sub(r"([.;:!?])(?:\s*,)+", r"\1", text)
    text = re.sub(r"^[\s,;:]+|[\s,]+$", "", text)
    return text.strip()
