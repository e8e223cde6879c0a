"""What a clip sounds like, and which flags that sets before anybody has listened to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets.choices import Flag
from datasets.pipeline.edges import Edges, edge_levels
from datasets.pipeline.quality import Quality, measure
from datasets.pipeline.segment import SegmentSpan
from xttsproject.lib.audio import read_wav
from xttsproject.lib.progress import Progress

# Beyond these a clip teaches its faults rather than the voice; a person decides.
CLIPPED_SHARE = 0.001
QUIET_DBFS = -45.0
NOISY_DB = 12.0


@dataclass(frozen=True)
class SpanMeasures:
    """``quality`` as a segment stores it; ``flags`` with those of the cutting first."""

    quality: dict[str, Any]
    flags: list[str]


def spans_measure(*, master: Path, spans: Sequence[SegmentSpan], progress: Progress) -> list[SpanMeasures]:
    """Measure each span of a master; reads one at a time."""
    measured = []
    for number, span in enumerate(spans):
        progress.check()
        progress.report(number / len(spans), "measuring")
        audio = read_wav(master, span.start, span.end)
        quality, edges = measure(audio), edge_levels(audio)
        values = quality.as_dict() | {"edge_excess_db": edges.excess_db}
        measured.append(SpanMeasures(values, [*span.flags, *_flags(quality, edges)]))
    return measured


def _flags(quality: Quality, edges: Edges) -> list[str]:
    flags = []
    if edges.is_cut:
        flags.append(Flag.CLIPPED_EDGE.value)
    if quality.clipped_share > CLIPPED_SHARE:
        flags.append(Flag.CLIPPED.value)
    if quality.rms_dbfs < QUIET_DBFS:
        flags.append(Flag.QUIET.value)
    if quality.snr_db < NOISY_DB:
        flags.append(Flag.NOISY.value)
    return flags
