"""The rules of English, in order: each sees what those before it have left.

Where readers differ the commoner American reading is taken, but "and" is said within numbers, as num2words has it.
"""

from __future__ import annotations

import re

from xttsproject.xtts.normaliser import english_tables as tables
from xttsproject.xtts.normaliser.addresses import say_addresses
from xttsproject.xtts.normaliser.english_time import say_dates, say_decades, say_times, say_years
from xttsproject.xtts.normaliser.letters import capitals, initials
from xttsproject.xtts.normaliser.numerals import cardinal, ordinal
from xttsproject.xtts.normaliser.romans import PATTERN as ROMAN
from xttsproject.xtts.normaliser.romans import roman
from xttsproject.xtts.normaliser.shared import any_of, ranges, separators
from xttsproject.xtts.normaliser.telephone import say_after, say_groups
from xttsproject.xtts.normaliser.units import say_units

Match = re.Match[str]

_TELEPHONES = (
    r"(?<![\w.,/-])(?:\+\d{1,3}[ .-]?)?\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-]|[.,]\d)",
    r"(?<![\w.,/-])1-\d{3}-\d{3}-\d{4}(?![\w-])",
    r"(?<![\w.,/])\+\d{1,3}(?:[ .-]?\(?\d{2,5}\)?){2,5}(?![\w-]|[.,]\d)",
    r"(?<![\w.,/])0\d{2,4} \d{3,4} ?\d{3,4}(?![\w-]|[.,]\d)",
    r"(?<![\w.,/-])555-\d{4}(?![\w-])",
    r"(?<=call )\d{3}-\d{4}(?![\w-])|(?<=phone )\d{3}-\d{4}(?![\w-])|(?<=dial )\d{3}-\d{4}(?![\w-])",
    # Cards, social security numbers, postal codes after a state, chains of figures.
    r"(?<![\w.,/-])\d{4}(?:[ -]\d{4}){3}(?![\w-]|[.,]\d)",
    r"(?<![\w.,/-])\d{3}-\d{2}-\d{4}(?![\w-])",
    r"(?<=\b[A-Z]{2} )\d{5}(?:-\d{4})?(?![\w-]|[.,]\d)",
    r"(?<![\w.,/-])\d(?:-\d){2,}(?![\w-])",
)
_CODES = {"USD": "US$", "EUR": "€", "GBP": "£", "BRL": "R$", "JPY": "¥", "INR": "₹"}
_LARGE = {"k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million", "bn": "billion",
          "b": "billion", "B": "billion", "tn": "trillion"}  # fmt: skip
_SIGNS = r"(?:US\$|R\$|[$€£¥₹])"
_PLACES = re.compile(
    r"(?P<before>(?P<house>\b\d+\s+(?:[NSEW]\.?\s+)?)?\b(?!Mr\b|Mrs\b|The\b)(?:[A-Z][a-z]+|\d+(?:st|nd|rd|th))\s+)"
    rf"(?P<short>{any_of(tables.PLACES)})(?!\w)"
)
_BEFORE_NUMBERS = re.compile(rf"(?<![\w.])({any_of(tables.BEFORE_NUMBERS)})\s?(?=\d|(?!I\b)[IVXLC]+\b)")
_SHORT_FORMS = tables.TITLES | tables.WORDS
_SHORT = re.compile(rf"(?<![\w.])(?:{any_of(set(_SHORT_FORMS) - {'w/', 'w/o'})})(?!\w)")
_FIXED = {"24/7": "twenty-four seven", "9/11": "nine eleven", "50/50": "fifty fifty", "50-50": "fifty-fifty"}


def rules(text: str) -> str:
    """English text with everything in words that only English writes so; plain numbers and signs stay."""
    text = say_addresses(text, tables.SIGNS)
    text = re.sub(r"(?<![\w/])(?:24/7|9/11|50/50|50-50)(?![\w/])", lambda m: _FIXED[m[0]], text)
    text = _pairs(text)
    text = say_groups(text, "en", _TELEPHONES, "plus")
    text = say_after(text, "en", "call|dial|called|calling|dialled|dialed", r"[1-9]11|999|112|988")
    text = say_dates(text)
    text = say_times(text)
    text = _abbreviations(text)
    text = _romans(text)
    text = initials(text, tables.STARTERS)
    text = _single_initials(text)
    text = _money(text)
    text = _arithmetic(text)
    text = _fractions(text)
    text = separators(text, "en")
    text = re.sub(r"(?<![\w.,])(\d+)'\s?(\d{1,2})(?:\"|'')", _feet, text)
    tall = r"(?=\s(?:tall|wide|long|high|deep|thick)\b)"
    text = re.sub(rf"(?<=\d)'{tall}", " ft", re.sub(rf'(?<=\d)"{tall}', " in.", text))
    text = ranges(say_decades(text), "en")
    text = say_units(text, "en", tables.UNITS, "per", one_below_two=False)
    text = say_years(text)
    text = re.sub(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)\b", _ordinal, text)
    # "COVID-19", "mid-nineties": the hyphen before a number is not said, and no minus.
    text = re.sub(r"(?<=[^\W\d_])-(?=\d)", " ", text)
    return capitals(text, tables.SPELT)


