"""How fast the line for speech moves, by what it has lately done."""

from __future__ import annotations

import threading

# Until something has been spoken: a sentence or two with the small model, or with a GPU.
_UNKNOWN_SECONDS = 10.0
# How much the latest answer counts beside all before it.
_LATEST = 0.3

_lock = threading.Lock()
_seconds: float | None = None


def speech_turn_note(*, elapsed: float, ahead: int) -> None:
    """A request that found ``ahead`` others in the line was answered after ``elapsed`` seconds.

    Each of them and the request itself had its part of that time, whether they were spoken in turn or together.
    """
    global _seconds
    with _lock:
        each = elapsed / (ahead + 1)
        _seconds = each if _seconds is None else (1 - _LATEST) * _seconds + _LATEST * each


def speech_turn_seconds() -> float:
    """About how many seconds it takes until one of those in the line has been answered."""
    with _lock:
        return _UNKNOWN_SECONDS if _seconds is None else _seconds
