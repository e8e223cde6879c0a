"""What a run's event log says of its losses, read on from where the last look ended.

A page that follows a run asks every two seconds, and a log of 100 000 steps has some 20 MB: each process that answers
keeps what it has read, and reads only what has been written since.
"""

from __future__ import annotations

import math
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.engine import events as ev
from training.engine.events import Event
from training.services.eventlog import read_on

MOST_STEPS = 1_000_000
"""Kept of all logs together, at 40 bytes each; of the one that is asked for, all."""

AVERAGED = ("loss", "loss_text", "loss_mel")


@dataclass(frozen=True)
class StepCurve:
    """Equally long lists; ``step`` is the last one of each stretch that was averaged."""

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    loss_text: list[float] = field(default_factory=list)
    loss_mel: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)


class Losses:
    """Steps, epochs and scores, in the order of the log.

    After a resume the log tells some steps again: from the first step that the new process did, what an earlier one
    did is history that never happened.
    """

    def __init__(self) -> None:
        self.epochs: dict[int, dict[str, Any]] = {}
        self.scores: dict[int, float] = {}
        self._steps = array("q")
        self._columns = {name: array("d") for name in (*AVERAGED, "learning_rate")}
        self._fresh_start = False

    def __len__(self) -> int:
        """Steps."""
        return len(self._steps)

    def take(self, event: Event) -> None:
        data = event.data
        if event.kind == ev.STARTED:
            self._fresh_start = True
        elif event.kind == ev.STEP:
            if self._fresh_start:
                self._fresh_start = False
                self.epochs = {number: row for number, row in self.epochs.items() if number < data["epoch"]}
            self._forget_from(data["step"])
            self._steps.append(data["step"])
            for name, column in self._columns.items():
                column.append(data[name])
        elif event.kind == ev.EPOCH:
            self.epochs[data["epoch"]] = data
        elif event.kind == ev.SCORE:
            self.scores[data["epoch"]] = data["score"]

    def _forget_from(self, step: int) -> None:
        if self._steps and step <= self._steps[-1]:
            place = bisect_left(self._steps, step)
            del self._steps[place:]
            for column in self._columns.values():
                del column[place:]

    def averaged(self, points: int) -> StepCurve:
        """The steps in at most so many stretches of equal length, of which the last may be shorter."""
        count = len(self._steps)
        if not count:
            return StepCurve()
        stretch = math.ceil(count / points)
        starts = np.arange(0, count, stretch)
        ends = np.minimum(starts + stretch, count)
        means = {
            name: (np.add.reduceat(np.frombuffer(self._columns[name]), starts) / (ends - starts)).tolist()
            for name in AVERAGED
        }
        rates = np.frombuffer(self._columns["learning_rate"])[ends - 1].tolist()
        return StepCurve(np.frombuffer(self._steps, np.int64)[ends - 1].tolist(), **means, learning_rate=rates)


class LossLog:
    """A log and how far it has been read. Several threads may ask; whoever holds ``lock`` may read on."""

    def __init__(self, path: Path):
        self.lock = threading.Lock()
        self.losses = Losses()
        self._path, self._file, self._offset = path, 0, 0
        self._curve: tuple[int, StepCurve] | None = None

    def read(self) -> None:
        """Take in what has been written since the last time; all of it where the file is another one."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._begin_anew(0)
            return
        if found.st_ino != self._file or found.st_size < self._offset:
            self._begin_anew(found.st_ino)
        while True:
            events, end = read_on(self._path, self._offset)
            if end == self._offset:
                return
            for event in events:
                self.losses.take(event)
            self._offset, self._curve = end, None

    def averaged(self, points: int) -> StepCurve:
        """See :meth:`Losses.averaged`; reckoned once for as long as nothing is written."""
        if self._curve is None or self._curve[0] != points:
            self._curve = points, self.losses.averaged(points)
        return self._curve[1]

    def _begin_anew(self, file: int) -> None:
        self.losses, self._file, self._offset, self._curve = Losses(), file, 0, None


class LossLogs:
    """The logs that were asked for last, as far as they have room together."""

    def __init__(self, most_steps: int = MOST_STEPS):
        self._most_steps = most_steps
        self._lock = threading.Lock()
        self._logs: OrderedDict[Path, LossLog] = OrderedDict()

    @contextmanager
    def reading(self, path: Path) -> Iterator[LossLog]:
        """The log at ``path``, read to its end, for as long as the block lasts."""
        with self._lock:
            log = self._logs.setdefault(path, LossLog(path))
            self._logs.move_to_end(path)
        with log.lock:
            log.read()
            yield log
        with self._lock:
            while len(self._logs) > 1 and sum(len(each.losses) for each in self._logs.values()) > self._most_steps:
                self._logs.popitem(last=False)

    def __len__(self) -> int:
        return len(self._logs)


LOGS = LossLogs()
