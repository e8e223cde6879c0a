"""What was said, with the time and probability of each word: faster-whisper over one clip at a time."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError

WHISPER_RATE = 16_000


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
    """

    text: str
    language: str
    language_probability: float
    words: tuple[Word, ...]
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float


class Transcriber:
    """A Whisper model that is loaded once and then asked clip by clip; not to be shared between threads."""

    def __init__(self, model: Any):
        self._model = model

    @classmethod
    def load(
        cls, bundle_path: Path, device: str = "auto", compute_type: str = "default", threads: int = 0
    ) -> Transcriber:
        """Load a CTranslate2 folder (``model.bin``, ``config.json``, ``tokenizer.json``…); never from a hub.

        ``device``: "cpu", "cuda", "cuda:N" or "auto"; ``compute_type`` as CTranslate2 names them ("int8", "float16",
        "default").
        Raises DomainError ``model_missing`` or ``model_damaged``.
        """
        bundle_path = Path(bundle_path)
        if not (bundle_path / "model.bin").is_file():
            raise DomainError(
                "model_missing",
                f"There is no Whisper model in the folder {bundle_path.name}; build or download one with "
                "`manage.py models`.",
            )
        from faster_whisper import WhisperModel

        kind, _colon, index = device.partition(":")
        try:
            model = WhisperModel(
                str(bundle_path),
                device=kind,
                device_index=int(index or 0),
                compute_type=compute_type,
                cpu_threads=threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise DomainError(
                "model_damaged", f"The Whisper model in the folder {bundle_path.name} cannot be loaded: {error}."
            ) from error
        return cls(model)

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that this model can write ("en" alone for an English-only one)."""
        return tuple(self._model.supported_languages)

    def transcribe(self, audio: Audio, language: str | None = None) -> Transcript:
        """Transcribe one clip; ``language`` None lets the model say which one it hears.

        Raises DomainError ``language_unsupported`` for a language that the model does not know.
        """
        if language is not None and language not in self.languages:
            raise DomainError(
                "language_unsupported",
                f"The transcription model does not know the language “{language}”; choose one of: "
                f"{', '.join(sorted(self.languages))}.",
                field="language",
            )
        samples = np.nan_to_num(audio.at_rate(WHISPER_RATE).samples).astype(np.float32, copy=False)
        parts, info = self._model.transcribe(
            samples,
            language=language,
            word_timestamps=True,
            # Segments are cut by now, and each is its own context: what was said before must not leak into it.
            condition_on_previous_text=False,
            vad_filter=False,
        )
        return _transcript(list(parts), info.language, info.language_probability, audio.seconds)


def _transcript(parts: Sequence[Any], language: str, language_probability: float, seconds: float) -> Transcript:
    words = tuple(_words((word for part in parts for word in part.words or ()), seconds))
    tokens = [max(len(part.tokens), 1) for part in parts]
    logprobs = [_finite(part.avg_logprob, -10.0) for part in parts]
    return Transcript(
        text=clean_text("".join(part.text for part in parts)),
        language=language,
        language_probability=_probability(language_probability),
        words=words,
        avg_logprob=sum(a * n for a, n in zip(logprobs, tokens, strict=True)) / sum(tokens) if parts else 0.0,
        no_speech_prob=max((_probability(part.no_speech_prob) for part in parts), default=1.0),
        compression_ratio=max((_finite(part.compression_ratio, 0.0) for part in parts), default=0.0),
    )


def _words(raw: Iterable[Any], seconds: float) -> Iterable[Word]:
    """Words in order within the clip; Whisper works in windows of 30 s and may point beyond the end."""
    latest = 0.0
    for word in raw:
        text = clean_text(word.word)
        if not text:
            continue
        start = min(max(_finite(word.start, latest), latest), seconds)
        end = min(max(_finite(word.end, start), start), seconds)
        latest = start
        yield Word(text, round(start, 3), round(end, 3), round(_probability(word.probability), 4))


def clean_text(text: str) -> str:
    """Text without control, format, surrogate, private-use and replacement characters, spaces folded to single ones."""
    kept = (
        " " if character.isspace() else character
        for character in text
        if character.isspace() or (unicodedata.category(character)[0] != "C" and character != "\ufffd")
    )
    return " ".join("".join(kept).split())


def _finite(value: float, fallback: float) -> float:
    return float(value) if math.isfinite(value) else fallback


def _probability(value: float) -> float:
    return min(max(_finite(value, 0.0), 0.0), 1.0)
