"""Which language is spoken in a recording: what Whisper hears in clips from all over it, by majority."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

# Sixteen clips of some ten seconds are what a person would not need either; each costs one pass of the encoder.
MOST_CLIPS = 16
LEAST_PROBABILITY = 0.5
"""Below it no language has the majority of the windows; Whisper's own transcription takes the same threshold."""


@dataclass(frozen=True)
class HeardLanguage:
    """``code`` as Whisper writes it ("en", "zh"); ``probability``: its mean over the ``clips`` that were heard."""

    code: str
    probability: float
    clips: int

    @property
    def is_sure(self) -> bool:
        return self.probability >= LEAST_PROBABILITY


def clips_to_hear(seconds: Sequence[float], most: int = MOST_CLIPS) -> list[int]:
    """Which clips, of these lengths, to listen to: the longest of each of ``most`` equal parts of the recording."""
    parts = min(most, len(seconds))
    bounds = [round(part * len(seconds) / parts) for part in range(parts + 1)] if parts else []
    return [max(range(first, end), key=lambda clip: seconds[clip]) for first, end in pairwise(bounds)]


def majority(shares: Mapping[str, float], clips: int) -> HeardLanguage:
    """The likeliest of the mean probabilities: a vote of all windows, each weighted by how sure the model is of it.

    ValueError for no shares at all.
    """
    code = max(shares, key=lambda language: shares[language])
    return HeardLanguage(code, shares[code], clips)
