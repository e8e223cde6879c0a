"""Text becomes tokens as XTTS was trained with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.languages import LANGUAGES
from xttsproject.xtts.networks import load_tokenizer
from xttsproject.xtts.tokenizer import Tokenizer
from xttsproject.xtts.words import words_of

RELEASED_VOCABULARY = Path(__file__).resolve().parents[4] / "shared" / "data" / "xtts_vocab.json"

SAMPLES = {
    "en": "Hello there, it costs $5 and 20% more!",
    "pt": "Olá, João: são 3 maçãs por dia?",
    "ru": "Привет, как дела?",
    "ar": "مرحبا بك",
    "hi": "नमस्ते दुनिया",
    "pl": "Zażółć gęślą jaźń",
    "tr": "İstanbul'da güneşli",
    "ko": "안녕하세요",
    "cs": "Příliš žluťoučký kůň",
}


@pytest.mark.parametrize(("language", "text"), SAMPLES.items())
def test_the_tiny_vocabulary_knows_every_sign_of_common_texts(tiny_bundle: Path, language: str, text: str) -> None:
    tokenizer = load_tokenizer(tiny_bundle)
    tokens = tokenizer.encode(text, language)
    assert tokenizer.unknown not in tokens
    assert max(tokens) < len(tokenizer)
    # One token for the language, then one per character.
    assert len(tokens) == 1 + len(tokenizer.clean(text, language))


def test_every_language_has_a_tag_of_its_own(tiny_bundle: Path) -> None:
    tokenizer = load_tokenizer(tiny_bundle)
    tags = {tuple(tokenizer.encode_clean("", code)) for code in LANGUAGES}
    assert len(tags) == len(LANGUAGES)
    assert all(len(tag) == 1 for tag in tags)


def test_cleaning_spells_out_and_lowers(tiny_bundle: Path) -> None:
    assert load_tokenizer(tiny_bundle).clean(" Dr. Who owes 20 pounds ", "en") == "doctor who owes twenty pounds"


def test_a_text_that_breaks_the_number_rules_is_quoted(tiny_bundle: Path) -> None:
    tokenizer = load_tokenizer(tiny_bundle)
    with pytest.raises(DomainError) as caught:
        tokenizer.clean("9" * 400, "en")
    assert caught.value.code == "text_unspeakable"
    assert "999" in caught.value.message


def test_a_broken_vocabulary_is_named(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(DomainError) as caught:
        Tokenizer(tmp_path / "vocab.json")
    assert caught.value.code == "model_damaged"


@pytest.mark.shared_data
@pytest.mark.skipif(
    not RELEASED_VOCABULARY.is_file(), reason="needs ../shared/data/xtts_vocab.json beside the checkout"
)
def test_the_released_vocabulary_loads_through_the_same_code() -> None:
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer

    tokenizer = Tokenizer(RELEASED_VOCABULARY)
    coqui = VoiceBpeTokenizer(vocab_file=str(RELEASED_VOCABULARY))
    assert len(tokenizer) == coqui.get_number_tokens() > 5000
    for language in ("en", "pt", "ru", "pl"):
        text = SAMPLES[language].lower()
        assert tokenizer.encode(text, language) == coqui.encode(text, language)


@pytest.mark.parametrize("text", ["He went home.", "“He went home.”", "He went home…", "He went home"])
def test_training_and_speaking_encode_the_same_sentence_without_its_final_stop(tiny_bundle: Path, text: str) -> None:
    tokenizer = load_tokenizer(tiny_bundle)
    assert tokenizer.encode_sentence(text, "en") == tokenizer.encode("He went home", "en")
    assert tokenizer.encode_sentence("Did he?", "en") == tokenizer.encode("Did he?", "en")


def test_an_installation_reads_the_script_of_every_language() -> None:
    assert [language.code for language in LANGUAGES.values() if not language.available] == []


@pytest.mark.parametrize(
    ("language", "text", "read"),
    [
        ("zh-cn", "你好，今天", "ni3hao3,jin1tian1"),
        ("ja", "こんにちは", "konnichiha"),
        ("ko", "안녕", "annyeong"),
    ],
)
def test_what_has_no_letters_is_read_in_latin_ones(tiny_bundle: Path, language: str, text: str, read: str) -> None:
    assert load_tokenizer(tiny_bundle).clean(text, language) == read


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("how", ["cleaned", "parted"])
def test_japanese_is_read_rightly_for_several_people_at_once(tiny_bundle: Path, restless: None, how: str) -> None:
    tokenizer = load_tokenizer(tiny_bundle)
    read: Callable[[str], Any] = lambda text: (  # noqa: E731
        tokenizer.clean(text, "ja") if how == "cleaned" else words_of(text, "ja")
    )
    texts = [
        "昨日東京タワーまで歩いて行きましたがとても楽しかったです",
        "新しいコンピューターを買いに行きました",
        "これは日本語のテストです本当に長い文章を書いています",
        "お買い上げありがとうございますまたお越しください",
    ]
    alone = [read(text) for text in texts]
    with ThreadPoolExecutor(4) as people:
        together = list(people.map(read, texts * 100))
    assert together == alone * 100
