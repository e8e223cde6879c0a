"""Sentences that the tiny model says: by voices that it was not trained on, and how its own Whisper hears them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.pipeline.listening import Listening
from training.engine.tiny import texts
from training.engine.tiny.corpus import RATE, Corpus, Line, render
from training.engine.tiny.voices import HELD_VOICES, Voice
from xttsproject.lib.audio import Audio, Samples
from xttsproject.lib.error_rates import character_error_rate
from xttsproject.lib.progress import Silent
from xttsproject.xtts.types import Sampling

if TYPE_CHECKING:
    from torch import Tensor

    from datasets.pipeline.transcribe import Transcriber
    from xttsproject.xtts.conditioning import Conditioning
    from xttsproject.xtts.engine import XttsEngine

Log = Callable[[str], None]
Plan = Callable[[str, str], list[str]]

LANGUAGE = "en"
REFERENCES = 3
"""Clips that a voice is taken from."""
HEARD_WELL = 0.3
"""Character error rate up to which a sentence counts as well said: the tiny Whisper mishears words of good ones, and
what it makes nothing of may be faulty of itself."""
_SHORTEST = 30
_BATCH = 16


@dataclass(frozen=True)
class Said:
    """A sentence with its codes (without the stop), their latents ``(codes, width)`` and its sound at 24 kHz.

    ``tuning`` sentences are those from which the pace of their voice is known, and on which limits may be looked at
    again; the others are measured. ``errors`` is the character error rate by the tiny Whisper.
    """

    voice: str
    text: str
    codes: tuple[int, ...]
    latents: Tensor
    finished: bool
    samples: Samples
    tuning: bool
    conditioning: Conditioning
    errors: float = 0.0

    @property
    def well_said(self) -> bool:
        return self.finished and self.errors <= HEARD_WELL


def gather(engine: XttsEngine, transcriber: Transcriber, work: Path, *, voices: int, each: int, log: Log) -> list[Said]:
    """``each`` sentences of ``voices`` speakers; their reference clips are rendered below ``work`` if not there."""
    corpus = _references(work / "speech", HELD_VOICES[:voices], log)
    found: list[Said] = []
    for voice, clips in corpus.by_voice.items():
        references = [Audio(corpus.wave(index), RATE) for index in clips]
        said = _speak(engine, voice, references, texts_for(voice, each, engine.plan))
        sounds = [Audio(sentence.samples, engine.sample_rate) for sentence in said]
        heard = transcriber.transcribe_many(sounds, LANGUAGE, Listening(beam=1, retries=()), Silent())
        found += [
            replace(sentence, errors=character_error_rate([(sentence.text, transcript.text)]))
            for sentence, transcript in zip(said, heard, strict=True)
        ]
        log(f"{voice}: {sum(sentence.well_said for sentence in found)} of {len(found)} sentences well said so far")
    return found


def texts_for(voice: str, count: int, plan: Plan) -> list[str]:
    """What a voice is to say: texts of one sentence each, which is what the guard judges. Some that are drawn have two,
    and ``plan`` (:meth:`xttsproject.xtts.engine.XttsEngine.plan`) would have them said one by one."""
    drawn = (text for text in texts.sentences(f"guard measured {voice}") if len(text) >= _SHORTEST)
    return list(islice((text for text in drawn if len(plan(text, LANGUAGE)) == 1), count))


def _references(folder: Path, voices: Sequence[Voice], log: Log) -> Corpus:
    lines = [
        Line(text, voice)
        for voice in voices
        for text in islice(texts.sentences(f"guard references {voice.key}", short=True), REFERENCES)
    ]
    if (folder / "index.jsonl").is_file():
        corpus = Corpus.open(folder)
        if [(line.text, line.voice.key) for line in lines] == [(clip.text, clip.voice) for clip in corpus.utterances]:
            return corpus
    log(f"rendering {len(lines)} reference clips")
    folder.parent.mkdir(parents=True, exist_ok=True)
    return render(lines, folder)


def _speak(engine: XttsEngine, voice: str, references: Sequence[Audio], said: Sequence[str]) -> list[Said]:
    from xttsproject.xtts.engine import Saying

    conditioning = engine.conditioning(references)
    utterances = [
        utterance
        for seed, text in enumerate(said)
        for utterance in engine.planned(Saying(text, LANGUAGE, conditioning, Sampling(seed=seed))).utterances
    ]
    spoken = engine.gpt.decode(utterances, limit=_BATCH)
    return [
        Said(
            voice=voice,
            text=text,
            codes=decoded.codes[: decoded.spoken_codes],
            latents=decoded.latents,
            finished=decoded.finished,
            samples=engine.render(decoded.latents, conditioning),
            tuning=number % 2 == 0,
            conditioning=conditioning,
        )
        for number, (text, decoded) in enumerate(zip(said, spoken, strict=True))
    ]
