"""Dates and times of day in Brazilian Portuguese: the day first, hours feminine, the first of a month an ordinal.

Manual de Redação da Presidência da República (3rd ed., 2018), on dates; hours as in "14h30" after Inmetro.
"""

from __future__ import annotations

import re

from xttsproject.xtts.normaliser.numerals import cardinal
from xttsproject.xtts.normaliser.portuguese_tables import MONTHS, SHORT_MONTHS

Match = re.Match[str]

_NAMES = rf"(?:{'|'.join(MONTHS)})"
_SHORT = rf"(?:{'|'.join(SHORT_MONTHS)})"


def say_dates(text: str) -> str:
    """ "20/11/2026" as "vinte de novembro de dois mil e vinte e seis"; "1º" and "1" of a month as "primeiro"."""
    text = re.sub(r"(?<![\d.,/-])(\d{4})-(\d\d)-(\d\d)(?![\d-])", lambda m: _date(m, m[3], m[2], m[1]), text)
    text = re.sub(
        r"(?<![\d.,/-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|(?<=/)\d\d)(?![\d/-]|[.,]\d)",
        lambda m: _date(m, m[1], m[3], m[4]),
        text,
    )
    # Without a year it is a date, and no fraction, after a word that goes before dates or written with two digits.
    text = re.sub(
        r"(?i)(\b(?:dias?|em|no|desde|até|de|do|entre|para|segunda|terça|quarta|quinta|sexta|sábado|domingo)"
        r"[ ,(]+)(\d{1,2})/(\d{2})(?![\d/]|[.,]\d)",
        lambda m: m[1] + _date(m, m[2], m[3], "", m[0][len(m[1]) :]),
        text,
    )
    text = re.sub(r"(?<![\w.,/-])([0-3]\d)/([01]\d)(?![\d/]|[.,]\d)", lambda m: _date(m, m[1], m[2], ""), text)
    text = re.sub(
        rf"(?i)(?<![\d.,/])(0?1|[1-3]?\d)(?:º|°|o)?(\s(?:de\s)?|/)({_NAMES}\b|{_SHORT}\b\.?)((?:\s(?:de\s)?|/)\d{{4}})?(?!\w)",
        _named,
        text,
    )
    return re.sub(
        rf"(?i)\b({_SHORT})\.?(?:/|\s(?:de\s)?)(?=\d{{4}}\b|\d\d\b(?!\s?%))",
        lambda m: SHORT_MONTHS[m[1].lower()] + " de ",
        text,
    )


def _day(day: int) -> str:
    return "primeiro" if day == 1 else cardinal(day, "pt")


def _date(match: Match, day: str, month: str, of_year: str, otherwise: str | None = None) -> str:
    if not (1 <= int(day) <= 31 and 1 <= int(month) <= 12):
        return match[0] if otherwise is None else otherwise
    spoken = f"{_day(int(day))} de {MONTHS[int(month) - 1]}"
    return f"{spoken} de {cardinal(int(of_year), 'pt')}" if of_year else spoken


def _named(match: Match) -> str:
    day, name = int(match[1]), match[3].lower().rstrip(".")
    short = name in SHORT_MONTHS
    if not 1 <= day <= 31 or (short and match[2].isspace() and not match[4]):
        return match[0]
    spoken = f"{_day(day)} de {SHORT_MONTHS.get(name, name)}"
    of_year = re.sub(r"\D", "", match[4] or "")
    stop = "." if match[3].endswith(".") and not of_year and not match.string[match.end() :].strip() else ""
    return (f"{spoken} de {cardinal(int(of_year), 'pt')}" if of_year else spoken) + stop


def say_times(text: str) -> str:
    """ "14h30" and "14:30" as "catorze horas e trinta", "1h" as "uma hora", "2h15min" with its minutes named."""
    text = re.sub(
        r"(?<=\dh)\s?[–-]\s?(?=\d)|(?<=\d:\d\d)\s?[–-]\s?(?=\d{1,2}:\d\d)|(?<=h\d\d)\s?[–-]\s?(?=\d)", " a ", text
    )
    text = re.sub(
        r"(?<![\w.,:/])(\d{1,3})\s?h(?:(\d{2})(?:\s?(min|m)\b)?(?:(\d{2})s)?|\s?(\d{1,2})\s?min)?(?![\w/])",
        _hours,
        text,
    )
    text = re.sub(
        r"(?<![\w.,:/])([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?:\s?h(?:s|rs|oras)?\b)?(?![\d:]|[.,]\d)", _clock, text
    )
    return re.sub(r"(?<![\d:])(\d+):(\d+)(?![\d:])", r"\1 a \2", text)


def _hour(hour: int) -> str:
    return f"{cardinal(hour, 'pt', feminine=True)} hora{'' if hour in (0, 1) else 's'}"


def _hours(match: Match) -> str:
    minutes = int(match[2] or match[5] or 0)
    spoken = _hour(int(match[1]))
    if not minutes:
        return spoken
    named = f" minuto{'' if minutes == 1 else 's'}" if match[3] or match[5] else ""
    spoken = f"{spoken} e {cardinal(minutes, 'pt')}{named}"
    return f"{spoken} e {cardinal(int(match[4]), 'pt')} segundos" if match[4] else spoken


def _clock(match: Match) -> str:
    spoken, minutes = _hour(int(match[1])), int(match[2])
    if minutes:
        spoken += f" e {cardinal(minutes, 'pt')}"
    if match[3]:
        seconds = int(match[3])
        spoken += f" e {cardinal(seconds, 'pt')} segundo{'' if seconds == 1 else 's'}"
    return spoken
