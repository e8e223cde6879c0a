"""Subtitles: what is said when, as SubRip (SRT) and WebVTT files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Cue:
    """One subtitle; ``start`` and ``end`` in seconds from the sound's beginning."""

    start: float
    end: float
    text: str


def srt(cues: Iterable[Cue]) -> str:
    """SubRip: numbered from 1, times with a comma before the milliseconds, a blank line after each."""
    return "".join(
        f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{_line(cue.text)}\n\n"
        for number, cue in enumerate(cues, 1)
    )


def vtt(cues: Iterable[Cue]) -> str:
    """WebVTT (W3C), without styles or positions."""
    blocks = (
        # "&" and "<" begin markup there, and "-->" would end the cue's text.
        f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n"
        f"{_line(cue.text).replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}\n\n"
        for cue in cues
    )
    return "WEBVTT\n\n" + "".join(blocks)


def _time(seconds: float, point: str) -> str:
    milliseconds = max(0, round(seconds * 1000))
    minutes, milliseconds = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{milliseconds // 1000:02d}{point}{milliseconds % 1000:03d}"


def _line(text: str) -> str:
    """On one line: a blank one would end the cue."""
    return " ".join(text.split())
