"""The captions' words beside a segment's transcript: to be read, and taken over by a person, one segment at a time."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from datasets.models import Segment
from datasets.pipeline.beside import caption_between
from datasets.pipeline.captions import Cue, read_captions
from datasets.services.captions import captions_of
from xttsproject.lib.errors import DomainError


def segment_caption(*, segment: Segment) -> str:
    """What the recording's best captions say while the segment lasts; empty where there are none, or none readable."""
    for track in captions_of(segment.source):
        try:
            cues = _cues(track.path, track.path.stat().st_mtime_ns)
        except (DomainError, FileNotFoundError):
            continue
        return caption_between(cues, segment.start, segment.end)
    return ""


# A page asks for many segments of one recording.
@lru_cache(maxsize=16)
def _cues(path: Path, _changed: int) -> tuple[Cue, ...]:
    return tuple(read_captions(path))
