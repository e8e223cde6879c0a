"""The languages without rules of their own: numbers, decimals, money, percentages, ordinals and signs."""

from __future__ import annotations

import pytest

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.languages import LANGUAGES
from xttsproject.xtts.normaliser import normalise

OTHERS = [
    ("es", "12,50 € y 3 %", "doce euros cincuenta y tres por ciento"),
    ("fr", "1 234 livres à 12,50 €", "mille deux cent trente-quatre livres à douze euros cinquante"),
    ("de", "1.234 Leute, 3,5 %", "eintausendzweihundertvierunddreißig Leute, drei Komma fünf Prozent"),
    ("it", "2 dollari, 3,14", "due dollari, tre virgola uno quattro"),
    ("pl", "5 $ i 2 $", "pięć dolarów i dwa dolary"),
    ("tr", "%5 değil, 50% ve %12,5", "yüzde beş değil, yüzde elli ve yüzde oniki virgül beş"),
    ("ru", "21 $ и 3 %", "двадцать один доллар и три процента"),
    ("nl", "-3 graden & 10%", "min drie graden en tien procent"),
    ("cs", "-2 a 5 €", "minus dva a pět eur"),
    ("ar", "5%", "خمسة بالمئة"),
    ("zh-cn", "我有10010元和3.5%", "我有一万零一十元和百分之三点五"),
    ("zh-cn", "105000001人, 20个", "一亿零五百万零一人, 二十个"),
    ("hu", "3,5 alma", "három egész öt tized alma"),
    ("ko", "10 %", "십 퍼센트"),
    ("ja", "1234円と50%", "千二百三十四円と五十パーセント"),
    ("hi", "1234 और 5%", "एक हज़ार दो सौ चौंतीस और पाँच प्रतिशत"),
]
# Two whole numbers a language; Chinese and Hindi ones are our own, for num2words has neither.
NUMBERS = [
    ("es", "31 y 1.200", "treinta y uno y mil doscientos"),
    ("es", "2026", "dos mil veintiséis"),
    ("fr", "71 et 2 000", "soixante et onze et deux mille"),
    ("fr", "1999", "mille neuf cent quatre-vingt-dix-neuf"),
    ("de", "21 und 3.000", "einundzwanzig und dreitausend"),
    ("de", "777", "siebenhundertsiebenundsiebzig"),
    ("it", "28 e 1.001", "ventotto e milleuno"),
    ("it", "500", "cinquecento"),
    ("pl", "12 i 200", "dwanaście i dwieście"),
    ("pl", "1 000", "tysiąc"),
    ("tr", "45 ve 300", "kırkbeş ve üçyüz"),
    ("tr", "1.000", "bin"),
    ("ru", "21 и 100", "двадцать один и сто"),
    ("ru", "40", "сорок"),
    ("nl", "22 en 1.500", "tweeëntwintig en duizendvijfhonderd"),
    ("nl", "80", "tachtig"),
    ("cs", "33 a 100", "třicet tři a sto"),
    ("cs", "7", "sedm"),
    ("ar", "3", "ثلاثة"),
    ("ar", "٥٠", "خمسون"),
    ("zh-cn", "24", "二十四"),
    ("zh-cn", "3008", "三千零八"),
    ("hu", "15 és 200", "tizenöt és kétszáz"),
    ("hu", "1 000", "ezer"),
    ("ko", "25", "이십오"),
    ("ko", "300", "삼백"),
    ("ja", "68", "六十八"),
    ("ja", "10000", "一万"),
    ("hi", "99", "निन्यानवे"),
    ("hi", "१०००००", "एक लाख"),
]


@pytest.mark.parametrize(("language", "written", "spoken"), NUMBERS)
def test_whole_numbers(language: str, written: str, spoken: str) -> None:
    assert normalise(written, language) == spoken


def test_each_of_the_other_languages_has_two_cases() -> None:
    assert all(sum(case[0] == code for case in NUMBERS) == 2 for code in LANGUAGES if code not in ("en", "pt"))


@pytest.mark.parametrize(("language", "written", "spoken"), OTHERS)
def test_other_languages(language: str, written: str, spoken: str) -> None:
    assert normalise(written, language) == spoken


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_says_numbers_money_and_percentages_without_digits(language: str) -> None:
    spoken = normalise("-17, 0, 21, 105, 999999, 12 $, 7 €, 3 £, 44 %, 2024", language)

    assert not any(character.isdigit() or character in "$€£%" for character in spoken)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(DomainError) as caught:
        normalise("tere", "et")

    assert caught.value.code == "language_unsupported"


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("fr", "Le 1er mai, la 2e fois", "Le premier mai, la deuxième fois"),
        ("de", "Am 3. Mai", "Am dritte Mai"),
        ("de", "Er wurde 33. Dann ging er.", "Er wurde dreiunddreißig. Dann ging er."),
        ("es", "El 1º de mayo", "El primero de mayo"),
        ("it", "il 1º maggio", "il primo maggio"),
        ("nl", "de 3e keer", "de derde keer"),
        ("ru", "5-й", "пятый"),
    ],
)
def test_ordinals_of_other_languages_are_said_as_ordinals(language: str, written: str, spoken: str) -> None:
    assert normalise(written, language) == spoken


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("de", "1985 und 2026", "neunzehnhundertfünfundachtzig und zweitausendsechsundzwanzig"),
        ("de", "1.985", "eintausendneunhundertfünfundachtzig"),
        ("nl", "in 1985", "in negentienhonderd vijfentachtig"),
    ],
)
def test_german_and_dutch_say_years_by_hundreds_but_count_by_thousands(
    language: str, written: str, spoken: str
) -> None:
    assert normalise(written, language) == spoken


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en", "pt"}))
def test_no_digit_is_left_for_the_tokenizer_to_read_in_its_own_way(language: str) -> None:
    written = (
        "1234, 3,5 3.5 20 € $ 5 25 % 1985 21. 2º 14:30 1e 2nd 3-й 20/11/2026 5 km 1.234.567,89 (11) 91234-5678 ٣ ३"
    )
    assert not any(sign.isdigit() for sign in normalise(written, language))
