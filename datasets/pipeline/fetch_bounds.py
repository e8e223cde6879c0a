"""What the fetching process may use besides the recording's own bytes: memory, pages, and no programs.

A page is read as a whole before anything is looked for in it, and a few compressed kilobytes make gigabytes of it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from xttsproject.lib.errors import DomainError

# Decoded bytes of all pages, scripts and playlists of one attempt; the largest sites stay below half of it.
PAGE_BYTES = 16 * 1024 * 1024
# A backstop that holds between two looks of the parent, which ends the process well below it.
MEMORY_BYTES = 2 * 1024**3
_PIECE = 64 * 1024
# What yt-dlp reads itself. Anything else (rtmp, rtsp, mms …) is handed to a program, which connects past the guard.
_PROTOCOLS = "https?|m3u8(_native)?|http_dash_segments(_generator)?|ism|f4m"
FETCHABLE = f"[protocol~='^({_PROTOCOLS})$']"


class PageTooLarge(Exception):
    """More was read as pages than allowed."""


def bound_memory() -> None:
    """Let allocations fail above ``MEMORY_BYTES``.

    What is written to is counted rather than the address space: JavaScript engines reserve far more than they use.
    """
    try:
        import resource
    except ImportError:
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, hard))


@dataclass
class PageBudget:
    """Counts what yt-dlp reads whole. A recording is read piece by piece into a file, and has a limit of its own."""

    max_bytes: int = PAGE_BYTES
    received: int = 0

    def install(self) -> None:
        """Replace the reading of every kind of answer that yt-dlp's networking makes."""
        from yt_dlp.networking import Response

        # Importing the package registers its request handlers, and with them the answers that they make.
        kinds: list[Any] = [Response]
        while kinds:
            kind = kinds.pop()
            kinds += kind.__subclasses__()
            if "read" in vars(kind):
                kind.read = self._bounded(kind.read)

    def _bounded(self, read: Any) -> Any:
        def bounded(answer: Any, amt: int | None = None) -> bytes:
            if amt is not None and amt >= 0:
                return bytes(read(answer, amt))
            pieces = []
            while piece := read(answer, _PIECE):
                pieces.append(piece)
                self.received += len(piece)
                if self.received > self.max_bytes:
                    answer.close()
                    raise PageTooLarge(f"More than {self.max_bytes} bytes of pages were read.")
            return b"".join(pieces)

        return bounded


def refuse_program(info: dict[str, Any], url: str) -> None:
    """DomainError ``fetch_failed`` where what was chosen would be fetched by a program."""
    import re

    for chosen in info.get("requested_formats") or [info]:
        protocol = str(chosen.get("protocol") or "")
        if not re.fullmatch(_PROTOCOLS, protocol):
            raise DomainError(
                "fetch_failed",
                f"{url} offers the recording only by “{protocol}”, which is not fetched here.",
                field="url",
            )
