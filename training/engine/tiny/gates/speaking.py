"""The models at work as the product uses them: many sentences spoken in shared batches, and heard again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from datasets.pipeline.transcribe import Transcriber
from training.engine.tiny.corpus import RATE
from training.engine.tiny.gates.material import Asked
from xttsproject.lib.audio import Audio, Samples
from xttsproject.lib.error_rates import character_error_rate
from xttsproject.lib.progress import Callback
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.engine import Saying, XttsEngine
from xttsproject.xtts.types import Sampling

LANGUAGE = "en"


@dataclass(frozen=True)
class Spoken:
    """What became of a sentence: sound at 22 050 Hz, and whether the model ended it itself."""

    asked: Asked
    samples: Samples
    finished: bool


def voices_of(engine: XttsEngine, references: Mapping[str, Sequence[Samples]]) -> dict[str, Conditioning]:
    """A voice's conditioning from its reference clips."""
    return {name: voice_of(engine, clips) for name, clips in references.items()}


def voice_of(engine: XttsEngine, clips: Sequence[Samples]) -> Conditioning:
    return engine.conditioning([Audio(clip, RATE) for clip in clips])


def speak(
    engine: XttsEngine, asked: Sequence[Asked], voices: Mapping[str, Conditioning], log: Callable[[str], None]
) -> list[Spoken]:
    """Speak every sentence with its voice. Its seed is its place in the list."""
    # Sentences of like length share a batch: the longest one holds the others up.
    order = sorted(range(len(asked)), key=lambda place: len(asked[place].text))
    sayings = [Saying(asked[place].text, LANGUAGE, voices[asked[place].voice], Sampling(seed=place)) for place in order]
    last = 0

    def report(fraction: float, _message: str) -> None:
        nonlocal last
        if int(4 * fraction) > last:
            last = int(4 * fraction)
            log(f"  {fraction:.0%}")

    spoken: dict[int, Spoken] = {}
    for place, speech in zip(order, engine.speak_all(sayings, Callback(report)), strict=True):
        finished = all(sentence.finished for sentence in speech.sentences)
        spoken[place] = Spoken(asked[place], speech.audio.at_rate(RATE).samples, finished)
    return [spoken[place] for place in range(len(asked))]


def error_rate(transcriber: Transcriber, spoken: Sequence[Spoken]) -> float:
    """Character error rate of the sentences as Whisper hears them."""
    return character_error_rate(
        (one.asked.text, transcriber.transcribe(Audio(one.samples, RATE), LANGUAGE).text) for one in spoken
    )


def embedding(engine: XttsEngine, clips: Sequence[Samples]) -> torch.Tensor:
    """The speaker encoder's mean over clips, of length 1: ``(512,)``."""
    found = voice_of(engine, clips).speaker_embedding.reshape(-1)
    unit: torch.Tensor = found / found.norm()
    return unit


def nearest(wanted: torch.Tensor, known: Mapping[str, torch.Tensor]) -> str:
    """Whose embedding has the highest cosine."""
    return max(known, key=lambda name: float(wanted @ known[name]))
