"""What XTTS can learn from: the one place that knows which clips and texts the model takes.

Training asks before it computes anything, and a dataset's page tells what training would leave out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.config import XttsConfig
from xttsproject.xtts.languages import validate_language

MODEL_RATE = 22_050
"""Hertz at which GPT and DVAE work."""

SAMPLES_PER_CODE = 1024
MAX_SAMPLES = 255_995
"""At MODEL_RATE, 11.6 s: the longest clip that the released model was trained on."""

MIN_SECONDS = 0.5

Encode = Callable[[str, str], Sequence[int]]
"""Text and language to token ids, without start and stop."""


@dataclass(frozen=True)
class Limits:
    """What the model can take. ``unknown_token`` and ``stop_token`` must not stand within a text."""

    languages: tuple[str, ...]
    max_tokens: int
    max_codes: int
    unknown_token: int = 1
    stop_token: int = 0

    @property
    def max_samples(self) -> int:
        """Samples at MODEL_RATE."""
        return min(MAX_SAMPLES, self.max_codes * SAMPLES_PER_CODE)


def limits_of(config: XttsConfig, unknown_token: int | None) -> Limits:
    """Of a bundle's config and the id of its tokenizer's unknown token."""
    return Limits(
        languages=config.languages,
        max_tokens=config.gpt.longest_text,
        max_codes=config.gpt.longest_speech,
        unknown_token=-1 if unknown_token is None else unknown_token,
        stop_token=config.gpt.stop_text_token,
    )


@dataclass(frozen=True)
class Problem:
    """Why a clip cannot be learnt from: ``code`` for programs, ``reason`` for people."""

    code: str
    reason: str


def length_problem(samples: int, most: int = MAX_SAMPLES) -> Problem | None:
    """``samples`` and ``most`` count at MODEL_RATE."""
    seconds = samples / MODEL_RATE
    if samples > most:
        reason = f"{seconds:.1f} s is longer than the {most / MODEL_RATE:.1f} s that the model takes"
        return Problem("clip_too_long", reason)
    if seconds < MIN_SECONDS:
        return Problem("clip_too_short", f"{seconds:.2f} s is shorter than the least length of {MIN_SECONDS} s")
    return None


def text_tokens(text: str, language: str, encode: Encode, limits: Limits) -> tuple[int, ...] | Problem:
    """The tokens of a spoken text, or why the model cannot take it."""
    if not text:
        return Problem("text_empty", "it has no text")
    try:
        language = validate_language(language)
        tokens = tuple(int(token) for token in encode(text, language))
    except DomainError as error:
        return Problem(error.code, error.message)
    if language not in limits.languages:
        return Problem("language", f"the model does not speak its language {language!r}")
    if len(tokens) > limits.max_tokens:
        return Problem("text_too_long", f"its text has {len(tokens)} tokens, the model takes {limits.max_tokens}")
    if limits.unknown_token in tokens or limits.stop_token in tokens:
        letters = _unknown(text, language, encode, limits)
        return Problem("text_unknown", f"the model does not know {letters} of its text")
    return tokens


def _unknown(text: str, language: str, encode: Encode, limits: Limits) -> str:
    bad = {limits.unknown_token, limits.stop_token}
    characters = [character for character in dict.fromkeys(text) if bad & set(encode(character, language))]
    return ", ".join(repr(character) for character in characters) or "a part"
