"""How fast a voice speaks: how many audio codes a text takes it, and between which bounds that stays.

A sentence of ``n`` characters takes about LEAD_CODES + n · ``per_character`` codes, from its first sound to its last.
Signs at which one breathes count as PAUSE_CHARACTERS more. A word said alone ("No.") is drawn out as the end of any
sentence is, and has no other part that would make up for it: no sound of up to ALONE_CODES is too long. What is left is
nearly log-normal (sentences differ by a factor, not by a difference), so the bounds are the middle times and divided by
``spread`` some times over.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from xttsproject.xtts.languages import LANGUAGES
from xttsproject.xtts.text import spoken_form

CODE_SECONDS = 1024 / 22_050
LEAD_CODES = 3.0
PAUSE_CHARACTERS = 4.0
ALONE_CODES = 0.8 / CODE_SECONDS

_SLOWNESS_OF_CAP = 2.75
"""A language's ``codes_per_char`` is about so many times what usual reading takes."""
_VOICES_SPREAD = 0.25
"""Standard deviation of the logarithm among voices: one of which nothing is known may be that much slower or faster."""
_SENTENCES_SPREAD = 0.11
"""The same among the sentences of one voice, until enough of them are known."""
_LEAST_SPREAD = 0.06
_DOUBT = 10.0
"""So many sentences' worth the spread above counts beside what was seen."""
_DEVIATIONS = 2.5
_USUAL_DEVIATIONS = 1.2
KEPT = 200
"""Sentences that a voice remembers: the last ones."""

_NO_ALPHABETS_FROM = "\u0530"
"""Where Unicode has gone through Latin, Greek and Cyrillic."""

_BREATHING = frozenset(",;:.!?…—–،؛؟。！？、，；：।")


@dataclass(frozen=True)
class Pace:
    """``per_character``: codes; ``spread``: standard deviation of the logarithm; ``sentences`` it is known from.

    ``letter``: how much of a character a Latin or Cyrillic letter counts; see :func:`letter_of`. ``telling``:
    characters from which on a text's own pace is the voice's. It goes by the language's usual pace: by what a voice has
    taught, a text would teach at one time and not at another.
    """

    per_character: float
    spread: float
    sentences: int = 0
    letter: float = 1.0
    telling: float = 0.0

    def expected(self, length: float) -> float:
        """Codes that a text of so many characters takes, see :func:`length_of`."""
        return LEAD_CODES + length * self.per_character

    def bounds(self, length: float) -> tuple[float, float]:
        """The fewest and the most codes that are believed without a further sign of trouble."""
        return self._within(length, _DEVIATIONS)

    def usual(self, length: float) -> tuple[float, float]:
        """The fewest and the most codes that most sentences take: what is beyond is bad with one further sign."""
        return self._within(length, _USUAL_DEVIATIONS)

    def tells(self, length: float) -> bool:
        """Whether a text of so many characters is long enough for its own pace to be the voice's."""
        return length >= self.telling

    def _within(self, length: float, deviations: float) -> tuple[float, float]:
        factor = math.exp(deviations * self.spread)
        return (
            LEAD_CODES + length * self.per_character / factor,
            LEAD_CODES + max(length * self.per_character * factor, ALONE_CODES),
        )


def letter_of(language: str) -> float:
    """How much of a language's character a letter of an alphabet is: "JavaScript" takes no longer in Chinese, whose own
    characters are syllables, than in English."""
    return min(1.0, LANGUAGES["en"].codes_per_char / LANGUAGES[language].codes_per_char)


def length_of(text: str, letter: float = 1.0) -> float:
    """A text's length in characters, with its inner pauses. The text is as the normaliser leaves it: "12" as words.

    Letters of the alphabets that stand among other scripts' characters (Latin, Greek, Cyrillic) count ``letter`` each.
    """
    return counted(spoken_form(text), letter) + breaths(text) * PAUSE_CHARACTERS


def counted(text: str, letter: float) -> float:
    """Characters, with letters at their weight."""
    if letter == 1.0:
        return float(len(text))
    return sum(letter if sign.isalpha() and sign < _NO_ALPHABETS_FROM else 1.0 for sign in text)


def breaths(text: str) -> int:
    """Signs within a text at which one pauses."""
    return sum(
        1 for sign, following in pairwise(text) if sign in _BREATHING and (following.isspace() or ord(sign) > 0x2E7F)
    )


def pace_of(language: str, ratios: Sequence[float]) -> Pace:
    """Of a voice of whose sentences these codes per character are known (:func:`ratio`), in any order; of none: the
    language's usual pace with wide bounds.

    A normal model with unknown middle (Gelman et al., Bayesian Data Analysis, 2.5), of logarithms: what is known draws
    the middle away from the language's, and what is not known of it widens the bounds. Median and median deviation
    stand for mean and standard deviation, so that a few bad sentences do not matter.
    """
    usual, letter = LANGUAGES[language].codes_per_char / _SLOWNESS_OF_CAP, letter_of(language)
    telling = ALONE_CODES / usual
    known = [math.log(value) for value in ratios if value > 0]
    count = len(known)
    if not count:
        return Pace(usual, math.hypot(_VOICES_SPREAD, _SENTENCES_SPREAD), letter=letter, telling=telling)
    middle = median(known)
    seen = 1.4826 * median(abs(value - middle) for value in known)
    within = (_DOUBT * _SENTENCES_SPREAD**2 + count * seen**2) / (_DOUBT + count)
    within = max(within, _LEAST_SPREAD**2)
    doubt = 1 / (1 / _VOICES_SPREAD**2 + count / within)
    centre = doubt * (math.log(usual) / _VOICES_SPREAD**2 + middle * count / within)
    return Pace(math.exp(centre), math.sqrt(within + doubt), count, letter, telling)


def speaker_pace(per_character: float) -> Pace:
    """Of what is to speak as fast as somebody whose codes per character are known from many sentences."""
    return Pace(per_character, math.hypot(_SENTENCES_SPREAD, _LEAST_SPREAD))


def ratio(codes: float, length: float) -> float:
    """Codes per character of one sentence, without its lead."""
    return max(codes - LEAD_CODES, 1.0) / max(length, 1.0)


def remembered(known: Sequence[float], heard: Iterable[float]) -> list[float]:
    """What is known of a voice with what was heard last, KEPT of them at most."""
    return [round(value, 4) for value in [*known, *heard]][-KEPT:]
