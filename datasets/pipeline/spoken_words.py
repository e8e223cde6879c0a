"""Words on a recording's clock: where a cut would go through one, and what ends before a pause.

Whisper's word times come from its attention and are off by a few hundredths of a second, by more beside pauses: a last
word is stretched into the silence after it, a first one begins where the word before ended. The speech detector knows
silence better, so the two are reconciled before anything is cut by them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise

Stretch = tuple[float, float]

TOLERANCE = 0.06
"""Seconds by which a word's time may be wrong: three steps of Whisper's clock."""
NO_WORD_PAUSES = 0.4
"""Seconds of silence that no word has inside; the closures of consonants are far shorter."""
LONGEST_WORD = 2.5
"""What is said to last longer is no word but a fault of the times."""
UNHEARD_PROBABILITY = 0.6
"""From here on a word that the detector took for silence is believed to be there."""

_CLOSING = "\"'”’»)]}›"
_SENTENCE = ".!?…。！？"
_CLAUSE = ",;:—–、，；："
_LONGEST_ABBREVIATION = 4


class Mark(Enum):
    """What ends with a word. ``PERHAPS``: a sentence by the sign alone, which models also put where a clip ends."""

    SENTENCE = "sentence"
    PERHAPS = "perhaps"
    CLAUSE = "clause"
    NOTHING = "nothing"


@dataclass(frozen=True)
class SpokenWord:
    """Seconds on the recording's clock. ``joined``: no cut may go between it and the next word, since the two may be
    halves of one."""

    text: str
    start: float
    end: float
    probability: float = 1.0
    mark: Mark = Mark.NOTHING
    joined: bool = False


def mark_of(text: str, following: str | None) -> Mark:
    """What ends with the word ``text``, by its signs and by the word after it in the same transcript (None: none).

    A full stop after a short capitalised word ("Dr.", "J.") or before a small letter ends no sentence.
    """
    bare = text.rstrip(_CLOSING)
    if not bare:
        return Mark.NOTHING
    if bare[-1] in _CLAUSE:
        return Mark.CLAUSE
    if bare[-1] not in _SENTENCE:
        return Mark.NOTHING
    if following is None:
        return Mark.PERHAPS
    letters = bare.rstrip(_SENTENCE)
    short = bare[-1] == "." and len(letters) <= _LONGEST_ABBREVIATION and letters[:1].isupper()
    first = next((character for character in following if character.isalnum()), "")
    return Mark.NOTHING if short or first.islower() else Mark.SENTENCE


def fit_words(words: Sequence[SpokenWord], speech: Sequence[Stretch]) -> list[SpokenWord]:
    """The words in order, moved out of the pauses between ``speech`` (in order, not overlapping).

    A word's end that lies in a pause is drawn back to the speech; of a word with a pause of ``NO_WORD_PAUSES`` inside,
    the longest part stays. Words that lie wholly in silence stay where they are; what cannot be one word is dropped.
    """
    fitted: list[SpokenWord] = []
    ends = [end for _start, end in speech]
    for word in sorted(words, key=lambda word: (word.start, word.end)):
        part = _spoken_part(word, speech, ends)
        start, end = part if part else (word.start, word.end)
        if fitted and start < fitted[-1].end:
            # Neighbours that overlap share what is between them.
            border = min(max((start + fitted[-1].end) / 2, fitted[-1].start), max(end, fitted[-1].start))
            fitted[-1] = replace(fitted[-1], end=border)
            start = border
        if end - start <= LONGEST_WORD:
            fitted.append(replace(word, start=start, end=max(start, end)))
    return fitted


def _spoken_part(word: SpokenWord, speech: Sequence[Stretch], ends: Sequence[float]) -> Stretch | None:
    """The longest run of speech within the word, across pauses that a word may have; None for a word in silence."""
    runs: list[Stretch] = []
    for start, end in speech[bisect_right(ends, word.start) :]:
        if start >= word.end:
            break
        begin, stop = max(start, word.start), min(end, word.end)
        if runs and begin - runs[-1][1] < NO_WORD_PAUSES:
            runs[-1] = (runs[-1][0], stop)
        else:
            runs.append((begin, stop))
    return max(runs, key=lambda run: run[1] - run[0]) if runs else None


def with_unheard(words: Sequence[SpokenWord], speech: Sequence[Stretch]) -> list[Stretch]:
    """``speech`` with the words in it that the detector took for silence: a quiet last word is not to be lost."""
    ends = [end for _start, end in speech]
    extra = [
        (word.start, word.end)
        for word in words
        if word.probability >= UNHEARD_PROBABILITY and word.end > word.start and not _touches(word, speech, ends)
    ]
    joined: list[Stretch] = []
    for start, end in sorted([*speech, *extra]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _touches(word: SpokenWord, speech: Sequence[Stretch], ends: Sequence[float]) -> bool:
    place = bisect_right(ends, word.start)
    return place < len(speech) and speech[place][0] < word.end


@dataclass(frozen=True)
class Gap:
    """Between two words, in seconds; ``end`` is ``start`` where the second follows at once."""

    start: float
    end: float
    mark: Mark


class WordTimes:
    """Asked by the planner; of words that were fitted to the speech, in order."""

    def __init__(self, words: Sequence[SpokenWord] = ()):
        self._words = list(words)
        self._starts = [word.start for word in self._words]

    def divides(self, start: float, end: float) -> bool:
        """Whether the pause from ``start`` to ``end`` lies inside a word: its times reach well beyond both ends."""
        place = bisect_left(self._starts, start) - 1
        if place < 0:
            return False
        word = self._words[place]
        return word.start < start - TOLERANCE and word.end > end + TOLERANCE

    def mark_at(self, start: float, end: float) -> Mark | None:
        """What ends before the pause from ``start`` to ``end``; None where no word is known within two seconds."""
        middle = (start + end) / 2
        place = bisect_right(self._starts, middle) - 1
        # A first word is often said to begin in the pause before it.
        while place >= 0 and (self._words[place].start + self._words[place].end) / 2 > middle:
            place -= 1
        if place < 0 or start - self._words[place].end > 2.0:
            return None
        return self._words[place].mark

    def gaps(self, start: float, end: float) -> list[Gap]:
        """The gaps between neighbouring words that lie within ``start``..``end``, in order."""
        first = max(0, bisect_left(self._starts, start) - 1)
        last = bisect_right(self._starts, end) + 1
        return [
            Gap(before.end, after.start, before.mark)
            for before, after in pairwise(self._words[first:last])
            if not before.joined and before.end >= start and after.start <= end
        ]
