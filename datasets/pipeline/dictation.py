"""A whole recording written down at once, as it comes: stretches with their times, and words on demand.

Clips of a dataset are cut before they are heard (:mod:`datasets.pipeline.transcribe`); here faster-whisper itself goes
through the sound window by window and its speech detection passes over what is not spoken.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datasets.pipeline.listening import TEMPERATURES, WHISPER_RATE
from datasets.pipeline.transcribe import Transcriber
from datasets.pipeline.transcript import Word, clean_text, finite, probability
from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress, Silent


@dataclass(frozen=True)
class DictationWish:
    """``language`` as Whisper codes it; empty: the model says which one it hears. ``prompt`` is text as if said before,
    whose spelling and style are followed. ``temperature`` 0 is certain and rises by itself where the result is poor;
    any other is kept. ``words``: with the time of each. ``task``: in the language that is spoken, or in English.
    """

    language: str = ""
    prompt: str = ""
    temperature: float = 0.0
    words: bool = False
    beam: int = 5
    task: Literal["transcribe", "translate"] = "transcribe"

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature <= 1.0:
            raise DomainError(
                "temperature_invalid",
                f"The temperature is {self.temperature!r}, but must be a number from 0 to 1.",
                field="temperature",
            )


@dataclass(frozen=True)
class Stretch:
    """A stretch of speech between two of the model's time marks (seconds).

    ``seek`` is the window's place in hundredths of a second, ``tokens`` are Whisper's own, the rest measures how sure
    it is; all are finite.
    """

    seek: int
    start: float
    end: float
    text: str
    tokens: tuple[int, ...]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


@dataclass(frozen=True)
class Dictated:
    """``seconds`` is the sound's length; ``words`` is None where they were not asked for."""

    text: str
    language: str
    seconds: float
    stretches: tuple[Stretch, ...]
    words: tuple[Word, ...] | None


def dictating(
    transcriber: Transcriber, audio: Audio, wish: DictationWish | None = None, progress: Progress | None = None
) -> Generator[Stretch, None, Dictated]:
    """Write down what is said: yields each stretch as soon as it is there, and returns the whole.

    Raises ``Cancelled`` between windows and DomainErrors ``language_unsupported``, ``translation_unsupported``.
    """
    wish, progress = wish or DictationWish(), progress or Silent()
    if wish.task == "translate" and len(transcriber.languages) == 1:
        raise DomainError(
            "translation_unsupported",
            "This model knows English alone and has nothing to translate; choose one that knows several languages.",
            field="model",
        )
    if wish.language:
        transcriber.require_language(wish.language)
    sound = np.nan_to_num(audio.at_rate(WHISPER_RATE).samples).astype(np.float32, copy=False)
    found, info = transcriber.whisper.transcribe(
        sound,
        language=wish.language or None,
        task=wish.task,
        initial_prompt=wish.prompt or None,
        temperature=list(TEMPERATURES) if wish.temperature == 0 else [wish.temperature],
        beam_size=wish.beam,
        word_timestamps=wish.words,
        vad_filter=True,
        # A mistake that is carried on repeats itself to the end; the prompt is for the beginning.
        condition_on_previous_text=False,
    )
    stretches: list[Stretch] = []
    words: list[Word] = []
    for part in found:
        progress.check()
        progress.report(min(part.end / audio.seconds, 1.0) if audio.seconds else 1.0, "transcribing")
        text = clean_text(part.text)
        if not text:
            continue
        start, end = _span(part.start, part.end, audio.seconds)
        stretches.append(
            Stretch(
                seek=int(part.seek),
                start=start,
                end=end,
                text=text,
                tokens=tuple(int(token) for token in part.tokens),
                temperature=finite(part.temperature or 0.0, 0.0),
                avg_logprob=finite(part.avg_logprob, -10.0),
                compression_ratio=finite(part.compression_ratio, 0.0),
                no_speech_prob=probability(part.no_speech_prob),
            )
        )
        for word in part.words or ():
            if written := clean_text(word.word):
                words.append(Word(written, *_span(word.start, word.end, audio.seconds), probability(word.probability)))
        yield stretches[-1]
    return Dictated(
        text=" ".join(stretch.text for stretch in stretches),
        language=info.language,
        seconds=audio.seconds,
        stretches=tuple(stretches),
        words=tuple(words) if wish.words else None,
    )


def _span(start: float, end: float, seconds: float) -> tuple[float, float]:
    """Within the sound and not backwards: the model's last mark may lie in the padding of its window."""
    first = min(max(finite(start, 0.0), 0.0), seconds)
    return round(first, 3), round(min(max(finite(end, first), first), seconds), 3)
