"""What a run tells the outside: one JSON object a line, in a file that only ever grows.

A line is complete when it ends with a line feed. A process that dies while writing leaves at most one half line,
which readers pass over and the next writer closes.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

STARTED = "started"
FEATURES = "features"
STEP = "step"
EPOCH = "epoch"
CHECKPOINT = "checkpoint"
SAMPLE = "sample"
SCORE = "score"
MEMORY = "memory"
USAGE = "usage"
FINISHED = "finished"
CANCELLED = "cancelled"
FAILED = "failed"
FINAL = (FINISHED, CANCELLED, FAILED)
"""Events after which the process ends."""


@dataclass(frozen=True)
class Event:
    """``seq`` starts at 1 and rises by one over all starts of a run; ``time`` is seconds since the epoch."""

    seq: int
    time: float
    kind: str
    data: dict[str, Any]


def parse(line: bytes) -> Event | None:
    """The event on a line, or None for one that no whole event stands on."""
    try:
        value = json.loads(line)
        seq, moment, kind = int(value.pop("seq")), float(value.pop("time")), str(value.pop("event"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Event(seq, moment, kind, value)


def read_events(path: Path, after_seq: int = 0) -> Iterator[Event]:
    """The whole events with a number above ``after_seq``, oldest first; none where there is no file yet."""
    try:
        handle = open(path, "rb")  # noqa: SIM115 - closed below; only the opening may fail
    except FileNotFoundError:
        return
    with handle:
        for line in handle:
            if not line.endswith(b"\n"):
                return
            event = parse(line)
            if event is not None and event.seq > after_seq:
                yield event


class Events(Protocol):
    """Whoever hears of what happens."""

    def write(self, kind: str, **data: Any) -> Event | None: ...


class Unheard:
    """Of several processes of a run, one tells of it; the others tell nobody."""

    def write(self, kind: str, **data: Any) -> Event | None:
        return None


class EventWriter:
    """Appends events, each flushed to the system before :meth:`write` returns. Safe to use from two threads."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._closed = False
        self._seq = max((event.seq for event in read_events(path)), default=0)
        broken = _ends_within_a_line(path)
        self._handle: TextIO = open(path, "a", encoding="utf-8")  # noqa: SIM115 - closed by the final event
        if broken:
            self._handle.write("\n")

    def write(self, kind: str, **data: Any) -> Event | None:
        """Append one event; None when the last one has been written already."""
        with self._lock:
            if self._closed:
                return None
            event = Event(self._seq + 1, round(time.time(), 3), kind, data)
            values = {"seq": event.seq, "time": event.time, "event": kind, **data}
            self._handle.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")
            self._handle.flush()
            self._seq = event.seq
            if kind in FINAL:
                self._closed = True
                self._handle.close()
            return event


def _ends_within_a_line(path: Path) -> bool:
    try:
        with open(path, "rb") as handle:
            if handle.seek(0, 2) == 0:
                return False
            handle.seek(-1, 2)
            return handle.read(1) != b"\n"
    except FileNotFoundError:
        return False
