"""Words with times and probabilities from what Whisper's decoder attended to while it wrote them.

The times are those of openai/whisper's ``find_alignment``: dynamic time warping over the cross-attention of the model's
alignment heads, which CTranslate2 computes. faster-whisper's own wrapper keeps no token's probability, which each clip
of a shared window needs for its mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

POSITION_SECONDS = 0.02
_OPENING = "\"'“¿([{-"
_CLOSING = "\"'.。,，!！?？:：”)]}、"
_SENTENCE_ENDS = (".", "。", "!", "！", "?", "？", "…")
_LONGEST_MEDIAN = 0.7
_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class TimedWord:
    """``text`` with its spaces and signs; seconds in the window; ``logprob`` is the sum over its ``tokens`` tokens."""

    text: str
    start: float
    end: float
    probability: float
    tokens: int
    logprob: float


def timed_words(alignment: Any, text_tokens: Sequence[int], tokenizer: Any) -> list[TimedWord]:
    """The words of one window. ``alignment`` is a ``WhisperAlignmentResult``; ``tokenizer`` faster-whisper's."""
    from faster_whisper.transcribe import merge_punctuations

    if not text_tokens:
        return []
    texts, groups = tokenizer.split_to_word_tokens([*text_tokens, tokenizer.eot])
    if len(groups) <= 1:
        return []
    borders = np.concatenate([[0], np.cumsum([len(group) for group in groups[:-1]])])
    # A scrap of sound that is shorter than one position aligns with nothing: all of it is then at the start.
    pairs = np.array(alignment.alignments or [(0, 0)])
    jumps = np.concatenate([[True], np.diff(pairs[:, 0]) > 0])
    times = pairs[:, 1][jumps] * POSITION_SECONDS
    times = np.pad(times, (0, max(0, int(borders[-1]) + 1 - len(times))), mode="edge")
    probabilities = np.asarray(alignment.text_token_probs, dtype=np.float64)
    words: list[dict[str, Any]] = [
        {
            "word": text,
            "tokens": list(group),
            "start": float(times[first]),
            "end": float(times[last]),
            "probability": float(np.mean(probabilities[first:last])),
        }
        for text, group, first, last in zip(texts, groups, borders[:-1], borders[1:], strict=False)
    ]
    merge_punctuations(words, _OPENING, _CLOSING)
    logprobs = np.log(np.maximum(probabilities, _LEAST_PROBABILITY))
    merged, place = [], 0
    for word in words:
        # A sign that went over to its neighbour leaves an empty word behind; the tokens keep their order.
        count = len(word["tokens"])
        if count:
            total = float(np.sum(logprobs[place : place + count]))
            merged.append(TimedWord(word["word"], word["start"], word["end"], word["probability"], count, total))
        place += count
    return merged


def mean_logprob(words: Sequence[TimedWord]) -> float:
    """Per token; 0.0 where there is none."""
    tokens = sum(word.tokens for word in words)
    return math.fsum(word.logprob for word in words) / tokens if tokens else 0.0


def without_pauses(words: Sequence[TimedWord]) -> list[TimedWord]:
    """The words of one clip, those beside a pause shortened to twice the usual length.

    The warping path has to spend a pause on some word: the first of a sentence then begins too early, or the last ends
    too late. As in openai/whisper, the usual length is the median, at most 0.7 s.
    """
    lengths = [word.end - word.start for word in words if word.end > word.start]
    if not lengths:
        return list(words)
    longest = 2 * min(_LONGEST_MEDIAN, median(lengths))
    calmed = []
    for number, word in enumerate(words):
        begins = number == 0 or words[number - 1].text.rstrip().endswith(_SENTENCE_ENDS)
        finishes = number == len(words) - 1 or word.text.rstrip().endswith(_SENTENCE_ENDS)
        if word.end - word.start > longest and begins:
            word = replace(word, start=word.end - longest)
        elif word.end - word.start > longest and finishes:
            word = replace(word, end=word.start + longest)
        calmed.append(word)
    return calmed
