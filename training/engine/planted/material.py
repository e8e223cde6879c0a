"""Clean clips: synthetic speakers that no tiny model was trained on, and real recordings where they are given."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np

from training.engine.tiny import texts
from training.engine.tiny.corpus import RATE as CORPUS_RATE
from training.engine.tiny.corpus import Corpus, Line, render
from training.engine.tiny.voices import HELD_VOICES, TRAIN_VOICES, Voice
from xttsproject.lib.audio import Audio, Samples, read_wav

RATE = 24_000
"""Hertz of a recording's master."""
GUESTS = tuple(TRAIN_VOICES[7::23])
"""Who speaks where somebody else is spliced in."""
_GUEST_CLIPS = 6
_PAD_SECONDS = 0.12
_LONGEST_WORDS = 24
_ROOM_DB = (-46.0, -26.0)
_GAIN_DB = (-14.0, 0.0)

Word = tuple[str, float, float]


@dataclass(frozen=True)
class Clip:
    """``words`` with start and end in seconds; of real recordings none are known, and none are guessed.

    ``tuning`` clips are those that thresholds may be chosen on; the others are measured.
    """

    speaker: str
    text: str
    audio: Audio
    words: tuple[Word, ...]
    real: bool
    tuning: bool


@dataclass(frozen=True)
class Material:
    clips: tuple[Clip, ...]
    guests: tuple[Audio, ...]


def gather(work: Path, *, each: int, recordings: Path | None, log: Callable[[str], None]) -> Material:
    """``each`` clips of every synthetic speaker, rendered below ``work`` if they are not there, and the recordings.

    ``recordings``: a folder with ``metadata.csv`` in LJSpeech's form and its WAV files (22 050 Hz mono), or None.
    """
    lines = [Line(text, voice) for voice in HELD_VOICES for text in _texts(voice, each)]
    guest_lines = [Line(text, voice) for voice in GUESTS for text in _texts(voice, _GUEST_CLIPS)]
    corpus = _rendered(work / "speech", [*lines, *guest_lines], log)
    clips = [_synthetic(corpus, index, line) for index, line in enumerate(lines)]
    guests = [_at_master_rate(corpus.wave(index)) for index in range(len(lines), len(corpus))]
    real = _recorded(recordings) if recordings is not None else []
    # By turns, so that both halves hold every speaker.
    return Material(tuple(_varied(clip, number) for number, clip in enumerate([*clips, *real])), tuple(guests))


def _texts(voice: Voice, count: int) -> list[str]:
    """One to three sentences each: 2 to 10 seconds."""
    random = Random(f"planted {voice.key}")  # noqa: S311 - variation that must repeat
    drawn = texts.sentences(f"planted {voice.key}", short=True)
    found: list[str] = []
    while len(found) < count:
        text = " ".join(islice(drawn, random.randint(1, 3)))
        if text not in found and 6 <= len(text.split()) <= _LONGEST_WORDS:
            found.append(text)
    return found


def _rendered(folder: Path, lines: list[Line], log: Callable[[str], None]) -> Corpus:
    if (folder / "index.jsonl").is_file():
        corpus = Corpus.open(folder)
        if [(line.text, line.voice.key) for line in lines] == [(u.text, u.voice) for u in corpus.utterances]:
            return corpus
    log(f"rendering {len(lines)} clips")
    folder.parent.mkdir(parents=True, exist_ok=True)
    return render(lines, folder, processes=min(2, os.cpu_count() or 1))


def _synthetic(corpus: Corpus, index: int, line: Line) -> Clip:
    told = corpus.utterances[index]
    return Clip(line.voice.key, line.text, _at_master_rate(corpus.wave(index)), told.words, False, index % 2 == 0)


def _at_master_rate(samples: Samples) -> Audio:
    return Audio(samples, CORPUS_RATE).at_rate(RATE)


def _recorded(folder: Path) -> list[Clip]:
    with open(folder / "metadata.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle, delimiter="|", quoting=csv.QUOTE_NONE))
    clips = []
    for number, row in enumerate(rows):
        path = folder / f"{row[0]}.wav"
        if not path.is_file():
            path = folder / "wavs" / f"{row[0]}.wav"
        clips.append(Clip("recorded", row[-1], read_wav(path).at_rate(RATE), (), True, number % 2 == 0))
    return clips


def _varied(clip: Clip, number: int) -> Clip:
    """As recordings differ without being bad: some quieter, some in a room that is heard, with silence around."""
    random = np.random.default_rng(number)
    samples = clip.audio.samples
    pad = np.zeros(round(_PAD_SECONDS * RATE), np.float32)
    samples = np.concatenate([pad, samples, pad])
    power = float(np.mean(samples[np.abs(samples) > 0.02] ** 2))
    room = coloured_noise(len(samples), random) * np.sqrt(power) * 10 ** (random.uniform(*_ROOM_DB) / 20)
    gain = 10 ** (random.uniform(*_GAIN_DB) / 20) * 0.9 / max(float(np.abs(samples).max()), 1e-6)
    words = tuple((word, start + _PAD_SECONDS, end + _PAD_SECONDS) for word, start, end in clip.words)
    audio = Audio(((samples + room) * gain).astype(np.float32), RATE)
    return Clip(clip.speaker, clip.text, audio, words, clip.real, clip.tuning)


def coloured_noise(length: int, random: np.random.Generator) -> Samples:
    """Noise of power one that falls by 0 to 6 dB an octave, as rooms and machines have."""
    spectrum = np.fft.rfft(random.standard_normal(length))
    slope = random.uniform(0.0, 1.0)
    shape = np.maximum(np.arange(len(spectrum)), max(1.0, 100 * length / RATE)) ** -slope
    noise = np.fft.irfft(spectrum * shape, length)
    scaled: Samples = (noise / np.sqrt(np.mean(noise**2))).astype(np.float32)
    return scaled
