"""What holds for any text at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.xttsproject.xtts.normaliser.tables import ALL
from xttsproject.xtts import normaliser
from xttsproject.xtts.languages import LANGUAGES
from xttsproject.xtts.normaliser import normalise

OWN_RULES = st.sampled_from(["en", "pt"])
# Signs on which rules turn, so that chance meets them.
PIECES = st.sampled_from(
    [*"0123456789 .,:;/-–—+=<>%$€£^²½°ºª#@'\"()!?~", " ", "R$", "US$", "km", "h", "kg", "Dr.", "St.", "No.", "p.", "nº",
     "a.m.", "pm", "XX", "II", "Pedro", "Henry", "BC", "U.S.", "B.", "May", "maio", "nov", "de", "s", "th", "Mr", "é",
     "www.", ".com", "BBC", "etc.", "x", "vez", "1990", "12", "007", "1/2", "👍", "٣", "①", "AD", "00", "e", "a", "the"]
)  # fmt: skip
WRITTEN = st.one_of(
    st.text(max_size=60),
    st.lists(PIECES, max_size=14).map("".join),
    st.lists(st.sampled_from([written for _, written, _ in ALL]), max_size=2).map(" ".join),
)


@settings(deadline=None, max_examples=400)
@given(WRITTEN, st.sampled_from(sorted(LANGUAGES)))
def test_a_spoken_text_stays_as_it_is(text: str, language: str) -> None:
    once = normalise(text, language)

    assert once == " ".join(once.split())
    assert normalise(once, language) == once


@settings(deadline=None, max_examples=400)
@given(WRITTEN, OWN_RULES)
def test_no_digit_is_left(text: str, language: str) -> None:
    assert not any(sign.isdigit() for sign in normalise(text, language))


@settings(deadline=None, max_examples=200)
@given(WRITTEN, st.sampled_from("aéßЖ天ع"), st.sampled_from(sorted(LANGUAGES)))
def test_a_text_with_letters_is_never_empty(text: str, letter: str, language: str) -> None:
    assert any(sign.isalpha() for sign in normalise(f"{text} {letter}", language))


@settings(deadline=None)
@given(st.integers(0, 10**15 - 1), st.sampled_from(sorted(LANGUAGES)))
def test_every_number_becomes_letters(number: int, language: str) -> None:
    spoken = normalise(str(number), language)

    assert spoken
    assert not any(sign.isdecimal() for sign in spoken)


@pytest.mark.parametrize("language", ["en", "pt"])
def test_a_long_text_takes_time_in_proportion(language: str) -> None:
    # A rule that looks back and forth for each sign would take minutes.
    text = " ".join(written for code, written, _ in ALL if code == language)

    assert len(normalise(" ".join([text] * 3), language)) > 3 * len(text)
    for sign in ("1", "-", "1-", "1.", "A.", "a/", " ", ".", "x ", "1 ", "'", "@", "a.b", "I"):
        assert isinstance(normalise(sign * 1000, language), str)


def test_the_same_short_text_is_worked_out_once_and_a_long_one_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    real = normaliser.one_turn

    def counted(text: str, code: str) -> str:
        turns.append(text)
        return real(text, code)

    monkeypatch.setattr(normaliser, "one_turn", counted)
    short, long = "Never asked before: 40,961 kg.", "Seven 7s. " * 60
    first = normalise(short, "en")
    done = len(turns)
    assert done
    assert normalise(short, "en") == first
    assert len(turns) == done
    assert normalise(short, "pt") != first
    assert normalise(long, "en") == normalise(long, "en")
    assert turns.count(long) == 2
