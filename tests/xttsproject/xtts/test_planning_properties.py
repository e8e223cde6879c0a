"""What holds for the plan of any text: nothing is lost or said twice, no word is cut, every piece fits the model."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.languages import LANGUAGES
from xttsproject.xtts.networks import load_tokenizer
from xttsproject.xtts.normaliser import normalise
from xttsproject.xtts.text import MAX_TOKENS, is_speakable, plan, spoken_form
from xttsproject.xtts.tokenizer import Tokenizer

UNSPACED = ("ja", "zh-cn")
SPACED = tuple(code for code in LANGUAGES if code not in UNSPACED)

# Letters of each language's own, and words that rules turn on.
LETTERS = {
    "ru": "абвгде", "ar": "ابتثجح", "hi": "कखगघमर", "ko": "가나다라마바", "cs": "aěščřž", "pl": "ąćęłnó",
    "hu": "aáeéőű", "tr": "ıiğşçö", "zh-cn": "天地人山水火", "ja": "あいう日本語カタ",
}  # fmt: skip
JOINTS = st.sampled_from(
    [" ", " ", " ", ", ", ". ", "? ", "! ", "… ", "; ", ": ", " – ", "\n", ".\n\n", "» ", ") ", "।", "。", "、", "؟ ",
     "، "]
)  # fmt: skip


def characters(piece: str) -> tuple[int, int]:
    return len(piece), len(piece) + 1


def bare(text: str) -> str:
    """Letters and digits alone, in one form: what must come back, in this order, once."""
    return "".join(sign for sign in unicodedata.normalize("NFC", text) if sign.isalnum())


@st.composite
def texts(draw: st.DrawFn, codes: tuple[str, ...]) -> tuple[str, str]:
    code = draw(st.sampled_from(codes))
    word = st.text(alphabet=LETTERS.get(code, "abcdeé"), min_size=1, max_size=14)
    latin = st.sampled_from(["OK", "Dr.", "3.50", "No.", "e.g.", "x-ray", "John's", "10", "A."])
    words = draw(st.lists(st.one_of(word, word, word, latin), min_size=1, max_size=90))
    joints = draw(st.lists(JOINTS, min_size=len(words), max_size=len(words)))
    return code, "".join(word + joint for word, joint in zip(words, joints, strict=True))


@settings(max_examples=150)
@given(texts(tuple(LANGUAGES)), st.integers(30, MAX_TOKENS))
def test_nothing_is_lost_or_repeated_and_every_piece_fits(given_text: tuple[str, str], tokens: int) -> None:
    code, text = given_text
    pieces = plan(text, code, characters, max_tokens=tokens)
    assert bare("".join(pieces)) == bare(text)
    for piece in pieces:
        assert is_speakable(piece)
        assert len(spoken_form(piece)) <= LANGUAGES[code].max_chars
        assert len(spoken_form(piece)) + 1 <= tokens


@settings(max_examples=150)
@given(texts(SPACED), st.integers(30, MAX_TOKENS))
def test_no_word_is_cut_where_words_are_parted_by_spaces(given_text: tuple[str, str], tokens: int) -> None:
    code, text = given_text
    # The danda and the full width stops end sentences where they stand, with or without a space behind them.
    words = [bare(word) for word in re.split(r"[\s।。、]+", text) if bare(word)]
    pieces = plan(text, code, characters, max_tokens=tokens)
    assert [bare(word) for piece in pieces for word in re.split(r"[\s।。、]+", piece) if bare(word)] == words


@settings(max_examples=100)
@given(texts(UNSPACED), st.integers(30, MAX_TOKENS))
def test_in_chinese_and_japanese_latin_words_and_figures_stay_whole(given_text: tuple[str, str], tokens: int) -> None:
    code, text = given_text
    found = re.compile(r"[a-zA-Z0-9]+(?:[.'-][a-zA-Z0-9]+)*")
    pieces = plan(text, code, characters, max_tokens=tokens)
    assert [word for piece in pieces for word in found.findall(piece)] == found.findall(" ".join(text.split()))


@settings(max_examples=60)
@given(st.integers(0, 10**12), st.sampled_from(sorted(LANGUAGES)), st.integers(1, 12))
def test_numbers_are_expanded_before_the_text_is_cut(number: int, code: str, times: int) -> None:
    gap = "" if code in UNSPACED else " "
    spoken = normalise(gap.join([f"{number}{'。' if code in UNSPACED else '.'}"] * times), code)
    pieces = plan(spoken, code, characters)
    assert bare("".join(pieces)) == bare(spoken)
    assert not any(sign.isdecimal() for piece in pieces for sign in piece)
    assert all(len(spoken_form(piece)) <= LANGUAGES[code].max_chars for piece in pieces)


@pytest.fixture(scope="module")
def tokenizer(tiny_bundle: Path) -> Tokenizer:
    return load_tokenizer(tiny_bundle)


LONG = {
    "en": "On 3 May 1985 Dr. Smith paid $1,234.56 to the U.S. office, which asked for 12% more, and he went home. ",
    "pt": "Em 3 de maio de 1985 o Dr. Silva pagou R$ 1.234,56 ao escritório, que pediu 12% a mais, e foi para casa. ",
    "de": "Am 3. Mai 1985 zahlte Dr. Schmidt 1.234,56 € an das Amt, das 12 % mehr verlangte, und ging nach Hause. ",
    "ru": "Третьего мая доктор заплатил 1234 рубля конторе, которая просила на 12 % больше, и пошёл домой. ",
    "ar": "في الثالث من مايو دفع الطبيب 1234 دولارا إلى المكتب، الذي طلب 12% أكثر، ثم عاد إلى البيت. ",
    "hi": "तीन मई को डॉक्टर ने कार्यालय को 1234 रुपये दिए, जिसने 12% अधिक माँगे थे, और वह घर चला गया। ",
    "ko": "오월 삼일에 의사는 사무실에 1234 달러를 냈고, 사무실은 12% 더 달라고 했지만, 그는 집으로 갔다. ",
}


@pytest.mark.parametrize("code", LONG)
@pytest.mark.parametrize("stop", [True, False])
def test_long_texts_fit_the_model_as_its_own_tokenizer_counts(tokenizer: Tokenizer, code: str, stop: bool) -> None:
    # Without a full stop in it: one sentence without end.
    text = LONG[code] if stop else LONG[code].replace(". ", ", ").replace("। ", ", ")
    spoken = normalise(text * 8, code)
    pieces = plan(spoken, code, lambda piece: tokenizer.size(piece, code))
    assert bare("".join(pieces)) == bare(spoken)
    sizes = [tokenizer.size(spoken_form(piece), code) for piece in pieces]
    assert all(size <= LANGUAGES[code].max_chars and tokens <= MAX_TOKENS for size, tokens in sizes)
    assert not any(tokenizer.unknown in tokenizer.encode_sentence(piece, code) for piece in pieces)
    # No crumbs: what could stand together does.
    assert len(pieces) <= 2.5 * sum(size for size, _ in sizes) / LANGUAGES[code].max_chars + 1


def test_a_korean_sentence_is_measured_as_it_is_written(tokenizer: Tokenizer) -> None:
    text = "오월 삼일에 의사는 사무실에 돈을 냈고 사무실은 더 달라고 했지만 그는 집으로 갔다"
    assert tokenizer.size(text, "ko")[0] == len(text)
    assert len(tokenizer.clean(text, "ko")) > 1.5 * len(text)
    assert plan(f"{text}, {text}", "ko", lambda piece: tokenizer.size(piece, "ko")) == [f"{text}, {text}"]


@pytest.mark.parametrize("code", ["en", "ja"])
def test_a_word_longer_than_the_model_reads_is_named(code: str) -> None:
    with pytest.raises(DomainError, match="300 characters") as caught:
        plan(f"a {'x' * 300} b", code, characters)
    assert (caught.value.code, caught.value.field) == ("text_unspeakable", "text")
