"""Dates, times of day, years and decades in English.

Conventions: a month before its day is read "November twentieth", a day before its month "the twentieth of November"
(The Chicago Manual of Style 9.31; New Hart's Rules 11.5). Of two numbers that could both be a month, the first is it
when slashes part them (the American order, which most English text on the web has) and the second when full stops do.
"""

from __future__ import annotations

import re

from xttsproject.xtts.normaliser.english_tables import COUNTED, DAYS, MONTHS, NO_PLURALS, SHORT_MONTHS, YEAR_FOLLOWS
from xttsproject.xtts.normaliser.numerals import cardinal, ordinal, year

Match = re.Match[str]

_MONTH = rf"(?P<month>(?:{'|'.join(MONTHS)})|(?:{'|'.join(sorted(SHORT_MONTHS, key=len, reverse=True))})\b\.?)"
_DAY = r"(?P<day>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?(?![\d:/%]|-(?!\d{1,2}\b)|[.,]\d|\w)"
_YEAR = r"(?:,?\s(?P<year>[12]\d{3})(?!\d|[.,]\d|\s?(?:[ap]\.?m\b)))?"
_TENS = {10: "tens", 20: "twenties", 30: "thirties", 40: "forties", 50: "fifties", 60: "sixties", 70: "seventies",
         80: "eighties", 90: "nineties"}  # fmt: skip


def say_dates(text: str) -> str:
    """Dates in figures or with a month's name, short or long."""
    text = re.sub(r"(?<![\d.,/-])(\d{4})-(\d\d)-(\d\d)(?![\d-])", lambda m: _figures(m, m[2], m[3], m[1], True), text)
    text = re.sub(
        r"(?<![\d.,/-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|(?<=/)\d\d)(?![\d/-]|[.,]\d)",
        _three,
        text,
    )
    text = re.sub(r"(?<=\d(?:st|nd|rd|th))\s?[–-]\s?(?=\d)", " to ", text)
    days = "|".join(DAYS)
    text = re.sub(rf"\b({days})\b\.?,?(?=\s(?:{_bare(_MONTH)}|\d))", lambda m: DAYS[m[1]] + _comma(m), text)
    text = re.sub(r"\b(Tues?|Wed|Thurs?|Thu|Fri)\.(?=\s[a-z]|,)", lambda m: DAYS[m[1]], text)
    text = re.sub(
        rf"\b{_MONTH}\s(?:the\s)?{_DAY}(?:\s?[–-]\s?(?P<last>\d{{1,2}})(?![\d:/-]|\s?\d))?{_YEAR}", _month_first, text
    )
    text = re.sub(
        rf"(?<![\d.,/:$£€-])\b(?:(?P<the>[Tt]he)\s)?{_DAY}\s(?:of\s)?{_MONTH}(?![\w-]){_YEAR}", _day_first, text
    )
    return re.sub(
        rf"\b{_MONTH},?\s(?P<year>[12]\d{{3}})(?!\d|[.,]\d)", lambda m: f"{_name(m)} {year(int(m['year']))}", text
    )


def _bare(pattern: str) -> str:
    return re.sub(r"\?P<\w+>", "?:", pattern)


def _comma(match: Match) -> str:
    return "," if match[0].endswith(",") else ""


def _name(match: Match) -> str:
    short = match["month"].rstrip(".")
    return SHORT_MONTHS.get(short, short)


def _three(match: Match) -> str:
    first, second = int(match[1]), int(match[3])
    month_first = second > 12 or (match[2] == "/" and first <= 12)
    month, day = (match[1], match[3]) if month_first else (match[3], match[1])
    return _figures(match, month, day, match[4], month_first)


def _figures(match: Match, month: str, day: str, of_year: str, month_first: bool) -> str:
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return match[0]
    name, nth = MONTHS[int(month) - 1], ordinal(int(day), "en")
    when = year(int(of_year)) if len(of_year) == 4 else _short_year(of_year)
    return f"{name} {nth}, {when}" if month_first else f"the {nth} of {name} {when}"


def _short_year(two: str) -> str:
    return f"oh {cardinal(int(two), 'en')}" if two.startswith("0") else cardinal(int(two), "en")


def _month_first(match: Match) -> str:
    spoken = f"{_name(match)} {ordinal(int(match['day']), 'en')}"
    if match["last"]:
        spoken += f" to {ordinal(int(match['last']), 'en')}"
    return f"{spoken}, {year(int(match['year']))}" if match["year"] else spoken


def _day_first(match: Match) -> str:
    spoken = f"{match['the'] or 'the'} {ordinal(int(match['day']), 'en')} of {_name(match)}"
    return f"{spoken} {year(int(match['year']))}" if match["year"] else spoken


