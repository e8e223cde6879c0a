"""When a run has to stop: a cancel file, SIGTERM, or the death of whoever started it."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import psutil

from training.engine.launch import LAUNCHER_VARIABLE, PARENT_VARIABLE, rank
from xttsproject.lib.errors import Cancelled

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25
GRACE_SECONDS = 3.0
"""How long the work has to notice a cancel by itself. Together with the poll it stays well within five seconds."""


class Control:
    """A :class:`xttsproject.lib.progress.Progress` whose ``check`` says stop, with a watcher behind it.

    The work checks between steps, clips and codes. Where it does not get to (an import, one very long step), the
    watcher ends the process after the grace period: ``on_overdue`` is called first, then the exit is immediate. That
    is safe at any instruction because everything the run keeps is written to a temporary name and renamed.
    """

    def __init__(self, cancel_file: Path, on_overdue: Callable[[], object], exit_code: int):
        self._cancel_file = cancel_file
        self._on_overdue = on_overdue
        self._exit_code = exit_code
        self._stop = threading.Event()
        self._done = threading.Event()
        self._orphaned = False
        # Given by the starter, because it may be gone before the first look at getppid().
        self._parent = _given(PARENT_VARIABLE) or os.getppid()
        self._launcher = _given(LAUNCHER_VARIABLE) if rank() is not None else None

    def start(self) -> None:
        signal.signal(signal.SIGTERM, self._on_signal)
        threading.Thread(target=self._watch, name="control", daemon=True).start()

    def finish(self) -> None:
        """The work has ended by itself: the watcher no longer interferes."""
        self._done.set()

    def report(self, fraction: float, message: str = "") -> None:
        pass

    @property
    def orphaned(self) -> bool:
        """Whether the stop is due to the starter's death: nobody cancelled, the run is to be gone on with."""
        return self._orphaned

    def check(self) -> None:
        if self._stop.is_set():
            raise Cancelled

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked for the stop, rather than a signal or the starter's death."""
        return self._cancel_file.exists()

    def _has_starter(self) -> bool:
        """Whether whoever started the run is there; between it and one of several ranks stands their launcher."""
        if self._launcher is None:
            return os.getppid() == self._parent
        try:
            return os.getppid() == self._launcher and psutil.Process(self._launcher).ppid() == self._parent
        except psutil.Error:
            return False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _watch(self) -> None:
        asked_at: float | None = None
        while not self._done.wait(POLL_SECONDS):
            if not self._orphaned and not self._has_starter():
                logger.error("The process that started this run (%d) is gone: stopping.", self._parent)
                self._orphaned = True
                self._stop.set()
            if self._cancel_file.exists():
                self._stop.set()
            if not self._stop.is_set():
                continue
            asked_at = asked_at or time.monotonic()
            if time.monotonic() - asked_at > GRACE_SECONDS:
                logger.warning("Stopped in the middle of a long operation.")
                if not self._orphaned:
                    self._on_overdue()
                os._exit(self._exit_code)


def _given(variable: str) -> int | None:
    value = os.environ.get(variable, "")
    return int(value) if value.isdigit() else None
