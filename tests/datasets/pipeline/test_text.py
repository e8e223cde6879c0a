"""Written to spoken, case by case."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datasets.pipeline.text import check_text, normalise
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.languages import LANGUAGES

ENGLISH = [
    (
        "Dr. Smith paid $1,234.56 for 3 chairs.",
        "Doctor Smith paid one thousand two hundred and thirty-four dollars and fifty-six cents for three chairs.",
    ),
    ("It costs $5.", "It costs five dollars."),
    ("It costs $1.", "It costs one dollar."),
    ("$0.99 each", "ninety-nine cents each"),
    ("£2.01 or £3.50", "two pounds and one penny or three pounds and fifty pence"),
    ("€1 million", "one million euros"),
    ("$2.5 billion", "two point five billion dollars"),
    ("US$ 20", "twenty dollars"),
    ("R$ 10", "ten reais"),
    ("12.50 € for 3", "twelve euros and fifty cents for three"),
    ("The 21st century", "The twenty-first century"),
    ("1st 2nd 3rd 11th 103rd", "first second third eleventh one hundred and third"),
    ("In 1985 and 2001", "In nineteen eighty-five and two thousand and one"),
    ("in 1455", "in fourteen fifty-five"),
    ("12% of 3.5 million", "twelve percent of three point five million"),
    ("0.5% more", "zero point five percent more"),
    ("3.14159", "three point one four one five nine"),
    ("1,000,000 stars", "one million stars"),
    ("It was -5 degrees", "It was minus five degrees"),
    ("25°C", "twenty-five degrees Celsius"),
    ("10–20 people, 5-6 dogs", "ten to twenty people, five to six dogs"),
    ("“Hello,” she said — ‘really?’", "Hello, she said, really?"),
    ("a well-known, twenty-one-year-old story", "a well-known, twenty-one-year-old story"),
    ("one - two -- three", "one, two, three"),
    ("don't stop, it’s fine", "don't stop, it's fine"),
    ("Mr. & Mrs. Jones", "Mister and Missus Jones"),
    ("St. Paul lives on Main St. today", "Saint Paul lives on Main St. today"),
    ("e.g. this, etc. And that, etc.", "for example this, et cetera. And that, et cetera."),
    ("mp3 files for B2B", "mp three files for B two B"),
    ("agent 007", "agent zero zero seven"),
    ("version 1.2.3", "version one point two point three"),
    ("rooms 1,2 and 3", "rooms one, two and three"),
    ("(see page 12)", "see page twelve"),
    ("Wait… what?!", "Wait... what?"),
    ("  too \u00a0 many\n\tspaces\u200b ", "too many spaces"),
    ("already spoken", "already spoken"),
]  # fmt: skip
PORTUGUESE = [
    ("R$ 1.234,56", "mil duzentos e trinta e quatro reais e cinquenta e seis centavos"),
    ("R$ 1,00", "um real"),
    ("R$ 0,50", "cinquenta centavos"),
    ("R$ 21,01", "vinte e um reais e um centavo"),
    ("R$ 2 milhões", "dois milhões de reais"),
    ("R$ 100 mil", "cem mil reais"),
    ("R$ 1.000.000,00", "um milhão de reais"),
    ("US$ 5", "cinco dólares"),
    ("€ 12,50", "doze euros e cinquenta centavos"),
    ("£ 1 e £ 202", "uma libra e duzentas e duas libras"),
    ("a 3ª vez", "a terceira vez"),
    ("o 21º lugar", "o vigésimo primeiro lugar"),
    ("a 22.ª edição", "a vigésima segunda edição"),
    ("1º de maio", "primeiro de maio"),
    ("25%", "vinte e cinco por cento"),
    ("99,9 %", "noventa e nove vírgula nove por cento"),
    ("3,14", "três vírgula catorze"),
    ("0,05", "zero vírgula zero cinco"),
    ("3.5", "três vírgula cinco"),
    ("1.234 pessoas", "mil duzentos e trinta e quatro pessoas"),
    ("1.234.567", "um milhão duzentos e trinta e quatro mil quinhentos e sessenta e sete"),
    ("O Dr. João mora na Av. Brasil, nº 45.", "O Doutor João mora na Avenida Brasil, número quarenta e cinco."),
    ("Sra. Ana e Sr. José", "Senhora Ana e Senhor José"),
    ("S. Paulo", "São Paulo"),
    ("em 1985", "em mil novecentos e oitenta e cinco"),
    ("10–20 pessoas", "dez a vinte pessoas"),
    ("-5 graus", "menos cinco graus"),
    ("35°C", "trinta e cinco graus Celsius"),
    ("“Olá”, disse ela — sim", "Olá, disse ela, sim"),
    ("«Bom dia»", "Bom dia"),
    ("guarda-chuva e dizê-lo-ei", "guarda-chuva e dizê-lo-ei"),
    ("etc. E depois", "et cetera. E depois"),
    ("às 14h30", "às catorze horas e trinta"),
    ("às 2h", "às duas horas"),
    ("5 & 6", "cinco e seis"),
    ("agente 007", "agente zero zero sete"),
]  # fmt: skip
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


@pytest.mark.parametrize(("written", "spoken"), ENGLISH)
def test_english(written: str, spoken: str) -> None:
    assert normalise(written, "en") == spoken


@pytest.mark.parametrize(("written", "spoken"), PORTUGUESE)
def test_portuguese(written: str, spoken: str) -> None:
    assert normalise(written, "pt") == spoken


@pytest.mark.parametrize(("language", "written", "spoken"), OTHERS)
def test_other_languages(language: str, written: str, spoken: str) -> None:
    assert normalise(written, language) == spoken


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_says_numbers_money_and_percentages_without_digits(language: str) -> None:
    spoken = normalise("-17, 0, 21, 105, 999999, 12 $, 7 €, 3 £, 44 %, 2024", language)

    assert not any(character.isdigit() or character in "$€£%" for character in spoken)


@example(".[0", "ar")
@given(st.text(max_size=60), st.sampled_from(sorted(LANGUAGES)))
def test_any_text_at_all_is_normalised_and_stays_so(text: str, language: str) -> None:
    once = normalise(text, language)

    assert once == " ".join(once.split())
    assert normalise(once, language) == once


@given(st.integers(0, 10**15 - 1), st.sampled_from(sorted(LANGUAGES)))
def test_every_number_becomes_letters(number: int, language: str) -> None:
    spoken = normalise(str(number), language)

    assert spoken
    assert not any(character.isdecimal() for character in spoken)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(DomainError) as caught:
        normalise("tere", "et")

    assert caught.value.code == "language_unsupported"


@pytest.mark.parametrize(("text", "words"), [("", "empty"), (" \n", "empty"), ("“”", "empty"), ("...?", "no letters")])
def test_a_text_that_says_nothing_is_a_problem(text: str, words: str) -> None:
    (problem,) = check_text(text, "en")

    assert words in problem


def test_a_text_is_measured_as_it_is_spoken() -> None:
    assert check_text("a" * 250, "en") == []
    assert check_text("a" * 251, "en") == ["Spoken out, the text has 251 characters, and the limit for English is 250."]
    assert check_text("777777 " * 5, "en") != []


def test_good_text_has_no_problems() -> None:
    assert check_text("It costs $5, doesn't it?", "en") == []


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
