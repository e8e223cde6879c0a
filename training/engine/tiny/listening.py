"""How well a Whisper bundle listens: measured on speech whose text and times are known, through the product's code."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from statistics import median

import numpy as np

from datasets.pipeline.transcribe import Transcriber
from training.engine.tiny.corpus import RATE, Corpus
from xttsproject.lib.audio import Audio, Samples
from xttsproject.lib.error_rates import character_error_rate, plain


@dataclass(frozen=True)
class ListeningFigures:
    """``cer`` over all clips, the median error of words' starts and ends, and the seconds that it took."""

    cer: float
    word_time_error_ms: float
    seconds: float


def measure(
    transcriber: Transcriber, corpus: Corpus, indices: Sequence[int], *, noise_db: float | None, seed: int = 0
) -> ListeningFigures:
    """Transcribe these clips as the portal does; ``noise_db``: white noise so many decibels below the speech.

    Words that were not recognised have no times to compare: they count in the character error rate. Where no word was
    recognised at all, the word times' error is infinite.
    """
    begun = time.monotonic()
    pairs: list[tuple[str, str]] = []
    errors: list[float] = []
    for index in indices:
        clip = corpus.utterances[index]
        samples = corpus.wave(index)
        if noise_db is not None:
            samples = noisy(samples, noise_db, seed=seed + index)
        heard = transcriber.transcribe(Audio(samples, RATE), "en")
        pairs.append((clip.text, heard.text))
        said = [(plain(word), start, end) for word, start, end in clip.words]
        written = [(plain(word.text), word.start, word.end) for word in heard.words]
        errors.extend(_time_errors(said, written))
    return ListeningFigures(
        cer=character_error_rate(pairs),
        word_time_error_ms=1000 * median(errors) if errors else float("inf"),
        seconds=time.monotonic() - begun,
    )


def noisy(samples: Samples, decibels: float, *, seed: int) -> Samples:
    """With white noise at this ratio of the clip's power to its own."""
    noise = np.random.default_rng(seed).standard_normal(len(samples), dtype=np.float32)
    level = float(np.sqrt(np.mean(samples**2))) * 10 ** (-decibels / 20)
    return np.asarray(samples + noise * np.float32(level), dtype=np.float32)


def _time_errors(
    said: Sequence[tuple[str, float, float]], written: Sequence[tuple[str, float, float]]
) -> Iterable[float]:
    """Seconds between starts and between ends of the words that both have, in order."""
    matcher = SequenceMatcher(None, [word for word, *_ in said], [word for word, *_ in written], autojunk=False)
    for block in matcher.get_matching_blocks():
        for number in range(block.size):
            _word, start, end = said[block.a + number]
            _same, began, ended = written[block.b + number]
            yield abs(began - start)
            yield abs(ended - end)
