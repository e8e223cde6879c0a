"""Reading a run's growing event log from a place in it."""

from __future__ import annotations

from pathlib import Path

from training.engine.events import Event, parse

BLOCK = 1024 * 1024


def read_on(path: Path, offset: int) -> tuple[list[Event], int]:
    """The whole events after byte ``offset`` (at most about a block of them) and the offset behind the last one.

    A line that is still being written is left for the next time. A log shorter than ``offset`` is another one: it
    is read from its start.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return [], offset
    if size < offset:
        offset = 0
    if size == offset:
        return [], offset
    with open(path, "rb") as handle:
        handle.seek(offset)
        data = handle.read(BLOCK)
        if b"\n" not in data:
            # A line longer than a block; otherwise this adds nothing but what has just been written.
            data += handle.readline()
    end = data.rfind(b"\n") + 1
    events = [event for line in data[:end].splitlines() if (event := parse(line)) is not None]
    return events, offset + end
