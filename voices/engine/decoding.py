"""Looking for the values with which a voice speaks best: who is asked how often, and letting them speak.

Loads its libraries when it is called.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voices.engine.tags import Spoke, speech_tags, tag_wav
from xttsproject.lib.audio import write_wav
from xttsproject.lib.files import atomic_path
from xttsproject.lib.progress import Progress
from xttsproject.xtts.normaliser import normalise
from xttsproject.xtts.types import Sampling

if TYPE_CHECKING:
    from xttsproject.xtts.conditioning import Conditioning
    from xttsproject.xtts.engine import XttsEngine

ROUNDS = (1, 3)
"""Seeds with which every sentence has been spoken after each round."""
KEPT = 3
"""One of so many goes into the next round."""


@dataclass(frozen=True)
class Said:
    """``path`` is relative to the search's folder; ``finished`` is false where the model found no end."""

    text: str
    seed: int
    path: str
    seconds: float
    finished: bool


def survivors(ranked: Sequence[int], always: int) -> list[int]:
    """Who is heard again, the best first: a third of them, two at least, and ``always`` whatever its place.

    Successive halving (Jamieson and Talwalkar 2016, "Non-stochastic best arm identification") with a third kept: all
    are heard a little, the promising ones thoroughly, because luck of a single seed would otherwise choose.
    """
    count = max(2, math.ceil(len(ranked) / KEPT))
    chosen = list(ranked[:count])
    return chosen if always in chosen or always not in ranked else [*chosen, always]


def speak_values(
    engine: XttsEngine,
    conditioning: Conditioning,
    language: str,
    texts: Sequence[str],
    seeds: Sequence[int],
    values: Mapping[str, Any],
    folder: Path,
    candidate: int,
    spoke: Spoke,
    date: str,
    progress: Progress,
) -> list[Said]:
    """Let a candidate say every text with every seed, and write 24 kHz WAVs into its folder below ``folder``, which say
    who ``spoke`` and on which ``date``."""
    from xttsproject.xtts.engine import Saying

    pairs = [(index, text, seed) for seed in seeds for index, text in enumerate(texts)]
    sayings = [
        Saying(normalise(text, language), language, conditioning, Sampling(**{**values, "seed": seed}))
        for _, text, seed in pairs
    ]
    spoken = engine.speak_all(sayings, progress)
    said = []
    for (index, text, seed), speech in zip(pairs, spoken, strict=True):
        relative = Path(f"candidate-{candidate:03d}") / f"sentence-{index}-seed-{seed}.wav"
        with atomic_path(folder / relative) as temporary:
            write_wav(temporary, speech.audio)
            tag_wav(temporary, speech_tags(text=text, spoke=[spoke], date=date))
        finished = all(sentence.finished for sentence in speech.sentences)
        said.append(Said(text, seed, relative.as_posix(), round(speech.audio.seconds, 3), finished))
    return said
