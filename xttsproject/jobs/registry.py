"""The kinds of job there are: each app's tasks.py registers its own with :func:`job_kind`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import models

from xttsproject.jobs.choices import JobState, Queue

if TYPE_CHECKING:
    from xttsproject.jobs.context import JobContext

Handler = Callable[["JobContext"], dict[str, Any] | None]
MayRetry = Callable[[models.Model, Any], None]


@dataclass(frozen=True)
class Ending:
    """How a job ended without success: what it says of itself, for the row that it worked on.

    ``state`` is failed or cancelled; ``code`` and ``message`` are the error's, empty where it was cancelled.
    """

    state: str
    code: str = ""
    message: str = ""

    @property
    def cancelled(self) -> bool:
        return self.state == JobState.CANCELLED


Ended = Callable[[models.Model, Ending], None]


@dataclass(frozen=True)
class JobKind:
    """``handler`` does the work. ``ended`` hears of a failure or cancellation: (subject, how it ended).

    ``may_retry`` raises where a person (subject, user) may not start the work again, although the job is theirs.
    ``max_attempts`` bounds how often a job whose worker died is started again.
    """

    name: str
    queue: Queue
    handler: Handler
    ended: Ended | None
    may_retry: MayRetry | None
    max_attempts: int


_kinds: dict[str, JobKind] = {}


def job_kind(
    name: str,
    *,
    queue: Queue,
    ended: Ended | None = None,
    may_retry: MayRetry | None = None,
    max_attempts: int = 3,
) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of jobs of this kind.

    It may be called again after a worker died at any instruction, so it must be able to run twice without harm.
    """

    def register(handler: Handler) -> Handler:
        if name in _kinds and _kinds[name].handler is not handler:
            raise ValueError(f"Two handlers for jobs of kind {name!r}.")
        _kinds[name] = JobKind(name, queue, handler, ended, may_retry, max_attempts)
        return handler

    return register


_housekeeping: dict[str, Callable[[], int]] = {}


def housekeeping(name: str) -> Callable[[Callable[[], int]], Callable[[], int]]:
    """Register a function that clears away what dead processes left; ``manage.py rescue`` calls it every hour.

    It returns how many things it removed, may run at any time and in several processes at once.
    """

    def register(sweep: Callable[[], int]) -> Callable[[], int]:
        _housekeeping[name] = sweep
        return sweep

    return register


def all_housekeeping() -> tuple[tuple[str, Callable[[], int]], ...]:
    return tuple(_housekeeping.items())


def get_kind(name: str) -> JobKind:
    return _kinds[name]


def all_kinds() -> tuple[JobKind, ...]:
    return tuple(_kinds.values())
