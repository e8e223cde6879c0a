"""What the tiny Whisper is trained on: clips, alone or joined, as features and as tokens with the times of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr
import torch
from torch import Tensor

from training.engine.tiny.augment import SAMPLE_RATE, Noises, degraded, power_spectrum, with_noise
from training.engine.tiny.corpus import RATE, Corpus, Utterance
from xttsproject.bundles.tiny.whisper_tokens import LANGUAGES, LETTERS, TIMESTAMP_SECONDS, Tokens
from xttsproject.lib.audio import Samples

Times = npt.NDArray[np.float32]

FRAMES_PER_SECOND = 50
"""Positions of the encoder."""
LONGEST_SECONDS = 14.0
ALPHABET = LETTERS + "' "
"""What the encoder alone is asked to spell, in training only; 0 is the blank."""
IGNORED = -100
_CALM_SECONDS = 0.16
"""How long after speech the end is looked for."""


@dataclass(frozen=True)
class Line:
    """One clip's text as tokens, with the stretch of sound (seconds) that each of them stands for."""

    tokens: tuple[int, ...]
    starts: Times
    ends: Times
    spelling: tuple[int, ...]
    finishes: float
    """When the last word is over; its full stop comes after."""

    def moved(self, offset: float, speed: float) -> Line:
        """Its place in a window: spoken ``speed`` times as fast, and ``offset`` seconds later."""
        starts, ends = (times / np.float32(speed) + np.float32(offset) for times in (self.starts, self.ends))
        return Line(self.tokens, starts, ends, self.spelling, self.finishes / speed + offset)

    @property
    def begins(self) -> float:
        return float(self.starts[0])


class Scribe:
    """Writes what is said in a clip as a :class:`Line`."""

    def __init__(self, tokens: Tokens):
        import json

        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_str(json.dumps(tokens.tokenizer))

    def line(self, utterance: Utterance) -> Line:
        """Times of words are the synthesiser's; within a word they are shared out evenly over its letters."""
        text = f" {utterance.text}"
        starts, ends = np.full(len(text), np.nan), np.full(len(text), np.nan)
        place, latest = 0, 0.0
        for number, (word, begin, end) in enumerate(utterance.words):
            first = text.find(word, place)
            if first < 0:
                raise ValueError(f"The word “{word}” is not in “{utterance.text}” where its time says.")
            place = first + len(word)
            last = number == len(utterance.words) - 1
            if not last and text[place] in ",;:" and end - begin > 0.2:
                # The pause after a comma counts as its word's; most of it is the comma's.
                end -= min(_CALM_SECONDS, (end - begin) / 3)
            edges = np.linspace(begin, end, len(word) + 1)
            starts[first:place], ends[first:place] = edges[:-1], edges[1:]
            latest = end
            if place < len(text) and np.isnan(starts[place]):
                following = end + _CALM_SECONDS / 2 if last else utterance.words[number + 1][1]
                starts[place], ends[place] = end, max(following, end + 0.02)
        # Closing signs that are left, after the last word or in a row.
        for position in range(1, len(text)):
            if np.isnan(starts[position]) and text[position] != " ":
                starts[position], ends[position] = latest, latest + _CALM_SECONDS / 2
            elif not np.isnan(ends[position]):
                latest = ends[position]
        encoded = self._tokenizer.encode(text)
        begins, finishes = [], []
        for begin, end in encoded.offsets:
            own = [place for place in range(begin, end) if text[place] != " "] or [min(end, len(text) - 1)]
            begins.append(starts[own[0]])
            finishes.append(ends[own[-1]])
        spelling = " ".join(word for word, _begin, _end in utterance.words).lower()
        return Line(
            tuple(encoded.ids),
            np.nan_to_num(np.array(begins, np.float32)),
            np.nan_to_num(np.array(finishes, np.float32)),
            tuple(ALPHABET.index(sign) + 1 for sign in spelling if sign in ALPHABET),
            utterance.words[-1][2],
        )


@dataclass(frozen=True)
class Window:
    """What is heard, at :data:`SAMPLE_RATE`, and the lines in it; none where nobody speaks."""

    samples: Samples
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Batch:
    """``features`` (batch, mels, 2 positions); ``inputs`` and ``targets`` (batch, tokens), -100 where none is asked;
    ``stretches`` (batch, tokens, 2): where in the sound (positions of the encoder) the target is, NaN where nowhere;
    ``spelling`` (batch, letters) and ``spelled`` (batch): the letters, for the encoder alone, and how many; ``sounds``
    (batch): how many positions of the encoder have sound; ``spoken`` (batch, positions): which letter is spoken there,
    0 where none is.
    """

    features: Tensor
    inputs: Tensor
    targets: Tensor
    stretches: Tensor
    spelling: Tensor
    spelled: Tensor
    sounds: Tensor
    spoken: Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(*(part.to(device) for part in vars(self).values()))


