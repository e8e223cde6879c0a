"""Every clip of a recording's master, measured one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datasets.pipeline.edges import edge_levels
from datasets.pipeline.quality import measure
from datasets.pipeline.screening.fingerprint import Fingerprint, fingerprint
from datasets.pipeline.screening.sound import measure_sound
from datasets.pipeline.voice_activity import WINDOW_SECONDS, speech_probabilities
from xttsproject.lib.audio import Audio, read_wav
from xttsproject.lib.progress import Progress


@dataclass(frozen=True)
class MeasuredClip:
    """``values`` by the measures' names, as a segment stores them."""

    index: int
    audio: Audio
    values: dict[str, Any]
    fingerprint: Fingerprint


def measure_clips(
    master: Path, spans: Sequence[tuple[float, float]], progress: Progress, *, lead: float = 0.0
) -> Iterator[MeasuredClip]:
    """Measure the stretches (start, end in seconds) of a mono 16-bit WAV, in their order; one is in memory at a time.

    The speech network listens to the recording once, as a whole, after ``lead`` seconds of silence. Raises
    ``Cancelled`` and what reading a file raises.
    """
    probabilities = np.fromiter(speech_probabilities(master, progress, lead=lead), np.float64)
    for index, (start, end) in enumerate(spans):
        progress.check()
        audio = read_wav(master, start, end)
        windows = probabilities[round(start / WINDOW_SECONDS) : max(round(end / WINDOW_SECONDS), 0)]
        values = measure(audio).as_dict() | {"edge_excess_db": edge_levels(audio).excess_db}
        values |= measure_sound(audio, windows).as_dict()
        yield MeasuredClip(index, audio, values, fingerprint(audio))
