"""What a handler is given: its job, its subject, and the means to report and to learn of a cancel."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, models
from django.utils import timezone

from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.lib.errors import Cancelled, DomainError

logger = logging.getLogger(__name__)

# Often enough for a page that looks every second, seldom enough not to keep SQLite's one writer busy.
REPORT_SECONDS = 0.7
CHECK_SECONDS = 0.7
BEAT_SECONDS = 10.0
LOOK_SECONDS = 3.0


class LostClaim(Exception):
    """The job was given to another worker meanwhile; whatever this one does no longer counts."""


class TurnOver(Exception):
    """Raised by a handler that has given way to others; it is called again later, and goes on where it was."""


class JobContext:
    """A :class:`xttsproject.lib.progress.Progress` that writes to the job's row."""

    def __init__(self, job: Job, watch: Callable[[float, str], None] | None = None):
        self.job = job
        self._watch = watch
        self.arguments: dict[str, Any] = job.arguments
        self._reported = self._checked = self._looked = float("-inf")
        self._stop = False
        self._began = time.monotonic()

    def subject(self) -> models.Model:
        """The object to work on; DomainError if it was deleted since."""
        subject = self.job.subject
        if subject is None:
            raise DomainError("subject_gone", f"What “{self.job.title}” was to work on has been deleted.")
        return subject

    def report(self, fraction: float, message: str = "") -> None:
        now = time.monotonic()
        if now - self._reported < REPORT_SECONDS and message == self.job.message:
            return
        if now - self._reported < 0.2:
            return
        self._reported = now
        if self._watch is not None:
            self._watch(fraction, message)
        self.job.message = message
        if not self.job.beat(fraction, message):
            raise LostClaim

    def check(self) -> None:
        now = time.monotonic()
        if now - self._checked < CHECK_SECONDS:
            if self._stop:
                raise Cancelled
            return
        self._checked = now
        self._stop = bool(Job.objects.filter(pk=self.job.pk).values_list("cancel_requested", flat=True).first())
        if self._stop:
            raise Cancelled

    def should_stop(self) -> bool:
        try:
            self.check()
        except Cancelled:
            return True
        return False

    def turn_is_over(self) -> bool:
        """Whether others wait who are to go first: somebody with something short, or another person, once this job has
        had JOB_TURN_MINUTES. For handlers in queues where persons take turns; they raise :class:`TurnOver`."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        # Not those of this moment: another worker may be free for them.
        since = timezone.now() - timedelta(seconds=LOOK_SECONDS)
        waiting = Job.objects.filter(queue=self.job.queue, state=JobState.QUEUED, queued_at__lt=since)
        first = models.Q(arguments__short=True) & ~models.Q(pk=self.job.pk)
        if now - self._began >= 60 * settings.JOB_TURN_MINUTES:
            first |= ~models.Q(owner=self.job.owner_id)
        elif self.job.is_short:
            return False
        return waiting.filter(first).exists()


class Heartbeat:
    """Keeps a running job's sign of life fresh from a thread, whatever the handler is busy with."""

    def __init__(self, job: Job):
        self._job = Job(pk=job.pk)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heartbeat-{job.pk}", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        try:
            while not self._done.wait(BEAT_SECONDS):
                close_old_connections()
                try:
                    self._job.beat()
                except DatabaseError as error:
                    # A busy database must not end the signs of life; the next one may get through.
                    logger.warning("No sign of life could be written for job %s: %s", self._job.pk, error)
        finally:
            connection.close()