def _pairs(text: str) -> str:
    """Words parted by a slash ("and/or"); those of units keep it."""
    text = re.sub(r"(?<!\w)[wW]/o(?!\w)", "without", re.sub(r"(?<!\w)[wW]/(?!o\b)\s?(?=\w)", "with ", text))
    return re.sub(r"(?<![\w/])([^\W\d_]{2,})/(?=[^\W\d_]{2,}(?![\w/]))", _pair, text)


def _pair(match: Match) -> str:
    return match[0] if match[1] in tables.UNITS else f"{match[1]} "


def _ordinal(match: Match) -> str:
    return ordinal(int(match[1].replace(",", "")), "en")


def _feet(match: Match) -> str:
    return f"{cardinal(int(match[1]), 'en')} foot {cardinal(int(match[2]), 'en')}"


def _ends(match: Match) -> bool:
    """Whether a sentence ends with what was found."""
    rest = match.string[match.end() :]
    return not rest.strip(" \"')") or bool(re.match(r"[\"')]*\s+[A-Z]", rest))


def _abbreviations(text: str) -> str:
    def place(match: Match) -> str:
        following = re.match(r"\s+([A-Z]\w*)", match.string[match.end() :])
        # "St. Paul" and "Dr. Smith" follow a name only where a house number stands before it.
        is_title = match["short"] in ("St.", "Dr.") and not match["house"]
        if is_title and following and following[1] not in tables.STARTERS:
            return match[0]
        return f"{match['before']}{tables.PLACES[match['short']]}{'.' if _stops(match) else ''}"

    def _stops(match: Match) -> bool:
        rest = match.string[match.end() :]
        following = re.match(r"[\"')]*\s+([A-Z]\w*)", rest)
        return not rest.strip(" \"')") or bool(following and following[1] in tables.STARTERS)

    text = _PLACES.sub(place, text)
    text = _BEFORE_NUMBERS.sub(lambda m: tables.BEFORE_NUMBERS[m[1]] + " ", text)

    def spell(match: Match) -> str:
        short, rest = match[0], match.string[match.end() :]
        if short in tables.NAMES_FOLLOW and not re.match(r"\s+[A-Z]", rest):
            return short
        ends = short in tables.MAY_END and short not in ("St.", "Dr.") and _ends(match)
        if short in ("Dr.", "Co.", "max.") and not rest.strip():
            ends = True
        return _SHORT_FORMS[short] + ("." if ends else "")

    return _SHORT.sub(spell, text)


def _single_initials(text: str) -> str:
    """ "John F. Kennedy": the full stop after an initial between names goes; "Vitamin C. It …" keeps it."""
    kept = (
        r"(?:Plan|Vitamin|Hepatitis|Grade|Type|Class|Group|Section|Part|Appendix|Option|Room|Gate|Team|Block|Exhibit)"
    )
    starters = "|".join(tables.STARTERS)
    return re.sub(rf"(\b(?!{kept}\b)[A-Z][a-z]+ [A-HJ-Z])\.(?= (?!(?:{starters})\b)[A-Z][a-z])", r"\1", text)


def _romans(text: str) -> str:
    """Numerals after a sovereign's name ("Henry VIII") or what is numbered ("Chapter IV"), and of centuries."""

    def nth(match: Match) -> str:
        value = roman(match[2])
        if value is None or match[1].split()[-1] not in tables.SOVEREIGNS:
            return match[0]
        return f"{match[1]} the {ordinal(value, 'en').capitalize()}"

    # A lone I may be the speaker; it is a numeral only where the sentence cannot go on with "I".
    numeral = rf"((?!I\b){ROMAN}|I(?=[.,;:)]|$|\s(?:of|was|is|died|ruled|reigned|became|and|had)\b))\b(?!['-])"
    text = re.sub(rf"\b([A-Z][a-z]+)\s{numeral}", nth, text)

    def counted(match: Match) -> str:
        value = roman(match[2])
        if value is None:
            return match[0]
        words = cardinal(value, "en")
        return f"{match[1]} {words.capitalize() if match[1] == 'World War' else words}"

    text = re.sub(rf"\b({'|'.join(tables.NUMBERED)})\s((?!I\b){ROMAN}|I(?!\s[a-z]|'))\b", counted, text)

    def century(match: Match) -> str:
        value = roman(match[1])
        return match[0] if value is None else ordinal(value, "en")

    return re.sub(rf"\b({ROMAN})(?:th|st|nd|rd)?(?=\s[Cc]entur)", century, text)