def say_times(text: str) -> str:
    """ "2:30 pm" as "two thirty P M", "9:00" as "nine o'clock", "14:05" as "fourteen oh five"."""
    text = re.sub(
        r"(?i)(?:(?<=\d)|(?<=[ap]m)|(?<=[ap]\.m\.))\s?[–-]\s?(?=\d{1,2}(?:[:.]\d\d)?\s?[ap]\.?m\b)", " to ", text
    )
    text = re.sub(r"(?<=\d:\d\d)\s?[–-]\s?(?=\d{1,2}:\d\d)", " to ", text)
    text = re.sub(
        r"(?<![\d.,:])(\d{1,2})(?:[:.]([0-5]\d)(?::([0-5]\d))?)?\s?([ap])(?:m\b|\.m\.?)",
        _with_half,
        text,
        flags=re.IGNORECASE,
    )
    text = re.sub(r"(?<![\d.,:])([01]?\d|2[0-3])[:h]([0-5]\d)(?::([0-5]\d))?(?![\d:]|[.,]\d|\w)", _clock, text)
    # What is left of colons between digits is a ratio or a score.
    return re.sub(r"(?<![\d:])(\d+):(\d+)(?![\d:])", r"\1 to \2", text)


def _minutes(minutes: str | None) -> str:
    if not minutes or minutes == "00":
        return ""
    return " oh " + cardinal(int(minutes), "en") if minutes[0] == "0" else " " + cardinal(int(minutes), "en")


def _seconds(seconds: str | None) -> str:
    if not seconds:
        return ""
    return f" and {cardinal(int(seconds), 'en')} second{'' if int(seconds) == 1 else 's'}"


def _with_half(match: Match) -> str:
    if int(match[1]) > 23:
        return match[0]
    rest = match.string[match.end() :]
    ends = match[0].endswith(".") and (not rest.strip(" \"')") or re.match(r"[\"')]*\s+[A-Z]", rest))
    half = f"{match[4].upper()} M"
    return f"{cardinal(int(match[1]), 'en')}{_minutes(match[2])}{_seconds(match[3])} {half}{'.' if ends else ''}"


def _clock(match: Match) -> str:
    hour = int(match[1])
    if match[3]:
        return f"{cardinal(hour, 'en')}{_minutes(match[2]) or ' hundred'}{_seconds(match[3])}"
    if match[2] != "00":
        return cardinal(hour, "en") + _minutes(match[2])
    if hour == 0:
        return "midnight"
    return cardinal(hour, "en") + (" o'clock" if hour <= 12 else " hundred")


def say_decades(text: str) -> str:
    """ "1990s" and "'90s"; "90s" alone only after a word that goes before decades, since it may be seconds."""
    text = re.sub(r"(?<![.,\d])'?\b(1\d|20)(\d0)'?s\b", _decade, text)
    return re.sub(
        r"(?i)(?:(?<![\w])'|(\b(?:the|his|her|their|my|our|your|early|late|mid|in)[ -]'?))([2-9]0)'?s\b",
        lambda m: (m[1] or "").replace("'", "") + _TENS[int(m[2])],
        text,
    )


def say_years(text: str) -> str:
    """Years of an era, and numbers of four digits that are years.

    From 1100 to 2099 a bare number is a year unless what follows is counted: a plural ("1500 soldiers") or "people".
    """
    text = re.sub(r"\bAD (?=\d)", "A D ", text)
    text = re.sub(r"(?<!\w)'(\d\d)(?![\w'])", lambda m: _short_year(m[1]), text)
    text = re.sub(r"(?<![\w.,])(\d{1,4})\s(BCE?|CE|AD)(?!\w)", lambda m: f"{year(int(m[1]))} {' '.join(m[2])}", text)
    text = re.sub(
        r"(?i)(\b(?:in|since|until|year|circa|A D)\s)(10\d\d)(?!\w|[.,]\d)",
        lambda m: m[1] + year(int(m[2])),
        text,
    )
    return re.sub(r"(?<![\w.,/])((?:1[1-9]|20)\d\d)(?!\w|[.,/]\d)", _year_or_count, text)


def _decade(match: Match) -> str:
    century, decade = int(match[1]), int(match[2])
    if decade:
        return f"{cardinal(century, 'en')} {_TENS[decade]}"
    return f"{cardinal(century // 10, 'en')} thousands" if century % 10 == 0 else f"{cardinal(century, 'en')} hundreds"


def _year_or_count(match: Match) -> str:
    before = re.search(r"(\w+)\W{1,2}$", match.string[: match.start()])
    after = re.match(r"[ -]([a-z]+)(?![\w'])", match.string[match.end() :])
    follows_year_word = before is not None and before[1].lower() in YEAR_FOLLOWS
    if after is not None and not follows_year_word:
        word = after[1]
        plural = word.endswith("s") and not word.endswith("ss") and word not in NO_PLURALS
        if word in COUNTED or plural:
            return cardinal(int(match[1]), "en")
    return year(int(match[1]))
