"""Which character is spoken at which audio code: the synthesiser's word times, laid over the tokens of the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.engine.tiny.corpus import GRID, RATE, Utterance
from xttsproject.xtts.text import spoken_form
from xttsproject.xtts.tokenizer import Tokenizer


@dataclass(frozen=True)
class Aligned:
    """``tokens`` without start and stop; ``places`` ``(codes,)`` float: the place in *start + tokens + stop* of the
    character that sounds in the middle of each code."""

    tokens: tuple[int, ...]
    places: npt.NDArray[np.float32]


def align(utterance: Utterance, tokenizer: Tokenizer, *, with_stop: bool) -> Aligned | None:
    """None where cleaning changed the number of words. ``with_stop`` keeps the final full stop, as training data has
    it; speech is asked for without."""
    text = utterance.text if with_stop else spoken_form(utterance.text)
    cleaned = tokenizer.clean(text, "en")
    tokens = tokenizer.encode_clean(cleaned, "en")
    spans = [match.span() for match in re.finditer(r"[^\s]*\w[^\s]*", cleaned)]
    # A token for the language, then one for each character: the vocabulary has no pairs.
    if len(spans) != len(utterance.words) or len(tokens) != len(cleaned) + 1:
        return None
    return Aligned(tuple(tokens), _places(spans, utterance, len(tokens)))


def _places(spans: Sequence[tuple[int, int]], utterance: Utterance, tokens: int) -> npt.NDArray[np.float32]:
    seconds, places = [0.0], [0.0]
    for (begin, end), (_word, start, stop) in zip(spans, utterance.words, strict=True):
        # Characters stand behind the start token and the language's.
        for moment, place in ((start, begin + 2.0), (max(stop - 0.01, start + 0.005), end + 1.5)):
            seconds.append(max(moment, seconds[-1] + 1e-3))
            places.append(place)
    seconds.append(seconds[-1] + 0.03)
    places.append(tokens + 1.0)
    middles = (np.arange(utterance.samples // GRID) + 0.5) * GRID / RATE
    first = utterance.words[0][1]
    found = np.interp(middles, seconds, places).astype(np.float32)
    # Before the first word the model waits at its first character.
    return np.where(middles < first, np.float32(2.0), found)
