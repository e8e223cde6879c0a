"""Into which sentences a model cuts a text: the engine's own planning, without its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from xttsproject.lib.errors import DomainError
from xttsproject.xtts import text as planning
from xttsproject.xtts.config import CONFIG_FILE, VOCAB_FILE, XttsConfig, read_config
from xttsproject.xtts.languages import LANGUAGES, language_names

if TYPE_CHECKING:
    from xttsproject.xtts.tokenizer import Tokenizer

SECONDS_PER_CODE = 1024 / 22_050
_SLOW_READING = 2.5
"""How many times the codes of a slow reader a language's cap allows (see ``languages.Language``)."""


@dataclass(frozen=True)
class PlannedSentence:
    """What is decoded in one go; sizes as the model sees them, beside what it takes."""

    text: str
    characters: int
    character_limit: int
    tokens: int
    token_limit: int


def planned_sentences(bundle: Path, text: str, language: str) -> list[PlannedSentence]:
    """The sentences in which the bundle's model would speak a text, in order.

    Raises DomainError ``model_missing``, ``model_damaged`` and those of :func:`xttsproject.xtts.text.plan`.
    """
    config, tokenizer = _config(bundle), _tokenizer_of(bundle)
    most, limit = config.gpt.longest_text, LANGUAGES[language].max_chars
    pieces = planning.plan(text, language, lambda piece: tokenizer.size(piece, language), max_tokens=most)
    sizes = [tokenizer.size(planning.spoken_form(piece), language) for piece in pieces]
    return [
        PlannedSentence(piece, characters, limit, tokens, most)
        for piece, (characters, tokens) in zip(pieces, sizes, strict=True)
    ]


def require_language(bundle: Path, language: str) -> None:
    """DomainError ``language_unsupported`` where the bundle's model does not speak it."""
    known = _config(bundle).languages
    if language not in known:
        raise DomainError(
            "language_unsupported",
            f"This model does not speak {LANGUAGES[language].name}; it speaks {language_names(known)}.",
            field="language",
        )


def require_readable(bundle: Path, sentence: str, language: str) -> None:
    """DomainError ``text_unspeakable`` for a planned sentence in which the model knows no sign."""
    tokenizer = _tokenizer_of(bundle)
    tokens = tokenizer.encode_sentence(sentence, language)
    if all(token == tokenizer.unknown for token in tokens[1:]):
        raise DomainError("text_unspeakable", f"“{sentence[:60]}” has no sign that this model can read.", field="text")


def unread_signs(bundle: Path, sentences: Sequence[PlannedSentence], language: str) -> str:
    """Signs of planned sentences, each once, that the bundle's model has no token for: it says nothing for them."""
    tokenizer = _tokenizer_of(bundle)
    found = (tokenizer.unread(planning.spoken_form(sentence.text), language) for sentence in sentences)
    return "".join(dict.fromkeys("".join(found)))


def usual_pace(language: str) -> float:
    """Seconds that a character takes where nothing is known about the voice: those of a slow reader."""
    return LANGUAGES[language].codes_per_char / _SLOW_READING * SECONDS_PER_CODE


def _config(bundle: Path) -> XttsConfig:
    """Read once as long as its files stay the same: a long text asks for every paragraph."""
    try:
        stamps = tuple((bundle / name).stat().st_mtime_ns for name in (CONFIG_FILE, VOCAB_FILE))
    except OSError:
        # Whoever reads says what is missing.
        return read_config(bundle)
    return _read(bundle, stamps)


@lru_cache(maxsize=4)
def _read(bundle: Path, stamps: tuple[int, ...]) -> XttsConfig:
    return read_config(bundle)


def _tokenizer_of(bundle: Path) -> Tokenizer:
    return _tokenizer(bundle, (bundle / VOCAB_FILE).stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _tokenizer(bundle: Path, stamp: int) -> Tokenizer:
    """``stamp``: another file under the same name is another tokenizer."""
    from xttsproject.xtts.tokenizer import Tokenizer

    return Tokenizer(bundle / VOCAB_FILE)