def _money(text: str) -> str:
    """Codes, short magnitudes, ranges and prices by the piece, as the shared rule for money reads them."""
    codes = "|".join(_CODES)
    text = re.sub(rf"\b({codes})\s?(?=\d)", lambda m: _CODES[m[1]], text)
    text = re.sub(rf"(?<=\d)\s?({codes})\b", lambda m: _CODES[m[1]], text)
    text = re.sub(rf"(-?{_SIGNS}\s?[\d.,]*\d)\s?(mn|bn|tn|[kKmMbB])\b", lambda m: f"{m[1]} {_LARGE[m[2]]}", text)
    text = re.sub(rf"({_SIGNS})\s?([\d.,]*\d)\s?[–-]\s?(?=\d)", r"\2 to \1", text)
    text = re.sub(rf"(?:(?<=\d)|(?<=illion))\s?[–-]\s?(?={_SIGNS})", " to ", text)
    text = re.sub(rf"({_SIGNS}\s?[\d.,]*\d(?:\s[a-z]+illion)?)\s?/\s?(?=[a-z])", r"\1 per ", text)
    return re.sub(
        r"(?<![\w.,])(\d+)\s?¢", lambda m: f"{cardinal(int(m[1]), 'en')} cent{'' if m[1] == '1' else 's'}", text
    )


def _arithmetic(text: str) -> str:
    """Operators and comparisons beside numbers, powers, "No." as "#"."""
    if "=" in text:
        text = re.sub(r"(?<=[\d)])\s[–-]\s(?=[\d(])", " minus ", text)
    text = re.sub(r"(?<=\d)(?:x|×)(?=\d)", " by ", text)
    text = re.sub(r"(?<=\d)\s[x×*]\s(?=\d)", " times ", text)
    text = re.sub(r"(?<=\d)[x×](?!\w)", " times", text)
    text = re.sub(r"(?<=\d)\s/\s(?=\d)|÷", " divided by ", text)
    text = re.sub(r"<=(?=\s?[\w-])|≤", " at most ", re.sub(r">=(?=\s?[\w-])|≥", " at least ", text))
    text = re.sub(r"(?<=\d)\s?<\s?(?=\w)|(?<=\w)\s?<\s?(?=-?\d)|(?<!\w)<\s?(?=\d)", " less than ", text)
    text = re.sub(r"(?<=\d)\s?>\s?(?=\w)|(?<=\w)\s?>\s?(?=-?\d)|(?<!\w)>\s?(?=\d)", " greater than ", text)
    text = re.sub(r"\b(\w) < (?=\w\b)", r"\1 less than ", re.sub(r"\b(\w) > (?=\w\b)", r"\1 greater than ", text))
    text = re.sub(r"\b([A-G])#(?!\w)", r"\1 sharp", text)
    text = re.sub(r"(?<!\w)~\s?(?=[\d$€£])", "about ", text)
    text = re.sub(r"\^2(?!\d)", " squared", re.sub(r"\^3(?!\d)", " cubed", text))
    text = re.sub(r"\^(?=-?\w)", " to the power of ", text)
    return re.sub(r"#\s?(?=\d)", "number ", text)


def _fractions(text: str) -> str:
    """ "1/2", "3 1/4", "2/3"; of ten or a hundred it is a mark: "8/10" as "eight out of ten"."""

    def say(match: Match) -> str:
        whole, top, bottom = match["whole"], int(match["top"]), int(match["bottom"])
        if not top or not bottom or bottom == 1 or len(match["bottom"]) > 3 or len(match["top"]) > 3:
            return match[0]
        if top >= bottom or (bottom in (10, 100) and top > 1):
            return (
                match[0]
                if whole
                else f"{cardinal(top, 'en')} {'out of' if top <= bottom else 'over'} {cardinal(bottom, 'en')}"
            )
        one, more = tables.FRACTIONS.get(bottom, (ordinal(bottom, "en"), ordinal(bottom, "en") + "s"))
        part = f"{cardinal(top, 'en')} {one if top == 1 else more}"
        if not whole:
            return part
        return f"{cardinal(int(whole), 'en')} and {'a half' if (top, bottom) == (1, 2) else part}"

    found = (
        r"(?<![\w.,/$€£-])(?:(?P<whole>\d{1,3})[ -])?(?P<top>\d+)/(?P<bottom>\d+)(?:th|ths|rd|rds|nd)?(?![\w/]|[.,]\d)"
    )
    return re.sub(found, say, text)
