"""The rendered speech: which sets there are, how they are made, and how a stage reads them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt

from training.engine.tiny import texts
from training.engine.tiny.voices import FINETUNE_VOICE, HELD_VOICES, TRAIN_VOICES, Voice
from xttsproject.lib.audio import Samples
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_directory, write_json

Word = tuple[str, float, float]
"""A word, and the seconds at which it begins and ends."""

RATE = 22_050
LEAD, TAIL = 2_048, 3_072
"""Samples of near-silence before and after the speech, at least."""
GRID = 1_024
"""Samples of an audio code: every clip is a whole number of them."""

PEAK = 0.6
_NOISE_DB = (-80.0, -62.0)

SETS = ("train", "validation", "held", "finetune")
LISTENING = "listening"
"""A set for the tiny Whisper alone: more words, at many speeds, and the synthesiser's own voice too."""
REFERENCES = 8
"""Of each held voice the first clips are its references, the others what is asked for."""
_TRAIN_CLIPS, _VALIDATION_CLIPS, _HELD_CLIPS = 12_000, 120, 40
FINETUNE_TEST_CLIPS = 30
_LISTENING_CLIPS = 8_000
_LISTENING_SPEEDS, _DEFAULT_PITCHES = (135, 200), (35, 65)
FACTS = "facts.json"
"""How long a set took to render, in seconds."""
_ROOT = Path(__file__).resolve().parents[3]
_PART = 1_000
"""Lines that one process says."""
_MOST_SPEECH = 2.5
"""With a larger ``scale`` there is more speech to learn from, up to so many times the usual."""
_FINETUNE_CLIPS = 86
"""About three minutes."""


@dataclass(frozen=True)
class Utterance:
    """A clip: what is said by whom, where its samples lie, and its words with start and end in seconds from there."""

    text: str
    voice: str
    start: int
    samples: int
    words: tuple[Word, ...]


class Corpus:
    """One rendered set, memory-mapped."""

    def __init__(self, utterances: tuple[Utterance, ...], sound: npt.NDArray[np.int16]):
        self.utterances, self._sound = utterances, sound
        self.by_voice: dict[str, list[int]] = {}
        for index, utterance in enumerate(utterances):
            self.by_voice.setdefault(utterance.voice, []).append(index)

    @classmethod
    def open(cls, folder: Path) -> Corpus:
        lines = (folder / "index.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        utterances = tuple(
            Utterance(row["text"], row["voice"], row["start"], row["samples"], tuple(map(tuple, row["words"])))
            for row in rows
        )
        return cls(utterances, np.memmap(folder / "sound.pcm", dtype=np.int16, mode="r"))

    def __len__(self) -> int:
        return len(self.utterances)

    def wave(self, index: int) -> Samples:
        """Samples from -1 to 1 at :data:`RATE`."""
        clip = self.utterances[index]
        samples: Samples = self._sound[clip.start : clip.start + clip.samples].astype(np.float32) / np.float32(32_768)
        return samples


@dataclass(frozen=True)
class Line:
    """A text and who is to say it."""

    text: str
    voice: Voice
    words_per_minute: int = 170


def planned(name: str, scale: float = 1.0) -> list[Line]:
    """What a set says; ``scale`` above 1 makes ``train`` and ``listening`` larger.

    No sentence of a set that is measured occurs in those two.
    """
    more = min(max(scale, 1.0), _MOST_SPEECH)
    kept = {line.text for other in SETS if other != "train" for line in _measured(other)}
    if name == LISTENING:
        return _listening(kept, round(_LISTENING_CLIPS * more))
    if name != "train":
        return _measured(name)
    wanted = (text for text in texts.sentences("train") if text not in kept)
    return [
        Line(text, TRAIN_VOICES[number % len(TRAIN_VOICES)])
        for number, text in enumerate(islice(wanted, round(_TRAIN_CLIPS * more)))
    ]


def _listening(kept: Collection[str], count: int) -> list[Line]:
    random = Random(LISTENING)  # noqa: S311 - variation that must repeat
    wanted = (text for text in texts.heard(LISTENING) if text not in kept)
    lines = []
    for number, text in enumerate(islice(wanted, count)):
        voice = TRAIN_VOICES[number % len(TRAIN_VOICES)]
        if number % 4 == 0:
            # Nothing measured here speaks with it, but recordings that people make with espeak-ng do.
            voice = Voice("", random.randint(*_DEFAULT_PITCHES))
        lines.append(Line(text, voice, random.randint(*_LISTENING_SPEEDS)))
    return lines


