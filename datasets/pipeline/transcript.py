"""What was said in a clip, as a model wrote it."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """One word as the model wrote it, without surrounding space; times in seconds from the clip's start."""

    text: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True)
class Transcript:
    """``avg_logprob`` is the mean log-probability per token over the clip, ``no_speech_prob`` the highest of its parts
    and ``compression_ratio`` the highest too: each the more alarming way round. All are finite; a clip in which nothing
    was recognised has an empty text, no words and the probability of silence that led to it (1.0 where none is known).

    ``language_probability`` is how sure the model is that this language is spoken, whether it was told so or not;
    1.0 for a model that knows one language only.
    """

    text: str
    language: str
    language_probability: float
    words: tuple[Word, ...]
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float


def clean_text(text: str) -> str:
    """Text without control, format, surrogate, private-use and replacement characters, spaces folded to single ones."""
    kept = (
        " " if character.isspace() else character
        for character in text
        if character.isspace() or (unicodedata.category(character)[0] != "C" and character != "\ufffd")
    )
    return " ".join("".join(kept).split())


def finite(value: float, fallback: float) -> float:
    return float(value) if math.isfinite(value) else fallback


def probability(value: float) -> float:
    """Within 0..1; 0 for what is no number."""
    return min(max(finite(value, 0.0), 0.0), 1.0)
