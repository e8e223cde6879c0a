"""What was said, with the time and probability of each word: faster-whisper over clips, alone or many at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from datasets.pipeline.doubt import doubts
from datasets.pipeline.listening import (
    TEMPERATURES,
    WHISPER_RATE,
    BatchListener,
    Listening,
    keep_better,
    placed_words,
)
from datasets.pipeline.transcript import Transcript, clean_text, finite, probability
from xttsproject.lib.audio import Audio, Samples
from xttsproject.lib.errors import DomainError
from xttsproject.lib.memory import is_out_of_memory
from xttsproject.lib.progress import Progress, Silent

__all__ = ["WHISPER_RATE", "Listening", "Transcriber"]


class Transcriber:
    """A Whisper model that is loaded once and then asked often; not to be shared between threads."""

    def __init__(self, model: Any):
        self._model = model

    @classmethod
    def load(
        cls, bundle_path: Path, device: str = "auto", compute_type: str = "default", threads: int = 0
    ) -> Transcriber:
        """Load a CTranslate2 folder (``model.bin``, ``config.json``, ``tokenizer.json``…); never from a hub.

        ``device``: "cpu", "cuda", "cuda:N" or "auto"; ``compute_type`` as CTranslate2 names them ("int8", "float16",
        "default").
        Raises DomainError ``model_missing``, ``model_damaged``, ``memory_full`` or ``precision_unsupported``.
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
            if "compute type" in str(error):
                raise DomainError(
                    "precision_unsupported",
                    f"This machine's “{device}” device cannot compute in {compute_type}, which WHISPER_COMPUTE_TYPE "
                    f"asks for; choose one of {', '.join(_compute_types(kind))}, or default.",
                ) from error
            if is_out_of_memory(error):
                # Nothing is wrong with its files, and the next one who asks may have room.
                raise DomainError(
                    "memory_full",
                    f"There is no room on the device “{device}” for the Whisper model in the folder "
                    f"{bundle_path.name} beside what lies there; try again in a moment, or take another "
                    "WHISPER_DEVICE or a smaller WHISPER_COMPUTE_TYPE, such as int8.",
                    permanent=False,
                ) from error
            raise DomainError(
                "model_damaged", f"The Whisper model in the folder {bundle_path.name} cannot be loaded: {error}."
            ) from error
        return cls(model)

    @property
    def whisper(self) -> Any:
        """The ``faster_whisper.WhisperModel`` itself."""
        return self._model

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that this model can write ("en" alone for an English-only one)."""
        return tuple(self._model.supported_languages)

    def clips_of_a_batch(self, seconds: Sequence[float], listening: Listening) -> int:
        """How many of the first clips, of these lengths, fill one batch; at least one."""
        lengths = [round(length * WHISPER_RATE) for length in seconds]
        return BatchListener(self._model).clips_of_a_batch(lengths, listening)

    def transcribe_many(
        self,
        clips: Sequence[Audio],
        language: str,
        listening: Listening | None = None,
        progress: Progress | None = None,
    ) -> list[Transcript]:
        """Transcribe clips of one language together, see :mod:`datasets.pipeline.listening`; in their order.

        Neighbours in the list should be neighbours in the recording. A clip beyond the length of a window goes through
        :meth:`transcribe`. Raises ``Cancelled`` and DomainError ``language_unsupported``.
        """
        self.require_language(language)
        listening, progress = listening or Listening(), progress or Silent()
        listener = BatchListener(self._model)
        heard = [_sixteen(clip) for clip in clips]
        short = [number for number, samples in enumerate(heard) if 0 < len(samples) <= listener.room]
        found = dict(
            zip(
                short,
                listener.listen([heard[number] for number in short], language, listening, progress),
                strict=True,
            )
        )
        for number, clip in enumerate(clips):
            first = found.get(number)
            if first is not None and (not doubts(first) or not listening.retries):
                continue
            progress.check()
            temperatures = TEMPERATURES if first is None else listening.retries
            again = self.transcribe(clip, language, hotwords=listening.hotwords, temperatures=temperatures)
            found[number] = again if first is None else keep_better(first, again)
        return [found[number] for number in range(len(clips))]

    def transcribe(
        self,
        audio: Audio,
        language: str | None = None,
        *,
        hotwords: str = "",
        temperatures: Sequence[float] = TEMPERATURES,
    ) -> Transcript:
        """Transcribe one clip by itself; ``language`` None lets the model say which one it hears.

        Decoding goes on to the next of ``temperatures`` where the result fails Whisper's own thresholds. Raises
        DomainError ``language_unsupported`` for a language that the model does not know.
        """
        if language is not None:
            self.require_language(language)
        parts, info = self._model.transcribe(
            _sixteen(audio),
            language=language,
            word_timestamps=True,
            # Segments are cut by now, and each is its own context: what was said before must not leak into it.
            condition_on_previous_text=False,
            vad_filter=False,
            hotwords=hotwords or None,
            temperature=list(temperatures),
        )
        return _transcript(list(parts), info.language, info.language_probability, audio.seconds)

    def heard_languages(
        self, clips: Sequence[Audio], batch: int = 8, progress: Progress | None = None
    ) -> dict[str, float]:
        """The mean probability of each language code over the clips; ``batch`` of them go through the model together.

        Raises ``Cancelled``, and DomainError ``language_unheard`` for a model that knows one language only.
        """
        if len(self.languages) == 1:
            raise DomainError("language_unheard", "The transcription model knows one language only.", field="language")
        sounds = [_sixteen(clip) for clip in clips]
        return BatchListener(self._model).heard_languages(sounds, batch, progress or Silent())

    def require_language(self, language: str) -> None:
        """DomainError ``language_unsupported``."""
        if language not in self.languages:
            raise DomainError(
                "language_unsupported",
                f"The transcription model does not know the language “{language}”; choose one of: "
                f"{', '.join(sorted(self.languages))}.",
                field="language",
            )


def _sixteen(audio: Audio) -> Samples:
    return np.nan_to_num(audio.at_rate(WHISPER_RATE).samples).astype(np.float32, copy=False)


def _compute_types(device: str) -> list[str]:
    import ctranslate2

    kind = "cuda" if device == "auto" and ctranslate2.get_cuda_device_count() else device.replace("auto", "cpu")
    return sorted(ctranslate2.get_supported_compute_types(kind))


def _transcript(parts: Sequence[Any], language: str, language_probability: float, seconds: float) -> Transcript:
    words = [
        SimpleNamespace(text=word.word, start=word.start, end=word.end, probability=word.probability)
        for part in parts
        for word in part.words or ()
    ]
    tokens = [max(len(part.tokens), 1) for part in parts]
    logprobs = [finite(part.avg_logprob, -10.0) for part in parts]
    return Transcript(
        text=clean_text("".join(part.text for part in parts)),
        language=language,
        language_probability=probability(language_probability),
        words=placed_words(words, seconds),
        avg_logprob=sum(a * n for a, n in zip(logprobs, tokens, strict=True)) / sum(tokens) if parts else 0.0,
        no_speech_prob=max((probability(part.no_speech_prob) for part in parts), default=1.0),
        compression_ratio=max((finite(part.compression_ratio, 0.0) for part in parts), default=0.0),
    )
