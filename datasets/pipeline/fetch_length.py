"""How long a recording is, seen while it is still arriving."""

from __future__ import annotations

from pathlib import Path

from datasets.pipeline.decoding import open_media
from datasets.pipeline.wording import duration_words
from xttsproject.lib.errors import DomainError

_FIRST_LOOK = 512 * 1024


def seconds_so_far(path: Path) -> float:
    """Seconds of sound that a file which is still growing states or already holds; 0 where that cannot be told yet.

    A header that states the duration speaks for the whole file, and the packets for what has come. An estimate from the
    bit rate, which FFmpeg would offer, is not believed: it may say more than there will be.
    """
    import av

    try:
        with open_media(path) as (container, stream, stated):
            if stated.stated_seconds is not None:
                return stated.stated_seconds
            first = last = None
            for packet in container.demux(stream):
                if packet.pts is None or packet.time_base is None:
                    continue
                first = packet.pts if first is None else first
                last = float((packet.pts + (packet.duration or 0) - first) * packet.time_base)
            return last or 0.0
    except (DomainError, av.error.FFmpegError, ValueError, OSError):
        # An MP4 whose index stands at its end, or no recording at all: that shows when the file is whole.
        return 0.0


class LengthWatch:
    """Ends the fetch of a recording that turns out to be over ``max_seconds``.

    It looks each time the file has doubled, so that all looks together read about twice what was fetched.
    """

    def __init__(self, max_seconds: float):
        self._max_seconds = max_seconds
        self._next = _FIRST_LOOK

    def check(self, path: Path, size: int) -> None:
        """DomainError ``media_too_long``."""
        if size < self._next or not path.is_file():
            return
        self._next = 2 * size
        seconds = seconds_so_far(path)
        # A header's rounding must not refuse what just fits.
        if seconds > self._max_seconds + 1:
            raise DomainError(
                "media_too_long",
                f"The recording lasts at least {duration_words(seconds)}, and the limit is "
                f"{duration_words(self._max_seconds)}; choose a shorter one.",
                field="url",
            )
