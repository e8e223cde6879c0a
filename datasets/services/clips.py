"""The sound of one segment."""

from __future__ import annotations

import io

from datasets.models import Segment
from xttsproject.lib.audio import read_wav, write_wav
from xttsproject.lib.errors import DomainError


def segment_wav(*, segment: Segment) -> bytes:
    """The segment as a WAV file, cut from the master as it is asked for. DomainError ``master_missing``."""
    try:
        audio = read_wav(segment.source.master_path, segment.start, segment.end)
    except FileNotFoundError:
        raise DomainError(
            "master_missing", f"The sound of “{segment.source.title}” is gone from the disk; upload it again."
        ) from None
    buffer = io.BytesIO()
    write_wav(buffer, audio)
    return buffer.getvalue()
