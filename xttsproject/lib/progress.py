"""How long work tells where it is and learns that it should stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from xttsproject.lib.errors import Cancelled


class Progress(Protocol):
    """What a pipeline or engine function is given so that somebody can follow it."""

    def report(self, fraction: float, message: str = "") -> None:
        """Say how much is done (0 to 1), and in a few words what is being done."""

    def check(self) -> None:
        """Raise :class:`Cancelled` when the work should stop. Cheap: call it in inner loops."""


class Silent:
    """Nobody is watching."""

    def report(self, fraction: float, message: str = "") -> None:
        pass

    def check(self) -> None:
        pass


class Part:
    """A stretch of a longer piece of work: 0..1 here is ``start``..``end`` there."""

    def __init__(self, whole: Progress, start: float, end: float):
        self._whole, self._start, self._end = whole, start, end

    def report(self, fraction: float, message: str = "") -> None:
        bounded = min(max(fraction, 0.0), 1.0)
        self._whole.report(self._start + (self._end - self._start) * bounded, message)

    def check(self) -> None:
        self._whole.check()


class Callback:
    """Progress through two plain functions; ``should_stop`` says whether the work is to end."""

    def __init__(
        self,
        on_report: Callable[[float, str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ):
        self._on_report, self._should_stop = on_report, should_stop

    def report(self, fraction: float, message: str = "") -> None:
        if self._on_report:
            self._on_report(fraction, message)

    def check(self) -> None:
        if self._should_stop and self._should_stop():
            raise Cancelled