class Desk:
    """Makes batches of corpora: which clips, joined or alone, how disturbed, and what is asked of the model."""

    def __init__(self, corpora: Sequence[Corpus], tokens: Tokens, *, seconds: float, mels: int = 80):
        from faster_whisper.feature_extractor import FeatureExtractor

        self.tokens, self.seconds = tokens, seconds
        scribe = Scribe(tokens)
        self._clips = [(corpus, index) for corpus in corpora for index in range(len(corpus))]
        utterances = [corpus.utterances[index] for corpus, index in self._clips]
        self._lines = [scribe.line(utterance) for utterance in utterances]
        self._lengths = np.array([utterance.samples / RATE for utterance in utterances])
        ends = np.cumsum([len(corpus) for corpus in corpora])
        self._shares = np.split(np.arange(len(self._clips)), ends[:-1])
        self._letters = {
            number: ALPHABET.index(token[-1].lower()) + 1
            for number, token in enumerate(tokens.text)
            if token and token[-1].lower() in ALPHABET
        }
        self._noises = Noises()
        self._filters = FeatureExtractor(feature_size=mels).mel_filters
        self._epoch, self._batches = -1, [np.zeros(0, np.int64)]

    def clips(self, step: int) -> Sequence[int]:
        """The clips of a step: alike in length, ``seconds`` in all. An epoch has every clip of the smallest corpus once
        and as many seconds of each larger one, of which other epochs have other clips."""
        epoch, place = 0, step
        while True:
            if epoch != self._epoch:
                self._epoch, self._batches = epoch, self.epoch(epoch)
            if place < len(self._batches):
                return [int(clip) for clip in self._batches[place]]
            place -= len(self._batches)
            epoch += 1

    def epoch(self, number: int) -> list[npt.NDArray[np.int64]]:
        """The batches of an epoch, as the numbers of their clips."""
        chance = np.random.default_rng([number, len(self._lengths)])
        drawn = self._even(chance)
        # Lengths with a little noise, so that clips do not always meet the same neighbours.
        order = drawn[np.argsort(self._lengths[drawn] * chance.uniform(0.85, 1.15, len(drawn)))]
        filled = np.floor(np.cumsum(self._lengths[order]) / self.seconds).astype(int)
        batches = np.split(order, np.flatnonzero(np.diff(filled)) + 1)
        return [batches[number] for number in chance.permutation(len(batches))]

    def _even(self, chance: np.random.Generator) -> npt.NDArray[np.int64]:
        seconds = min(self._lengths[share].sum() for share in self._shares)
        shuffled = [chance.permutation(share) for share in self._shares]
        # The hundredth is for sums that differ with the order of what is added.
        return np.concatenate([share[np.cumsum(self._lengths[share]) < seconds + 0.01] for share in shuffled])

    def batch(self, step: int, chance: np.random.Generator) -> Batch:
        clips = self.clips(step)
        groups = self._joined(clips, chance) if chance.random() < 0.25 else [[clip] for clip in clips]
        return self._collate([self._window(group, chance) for group in groups], chance)

    def _joined(self, clips: Sequence[int], chance: np.random.Generator) -> list[list[int]]:
        groups: list[list[int]] = []
        for clip in chance.permutation(np.array(clips)):
            if groups and self._lengths[[*groups[-1], clip]].sum() < LONGEST_SECONDS and len(groups[-1]) < 3:
                groups[-1].append(int(clip))
            else:
                groups.append([int(clip)])
        return groups

    def _window(self, clips: Sequence[int], chance: np.random.Generator) -> Window:
        pieces: list[Samples] = [np.zeros(_samples(_pause(chance)), np.float32)]
        lines: list[Line] = []
        for clip in clips:
            speed = float(chance.uniform(0.87, 1.15))
            offset = sum(map(len, pieces)) / SAMPLE_RATE
            pieces.append(self._spoken(clip, speed))
            pieces.append(np.zeros(_samples(_pause(chance)), np.float32))
            lines.append(self._lines[clip].moved(offset, speed))
        samples = np.concatenate(pieces)[: _samples(LONGEST_SECONDS * 1.5)]
        if chance.random() < 0.03:
            # Nobody speaks here: only the noise below is left.
            samples, lines = np.float32(1e-3) * self._noises.draw(len(samples), chance), []
        babble = None
        if chance.random() < 0.1:
            babble = self._spoken(int(chance.integers(len(self._clips))), 1.0)
        return Window(with_noise(samples, chance, self._noises, babble if lines else None), tuple(lines))

    def _spoken(self, clip: int, speed: float) -> Samples:
        corpus, index = self._clips[clip]
        spoken = soxr.resample(corpus.wave(index), RATE * speed, SAMPLE_RATE, quality="LQ")
        return np.asarray(spoken, dtype=np.float32)

    def features(self, samples: Samples, chance: np.random.Generator | None = None) -> npt.NDArray[np.float32]:
        """(mels, frames) as faster-whisper computes them; ``chance`` degrades the spectrum on the way."""
        power = power_spectrum(samples)
        if chance is not None:
            power = degraded(power, chance)
        logarithm = np.log10(np.maximum(self._filters @ power.T, 1e-10))
        return np.asarray((np.maximum(logarithm, logarithm.max() - 8.0) + 4.0) / 4.0, dtype=np.float32)

    def _collate(self, windows: Sequence[Window], chance: np.random.Generator) -> Batch:
        heard = [self.features(window.samples, chance) for window in windows]
        positions = 8 * (max(part.shape[1] for part in heard) // 16 + 1)
        features = np.zeros((len(heard), len(self._filters), 2 * positions), np.float32)
        for row, part in zip(features, heard, strict=True):
            row[:, : part.shape[1]] = part
        asked = [self._asked(window, chance) for window in windows]
        width = max(len(inputs) for inputs, _targets, _stretches in asked)
        inputs = np.full((len(asked), width), self.tokens.special_id("endoftext"), np.int64)
        targets = np.full((len(asked), width), IGNORED, np.int64)
        stretches = np.full((len(asked), width, 2), np.nan, np.float32)
        for row, (given, wanted, where) in enumerate(asked):
            inputs[row, : len(given)], targets[row, : len(given)] = given, wanted
            stretches[row, : len(given)] = where
        spellings = [_spelled(window.lines) for window in windows]
        spelling = np.zeros((len(spellings), max(1, *map(len, spellings))), np.int64)
        for row, signs in enumerate(spellings):
            spelling[row, : len(signs)] = signs
        return Batch(
            torch.from_numpy(features),
            torch.from_numpy(inputs),
            torch.from_numpy(targets),
            torch.from_numpy(stretches) * FRAMES_PER_SECOND,
            torch.from_numpy(spelling),
            torch.tensor([len(signs) for signs in spellings]),
            torch.tensor([part.shape[1] // 2 for part in heard]),
            torch.from_numpy(np.stack([self._spoken_letters(window, positions) for window in windows])),
        )

    def _spoken_letters(self, window: Window, positions: int) -> npt.NDArray[np.int64]:
        spoken = np.zeros(positions, np.int64)
        for line in window.lines:
            edges = np.round(np.stack([line.starts, line.ends]) * FRAMES_PER_SECOND).astype(int)
            for token, start, end in zip(line.tokens, *edges.tolist(), strict=True):
                spoken[start:end] = self._letters.get(token, 0)
        return spoken

    def _asked(
        self, window: Window, chance: np.random.Generator
    ) -> tuple[list[int], list[int], npt.NDArray[np.float32]]:
        """Inputs, targets and stretches of one window, with or without timestamps."""
        special = self.tokens.special_id
        # Whatever language it is told to expect, it writes what it knows.
        told = "en" if chance.random() < 0.95 else LANGUAGES[int(chance.integers(len(LANGUAGES)))]
        row = [special("startoftranscript"), special(told), special("transcribe")]
        wanted = [special("en") if window.lines else special("nospeech"), IGNORED]
        where = [(np.nan, np.nan)] * 2
        timed = chance.random() < 0.5
        if not timed:
            row.append(special("notimestamps"))
            wanted.append(IGNORED)
            where.append((np.nan, np.nan))
        for line in window.lines:
            if timed:
                row.append(self._timestamp(line.begins))
                where.append((max(0.0, line.begins - _CALM_SECONDS), line.begins))
            row.extend(line.tokens)
            where.extend(zip(line.starts.tolist(), line.ends.tolist(), strict=True))
            if timed:
                row.append(self._timestamp(line.finishes))
                where.append((line.finishes, line.finishes + _CALM_SECONDS))
        if timed and not window.lines:
            row.append(self._timestamp(0.0))
            where.append((np.nan, np.nan))
        end = max((line.finishes for line in window.lines), default=np.nan)
        row.append(special("endoftext"))
        where.append((end + _CALM_SECONDS / 2, end + 2 * _CALM_SECONDS))
        wanted.extend(row[len(wanted) + 1 :])
        return row[:-1], wanted, np.array(where, np.float32)

    def _timestamp(self, seconds: float) -> int:
        return self.tokens.first_timestamp + round(seconds / TIMESTAMP_SECONDS)


def _pause(chance: np.random.Generator) -> float:
    """Seconds of silence, mostly next to none: clips have some of their own, and silence costs as much as speech."""
    return float(chance.exponential(0.4)) if chance.random() < 0.3 else 0.0


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


def _spelled(lines: Sequence[Line]) -> list[int]:
    """All lines' letters, with a space between lines."""
    signs: list[int] = []
    for line in lines:
        signs.extend([ALPHABET.index(" ") + 1] * bool(signs))
        signs.extend(line.spelling)
    return signs
