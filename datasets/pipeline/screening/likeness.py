"""Is it the speaker? Each clip's voice against the centre of all clips of the same speaker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Embeddings = npt.NDArray[np.float32]

LEAST_CLIPS = 5
"""Fewer do not show what is usual for a speaker."""
_KEPT = 0.75
_LEAST_SPREAD = 0.01
_SIGMA = 1.4826


@dataclass(frozen=True)
class Likeness:
    """``similarity``: cosine of the clip and the speaker's centre, -1..1; ``deviation``: how far below the usual it
    lies, in robust standard deviations (0 where it is usual or better); ``piece_deviation``: the same of the least
    similar piece of 2 s, which tells a change of speakers inside a clip.
    """

    similarity: float
    deviation: float
    piece_deviation: float | None


def likeness(clips: Sequence[Embeddings | None]) -> list[Likeness | None]:
    """Compare all clips of one speaker; ``clips`` as :meth:`xttsproject.xtts.likeness.SpeakerEar.embed` gives them.

    The centre is the mean embedding of all clips, then once more of the three quarters nearest to it, so that a few
    clips of somebody else do not draw it to themselves. Deviation = (median - x) / s with s = 1.4826 times the median
    absolute deviation (at least 0.01) of all the speaker's clips. None for clips without an embedding, and for all
    where there are fewer than five.
    """
    there = [index for index, clip in enumerate(clips) if clip is not None and len(clip)]
    found: list[Likeness | None] = [None] * len(clips)
    if len(there) < LEAST_CLIPS:
        return found
    whole = np.stack([clips[index][0] for index in there]).astype(np.float64)  # type: ignore[index]
    centre = _centre(whole)
    similar = whole @ centre
    pieces = [clips[index][1:].astype(np.float64) @ centre for index in there]  # type: ignore[index]
    every_piece = np.concatenate(pieces)
    for place, index in enumerate(there):
        lowest = float(pieces[place].min()) if len(pieces[place]) else None
        found[index] = Likeness(
            similarity=float(similar[place]),
            deviation=_below(float(similar[place]), similar),
            piece_deviation=None if lowest is None else _below(lowest, every_piece),
        )
    return found


def _centre(whole: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    centre = _unit(whole.mean(axis=0))
    nearest = np.argsort(-(whole @ centre), kind="stable")[: max(LEAST_CLIPS, round(_KEPT * len(whole)))]
    return _unit(whole[nearest].mean(axis=0))


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _below(value: float, all_values: npt.NDArray[np.float64]) -> float:
    median = float(np.median(all_values))
    spread = max(_SIGMA * float(np.median(np.abs(all_values - median))), _LEAST_SPREAD)
    return max((median - value) / spread, 0.0)