def _measured(name: str) -> list[Line]:
    fresh = _distinct(name)
    if name == "validation":
        spread = TRAIN_VOICES[:: max(1, len(TRAIN_VOICES) // _VALIDATION_CLIPS)]
        return [Line(next(fresh), spread[number % len(spread)]) for number in range(_VALIDATION_CLIPS)]
    if name == "held":
        return [Line(next(fresh), voice) for voice in HELD_VOICES for _ in range(_HELD_CLIPS)]
    return [Line(next(fresh), FINETUNE_VOICE) for _ in range(_FINETUNE_CLIPS + FINETUNE_TEST_CLIPS)]


def _distinct(name: str) -> Iterator[str]:
    seen: set[str] = set()
    for text in texts.sentences(name, short=True):
        if text not in seen:
            seen.add(text)
            yield text


def render(lines: Sequence[Line], folder: Path, *, processes: int = 1) -> Corpus:
    """Have the lines spoken by espeak-ng, and write them as one set, whole or not at all.

    ``processes`` is how many run at once. What one process says is always the same stretch of lines: espeak-ng's state
    goes on from sentence to sentence. (A few of its variants still have a noise that differs from run to run.)
    """
    begun = time.monotonic()
    with atomic_directory(folder) as place:
        parts = [lines[begin : begin + _PART] for begin in range(0, len(lines), _PART)]
        with ThreadPoolExecutor(max(1, processes)) as pool:
            for failed in pool.map(_speak, parts, (place / f"part-{number}" for number in range(len(parts)))):
                if failed:
                    raise DomainError(
                        "speech_unavailable",
                        f"espeak-ng's process ended with {failed}; it needs the extra “demo” of this project "
                        "(make setup installs it). What it said itself stands above.",
                    )
        _join(lines, parts, place)
        write_json(place / FACTS, {"seconds": round(time.monotonic() - begun, 1)})
    return Corpus.open(folder)


def _speak(part: Sequence[Line], target: Path) -> int:
    """Have one process speak some lines; its exit status."""
    target = target.absolute()
    target.with_suffix(".requests").write_text("".join(map(_request, part)), encoding="utf-8")
    with open(target.with_suffix(".requests")) as requests:
        command = [sys.executable, "-m", "training.engine.tiny.espeak", str(target)]
        return subprocess.run(command, stdin=requests, check=False, cwd=_ROOT).returncode


def _request(line: Line) -> str:
    wanted = {
        "text": line.text, "variant": line.voice.variant, "pitch": line.voice.pitch,
        "words_per_minute": line.words_per_minute,
    }  # fmt: skip
    return json.dumps(wanted) + "\n"


def _join(lines: Sequence[Line], parts: Sequence[Sequence[Line]], place: Path) -> None:
    position = number = 0
    with open(place / "sound.pcm", "wb") as sound, open(place / "index.jsonl", "w", encoding="utf-8") as index:
        for part in range(len(parts)):
            path = place / f"part-{part}"
            raw = np.fromfile(path.with_suffix(".pcm"), dtype=np.int16)
            begin = 0
            for row in path.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines():
                facts, line = json.loads(row), lines[number]
                if facts["rate"] != RATE:
                    raise RuntimeError(f"espeak-ng speaks at {facts['rate']} Hz; {RATE} Hz is expected.")
                samples = dressed(raw[begin : begin + facts["samples"]], seed=number)
                begin += facts["samples"]
                sound.write(samples.tobytes())
                words = [
                    (word, round(start + LEAD / RATE, 3), round(end + LEAD / RATE, 3))
                    for word, start, end in facts["words"]
                ]
                entry = {
                    "text": line.text, "voice": line.voice.key, "start": position, "samples": len(samples),
                    "words": words,
                }  # fmt: skip
                index.write(json.dumps(entry) + "\n")
                position += len(samples)
                number += 1
            for suffix in (".pcm", ".jsonl", ".requests"):
                path.with_suffix(suffix).unlink()


def dressed(speech: npt.NDArray[np.int16], *, seed: int) -> npt.NDArray[np.int16]:
    """Speech at one level, with near-silence around it and a quiet room under it, as a whole number of codes."""
    length = -(-(LEAD + len(speech) + TAIL) // GRID) * GRID
    clip = np.zeros(length, np.float32)
    clip[LEAD : LEAD + len(speech)] = speech * (PEAK / max(1.0, float(np.abs(speech.astype(np.float32)).max())))
    level = 10 ** (Random(seed).uniform(*_NOISE_DB) / 20)  # noqa: S311 - variation that must repeat
    clip += np.random.default_rng(seed).standard_normal(length, dtype=np.float32) * level
    return np.round(clip * 32_767).astype(np.int16)
