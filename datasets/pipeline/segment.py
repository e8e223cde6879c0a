"""A master WAV to segments: speech is found, then planned into lengths that XTTS learns from, cut in silence."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from datasets.pipeline.planning import (
    FORCED_CUT,
    SHORT,
    SegmentationResult,
    SegmentSettings,
    SegmentSpan,
    plan_segments,
)
from datasets.pipeline.voice_activity import ActivitySettings, speech_stretches
from datasets.pipeline.wording import duration_words
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress, Silent

__all__ = ["FORCED_CUT", "SHORT", "SegmentSettings", "SegmentSpan", "SegmentationResult", "find_segments"]

QUIET_SECONDS = 0.05
_STEP_SECONDS = 0.01


def find_segments(
    master_wav: Path,
    settings: SegmentSettings | None = None,
    progress: Progress | None = None,
    activity: ActivitySettings | None = None,
) -> SegmentationResult:
    """Find the segments of a mono 16-bit WAV; memory does not grow with its length.

    Raises ``Cancelled`` and DomainError ``no_speech``.
    """
    settings, progress = settings or SegmentSettings(), progress or Silent()
    stretches = speech_stretches(master_wav, activity, progress)
    with wave.open(str(master_wav), "rb") as wav:
        total = wav.getnframes() / wav.getframerate()
    # The last window is filled up with silence beyond the end of the recording.
    stretches = [(start, min(end, total)) for start, end in stretches if start < total]
    result = plan_segments(stretches, total, settings, lambda start, end: quietest_point(master_wav, start, end))
    if not result.spans:
        raise DomainError("no_speech", _why_none(result))
    return result


def quietest_point(master_wav: Path, start: float, end: float) -> float:
    """The middle, in seconds, of the 50 ms with the least energy between ``start`` and ``end``."""
    audio = read_wav(master_wav, start, end)
    step, width = round(_STEP_SECONDS * audio.sample_rate), round(QUIET_SECONDS * audio.sample_rate)
    if len(audio.samples) <= width:
        return (start + end) / 2
    energy = np.concatenate([[0.0], np.cumsum(audio.samples.astype(np.float64) ** 2)])
    begins = np.arange(0, len(audio.samples) - width + 1, step)
    quietest = int(begins[np.argmin(energy[begins + width] - energy[begins])])
    return start + (quietest + width / 2) / audio.sample_rate


def _why_none(result: SegmentationResult) -> str:
    length = duration_words(result.total_seconds)
    if not result.left_out:
        return f"No speech was found in {length} of sound; choose a recording in which somebody speaks."
    return (
        f"Only {duration_words(result.speech_seconds)} of speech was found in {length} of sound, in stretches too "
        "short to learn from; choose a recording with whole sentences."
    )
