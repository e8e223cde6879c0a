"""Clips that say the same twice: the same sound, or the same text."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from datasets.pipeline.screening.fingerprint import Fingerprint, bit_errors

MOST_BIT_ERRORS = 0.25
"""Haitsma and Kalker take 0.35 for songs of 3 s; speech of one voice is more alike."""
LEAST_OVERLAP = 0.6
"""Of the shorter clip."""
_COMMON = 24
"""A word that occurs in more places (silence, a held tone) names none."""
_LEAST_VOTES = 2


def same_sound(prints: Sequence[Fingerprint]) -> dict[int, int]:
    """Which clips repeat the sound of an earlier one, as {index: index of the first that sounds so}.

    Clips that share exact words of their fingerprints at one shift are candidates; they sound the same where at that
    shift at least 60 % of the shorter overlap and at most a quarter of the bits differ.
    """
    first: dict[int, int] = {}
    for earlier, later, shift in _candidates(prints):
        if later in first:
            continue
        errors, overlap = bit_errors(prints[earlier], prints[later], shift)
        if overlap >= LEAST_OVERLAP * min(len(prints[earlier]), len(prints[later])) and errors <= MOST_BIT_ERRORS:
            first[later] = first.get(earlier, earlier)
    return first


def _candidates(prints: Sequence[Fingerprint]) -> list[tuple[int, int, int]]:
    """(earlier, later, shift) that at least two words agree on, in order."""
    if not any(len(each) for each in prints):
        return []
    words = np.concatenate(prints)
    clips = np.repeat(np.arange(len(prints)), [len(each) for each in prints])
    places = np.concatenate([np.arange(len(each)) for each in prints])
    order = np.argsort(words, kind="stable")
    words, clips, places = words[order], clips[order], places[order]
    ends = np.flatnonzero(np.diff(words)) + 1
    starts, stops = np.concatenate([[0], ends]), np.concatenate([ends, [len(words)]])
    sizes = stops - starts
    pairs: list[npt.NDArray[np.int64]] = []
    for size in range(2, _COMMON + 1):
        begin = starts[sizes == size]
        # All pairs within groups of one size at once: their members stand side by side.
        for a in range(size):
            for b in range(a + 1, size):
                one, two = begin + a, begin + b
                apart = clips[one] != clips[two]
                one, two = one[apart], two[apart]
                pairs.append(np.stack([clips[one], clips[two], places[one] - places[two]], axis=1))
    every = np.concatenate(pairs) if pairs else np.zeros((0, 3), np.int64)
    if not len(every):
        return []
    backwards = every[:, 0] > every[:, 1]
    every[backwards] = every[backwards][:, [1, 0, 2]] * np.array([1, 1, -1])
    shared, votes = np.unique(every, axis=0, return_counts=True)
    return [(int(a), int(b), int(shift)) for a, b, shift in shared[votes >= _LEAST_VOTES]]


def text_key(text: str) -> str:
    """What of a text counts when two are compared: its letters and digits, without case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in plain if character.isalnum())


def same_text(texts: Sequence[str]) -> list[int]:
    """For each text, how many earlier ones read the same; 0 for empty ones."""
    seen: dict[str, int] = defaultdict(int)
    counts = []
    for text in texts:
        key = text_key(text)
        counts.append(seen[key] if key else 0)
        seen[key] += 1
    return counts
