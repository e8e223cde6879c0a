"""Many clips at once: batches of windows through Whisper's encoder and decoder.

Whisper's encoder always takes a whole window (30 s for the released models); a clip of 2–11 s alone in it is mostly
padding, and encoding it is most of the work. So neighbouring clips share windows, and windows share batches. What such
a window leaves in doubt is listened to alone, and then, as faster-whisper does, at rising temperatures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from datasets.pipeline.doubt import better, doubts
from datasets.pipeline.transcript import Transcript, Word, clean_text, finite, probability
from datasets.pipeline.windows import GAP_SECONDS, Window, plan_windows, share_out
from datasets.pipeline.word_times import TimedWord, mean_logprob, timed_words, without_pauses
from xttsproject.lib.audio import Samples
from xttsproject.lib.progress import Progress, Silent

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer

WHISPER_RATE = 16_000
TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Listening:
    """``batch``: windows that go through the model together. ``beam``: hypotheses that are followed.

    ``shared``: several clips may share a window. ``hotwords``: names and words to expect, as one line. A clip that is
    still doubtful alone is tried at each of the ``retries`` temperatures in turn.
    """

    batch: int = 8
    beam: int = 5
    shared: bool = False
    hotwords: str = ""
    retries: tuple[float, ...] = TEMPERATURES[1:]

    def __post_init__(self) -> None:
        for name in ("batch", "beam"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is 1 or more, got {getattr(self, name)}.")


@dataclass(frozen=True)
class _Heard:
    """A window as decoded. ``full``: the model ran out of tokens before it was finished."""

    words: list[TimedWord]
    no_speech: float
    language_probability: float
    full: bool


class BatchListener:
    """Batches through one model, which stays the caller's."""

    def __init__(self, model: WhisperModel):
        self._model = model
        extractor = model.feature_extractor
        self._hop = int(extractor.hop_length)
        self._frames = int(extractor.nb_max_frames)
        self.room = self._frames * self._hop
        self.gap = round(GAP_SECONDS * WHISPER_RATE)

    def clips_of_a_batch(self, lengths: Sequence[int], listening: Listening) -> int:
        """How many of the first clips (of ``lengths`` samples) fill one batch."""
        windows = plan_windows(lengths, self.room, self.gap, shared=listening.shared)
        return sum(len(window) for window in windows[: listening.batch])

    def listen(
        self, clips: Sequence[Samples], language: str, listening: Listening, progress: Progress | None = None
    ) -> list[Transcript]:
        """What is said in each clip (16 kHz), at temperature 0. Clips must not be longer than a window.

        Raises ``Cancelled`` between batches.
        """
        progress = progress or Silent()
        windows = plan_windows([len(clip) for clip in clips], self.room, self.gap, shared=listening.shared)
        found: dict[int, Transcript] = {}
        self._rounds(windows, clips, language, listening, progress, found)
        alone = [clip for clip in range(len(clips)) if clip not in found]
        again = [window for clip in alone for window in _single(clip, clips)]
        self._rounds(again, clips, language, listening, progress, found)
        return [found[clip] for clip in range(len(clips))]

    def _rounds(
        self,
        windows: Sequence[Window],
        clips: Sequence[Samples],
        language: str,
        listening: Listening,
        progress: Progress,
        found: dict[int, Transcript],
    ) -> None:
        """Add to ``found`` every clip of which the model can be sure enough in this window."""
        for first in range(0, len(windows), listening.batch):
            progress.check()
            part = windows[first : first + listening.batch]
            for window, heard in zip(part, self._hear(part, clips, language, listening), strict=True):
                found.update(_of_clips(window, heard, language))

    def _hear(
        self, windows: Sequence[Window], clips: Sequence[Samples], language: str, listening: Listening
    ) -> list[_Heard]:
        from faster_whisper.tokenizer import Tokenizer
        from faster_whisper.transcribe import get_suppressed_tokens

        model = self._model
        network = model.model
        tokenizer = Tokenizer(model.hf_tokenizer, network.is_multilingual, task="transcribe", language=language)
        sounds = [_sound(window, clips) for window in windows]
        encoded = model.encode(np.stack([self._features(sound) for sound in sounds]))
        prompt = model.get_prompt(tokenizer, [], without_timestamps=True, hotwords=listening.hotwords or None)
        # CTranslate2 writes half of its limit at most: the other half is kept for what was said before.
        limit = min(model.max_length // 2, model.max_length - len(prompt))
        results = network.generate(
            encoded,
            [prompt] * len(windows),
            beam_size=listening.beam,
            max_length=model.max_length,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
            return_scores=True,
            return_no_speech_prob=True,
        )
        tokens = [[token for token in result.sequences_ids[0] if token < tokenizer.eot] for result in results]
        frames = [min(math.ceil(len(sound) / self._hop), self._frames) for sound in sounds]
        words = self._align(encoded, tokenizer, tokens, frames)
        sure = self._language_probabilities(encoded, language, len(windows))
        return [
            _Heard(
                words=words[row],
                no_speech=probability(result.no_speech_prob),
                language_probability=sure[row],
                full=len(result.sequences_ids[0]) >= limit,
            )
            for row, result in enumerate(results)
        ]

    def steps(self, windows: Sequence[Window], clips: Sequence[Samples], tokens_per_second: float) -> None:
        """Encode, decode and align, with as many tokens as the sound's length says: for measuring, whatever the weights
        are."""
        from faster_whisper.tokenizer import Tokenizer

        model = self._model
        tokenizer = Tokenizer(model.hf_tokenizer, True, task="transcribe", language="en")
        sounds = [_sound(window, clips) for window in windows]
        encoded = model.encode(np.stack([self._features(sound) for sound in sounds]))
        prompt = model.get_prompt(tokenizer, [], without_timestamps=True)
        wanted = [max(1, round(tokens_per_second * len(sound) / WHISPER_RATE)) for sound in sounds]
        model.model.generate(
            encoded,
            [prompt] * len(windows),
            beam_size=Listening.beam,
            max_length=min(2 * max(len(prompt), *wanted, 1), model.max_length),
            suppress_tokens=[tokenizer.eot],
            return_no_speech_prob=True,
        )
        letter = tokenizer.encode(" a")[0]
        frames = [min(math.ceil(len(sound) / self._hop), self._frames) for sound in sounds]
        self._align(encoded, tokenizer, [[letter] * count for count in wanted], frames)

    def _features(self, sound: Samples) -> Samples:
        """(mels, frames of a window), filled up with zeros as faster-whisper does."""
        from faster_whisper.audio import pad_or_trim

        features: Samples = pad_or_trim(self._model.feature_extractor(sound)[..., :-1], self._frames)
        return features.astype(np.float32, copy=False)

    def _align(
        self, encoded: Any, tokenizer: Tokenizer, tokens: Sequence[list[int]], frames: Sequence[int]
    ) -> list[list[TimedWord]]:
        if not any(tokens):
            return [[] for _ in tokens]
        aligned = self._model.model.align(encoded, tokenizer.sot_sequence, tokens, frames)
        return [timed_words(result, row, tokenizer) for result, row in zip(aligned, tokens, strict=True)]

    def _language_probabilities(self, encoded: Any, language: str, count: int) -> list[float]:
        if not self._model.model.is_multilingual:
            return [1.0] * count
        rows = self._model.model.detect_language(encoded)
        return [probability(dict(row).get(f"<|{language}|>", 0.0)) for row in rows]

    def heard_languages(self, clips: Sequence[Samples], batch: int, progress: Progress) -> dict[str, float]:
        """The mean probability of each language over the clips, each alone in its window.

        Raises ``Cancelled`` between batches of ``batch`` clips.
        """
        total: dict[str, float] = {}
        for first in range(0, len(clips), batch):
            progress.check()
            sounds = [clip[: self.room] for clip in clips[first : first + batch]]
            encoded = self._model.encode(np.stack([self._features(sound) for sound in sounds]))
            for row in self._model.model.detect_language(encoded):
                for token, share in row:
                    total[token[2:-2]] = total.get(token[2:-2], 0.0) + probability(share) / len(clips)
        return total


def _single(clip: int, clips: Sequence[Samples]) -> list[Window]:
    return plan_windows([0] * clip + [len(clips[clip])], 1, 0, shared=False)[clip:]


def _sound(window: Window, clips: Sequence[Samples]) -> Samples:
    sound = np.zeros(window[-1].end, np.float32)
    for place in window:
        sound[place.start : place.end] = clips[place.clip]
    return sound


def _of_clips(window: Window, heard: _Heard, language: str) -> dict[int, Transcript]:
    """Each clip's transcript; of a shared window only those that leave no doubt about what belongs to them."""
    spans = [(place.start / WHISPER_RATE, place.end / WHISPER_RATE) for place in window]
    owners, crossed = share_out([(word.start, word.end) for word in heard.words], spans)
    found: dict[int, Transcript] = {}
    for number, place in enumerate(window):
        own = [word for word, owner in zip(heard.words, owners, strict=True) if owner == number]
        transcript = _transcript(own, spans[number], heard, language)
        if len(window) == 1 or not (heard.full or number in crossed or doubts(transcript)):
            found[place.clip] = transcript
    return found


def _transcript(words: Sequence[TimedWord], span: tuple[float, float], heard: _Heard, language: str) -> Transcript:
    from faster_whisper.transcribe import get_compression_ratio

    start, end = span
    text = clean_text("".join(word.text for word in words))
    return Transcript(
        text=text,
        language=language,
        language_probability=heard.language_probability,
        words=placed_words(
            [replace(word, start=word.start - start, end=word.end - start) for word in without_pauses(words)],
            end - start,
        ),
        avg_logprob=finite(mean_logprob(words), -10.0),
        no_speech_prob=heard.no_speech,
        compression_ratio=finite(get_compression_ratio(text), 0.0) if text else 0.0,
    )


def placed_words(raw: Sequence[Any], seconds: float) -> tuple[Word, ...]:
    """Words in order within the clip; the model works in windows and may point beyond its end."""
    words: list[Word] = []
    latest = 0.0
    for word in raw:
        text = clean_text(word.text)
        if not text:
            continue
        start = min(max(finite(word.start, latest), latest), seconds)
        end = min(max(finite(word.end, start), start), seconds)
        latest = start
        words.append(Word(text, round(start, 3), round(end, 3), round(probability(word.probability), 4)))
    return tuple(words)


def keep_better(first: Transcript, again: Transcript) -> Transcript:
    """The better of two hearings by one model, with the probability of the language that was measured."""
    return replace(better(first, again), language_probability=first.language_probability)
