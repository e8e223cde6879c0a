"""Whole and decimal numbers in words for the languages that XTTS speaks."""

from __future__ import annotations

import re
from decimal import Decimal

from xttsproject.xtts.normaliser.tables import MINUS, NO_SPACES, POINT, Forms

# num2words spells these languages' decimals as fractions, as their speakers do.
_FRACTIONS = frozenset({"ru", "pl", "cs", "hu"})
_LIBRARY_CODE = {"pt": "pt_BR"}
# Longer than this nobody reads as one number.
LONGEST = 15

_CHINESE = "零一二三四五六七八九"
# Hindi has a word of its own for each number below a hundred; ten to a row.
_HINDI_ROWS = (
    "शून्य एक दो तीन चार पाँच छह सात आठ नौ",
    "दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस",
    "बीस इक्कीस बाईस तेईस चौबीस पच्चीस छब्बीस सत्ताईस अट्ठाईस उनतीस",
    "तीस इकतीस बत्तीस तैंतीस चौंतीस पैंतीस छत्तीस सैंतीस अड़तीस उनतालीस",
    "चालीस इकतालीस बयालीस तैंतालीस चौवालीस पैंतालीस छियालीस सैंतालीस अड़तालीस उनचास",
    "पचास इक्यावन बावन तिरपन चौवन पचपन छप्पन सत्तावन अट्ठावन उनसठ",
    "साठ इकसठ बासठ तिरसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर",
    "सत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर सतहत्तर अठहत्तर उन्यासी",
    "अस्सी इक्यासी बयासी तिरासी चौरासी पचासी छियासी सत्तासी अट्ठासी नवासी",
    "नब्बे इक्यानवे बानवे तिरानवे चौरानवे पचानवे छियानवे सत्तानवे अट्ठानवे निन्यानवे",
)
_HINDI = tuple(word for row in _HINDI_ROWS for word in row.split())


def cardinal(number: int, language: str, *, feminine: bool = False) -> str:
    """A whole number in words, without the commas that some languages' libraries put in.

    ``feminine`` agrees with a feminine noun and is known for Portuguese; millions are masculine whatever they count.
    """
    if number < 0:
        gap = "" if language in NO_SPACES else " "
        return MINUS[language] + gap + cardinal(-number, language)
    if language == "zh-cn":
        return _chinese(number)
    if language == "hi":
        return _hindi(number)
    from num2words import num2words

    words = str(num2words(number, lang=_LIBRARY_CODE.get(language, language))).replace(",", "")
    if feminine and language == "pt":
        return _feminine(words)
    return words


def _feminine(words: str) -> str:
    """Portuguese numerals that agree: "duzentas e duas", "dois milhões e duas"."""
    agreeing = {"um": "uma", "dois": "duas"}
    parts = words.split()
    last = max((place for place, word in enumerate(parts) if re.search("ilh(ão|ões)$", word)), default=-1)
    small = (re.sub("entos$", "entas", agreeing.get(word, word)) for word in parts[last + 1 :])
    return " ".join([*parts[: last + 1], *small])


def year(number: int, language: str = "en") -> str:
    """A year as English, German and Dutch say it: "nineteen eighty-five", "neunzehnhundertfünfundachtzig"."""
    from num2words import num2words

    return str(num2words(number, lang=language, to="year")).replace(" honderd", "honderd")


def ordinal(number: int, language: str, *, feminine: bool = False) -> str:
    """An ordinal in English or Portuguese."""
    from num2words import num2words

    words = str(num2words(number, lang=_LIBRARY_CODE.get(language, language), to="ordinal")).replace(",", "")
    if feminine:
        words = " ".join(word[:-1] + "a" if word.endswith("o") else word for word in words.split())
    return words


def decimal(whole: str, fraction: str, language: str) -> str:
    """A decimal number from the digits before and after its point."""
    if language in _FRACTIONS and len(fraction) <= 3 and int(fraction):
        from num2words import num2words

        return str(num2words(Decimal(f"{int(whole)}.{fraction}"), lang=language)).replace(",", "")
    # Portuguese reads two digits as a number: "três vírgula catorze".
    if language == "pt" and len(fraction) <= 2 and not fraction.startswith("0"):
        tail = cardinal(int(fraction), language)
    else:
        tail = digits(fraction, language)
    gap = "" if language in NO_SPACES else " "
    return gap.join((cardinal(int(whole), language), POINT[language], tail))


def digits(text: str, language: str) -> str:
    """Digit by digit."""
    return ("" if language in NO_SPACES else " ").join(cardinal(int(digit), language) for digit in text)


def counted(number: int, forms: Forms) -> str:
    """The form of a noun after a number: (always), (1, other) or the Slavic (1, 2–4, other)."""
    if len(forms) == 1:
        return forms[0]
    if len(forms) == 2:
        return forms[0] if number == 1 else forms[1]
    russian = forms[0][0] > "\u0400"
    last, last_two = number % 10, number % 100
    if number == 1 or (russian and last == 1 and last_two != 11):
        return forms[0]
    few = last in (2, 3, 4) and last_two not in (12, 13, 14)
    return forms[1] if few else forms[2]


def _chinese(number: int) -> str:
    """Numerals in groups of four digits (万, 亿), with one 零 for a gap; 十 without 一 at the beginning."""
    if number == 0:
        return _CHINESE[0]
    units = ("", "万", "亿", "万亿")
    groups: list[int] = []
    while number:
        number, group = divmod(number, 10_000)
        groups.append(group)
    text, gap = "", False
    for index in range(len(groups) - 1, -1, -1):
        group = groups[index]
        if not group:
            gap = bool(text)
            continue
        if text and (gap or group < 1000):
            text += _CHINESE[0]
        text, gap = text + _chinese_group(group) + units[index], False
    return text[1:] if text.startswith("一十") else text


def _chinese_group(group: int) -> str:
    text, gap = "", False
    for value, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = group // value % 10
        if digit:
            text += (_CHINESE[0] if gap and text else "") + _CHINESE[digit] + unit
        gap = not digit
    return text


def _hindi(number: int) -> str:
    if number < 100:
        return _HINDI[number]
    for value, unit in ((10_000_000, "करोड़"), (100_000, "लाख"), (1000, "हज़ार"), (100, "सौ")):
        if number >= value:
            head, rest = divmod(number, value)
            return f"{_hindi(head)} {unit}" + (f" {_hindi(rest)}" if rest else "")
    raise AssertionError("every number from 100 on has a unit")
