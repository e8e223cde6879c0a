"""The durable record of a piece of long work."""

from __future__ import annotations

import os
import socket
import uuid
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models
from django.utils import timezone

from xttsproject.jobs.choices import ACTIVE_STATES, FINAL_STATES, IN_TURN, JobState, Queue
from xttsproject.jobs.querysets import JobQuerySet


class Job(models.Model):
    """queued → running → succeeded | failed | cancelled.

    Only the methods below change ``state``, each by one filtered ``UPDATE`` whose count tells who won, so a job
    delivered twice runs once and a cancelled job cannot succeed.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=64)
    queue = models.CharField(max_length=8, choices=Queue.choices)
    title = models.CharField(max_length=200)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="jobs"
    )
    # What is worked on, as app_label.model and key: a generic relation without its content-type queries.
    subject_type = models.CharField(max_length=64, blank=True)
    subject_id = models.CharField(max_length=64, blank=True)
    arguments = models.JSONField(default=dict, blank=True)

    state = models.CharField(max_length=10, choices=JobState.choices, default=JobState.QUEUED, db_index=True)
    progress = models.FloatField(default=0.0, help_text="0 to 1")
    message = models.CharField(max_length=200, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    # Told apart for the people who run the portal: a failure has a cause a user can act upon, an error is a bug.
    unexpected = models.BooleanField(default=False)
    result = models.JSONField(default=dict, blank=True)

    attempt = models.PositiveSmallIntegerField(default=0)
    cancel_requested = models.BooleanField(default=False)
    worker = models.CharField(max_length=120, blank=True, help_text="host:process")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    queued_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When its message reached the broker.")
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("kind", "subject_type", "subject_id"),
                condition=models.Q(state__in=ACTIVE_STATES) & ~models.Q(subject_id=""),
                name="one_active_job_per_subject",
            )
        ]
        indexes = [
            models.Index(fields=("subject_type", "subject_id")),
            models.Index(fields=("queue", "state", "queued_at")),
        ]

    def __str__(self) -> str:
        return self.title

    # --- transitions ------------------------------------------------------------------------------------------

    def claim(self) -> bool:
        """queued → running, for this process. False if somebody else was first or it was cancelled."""
        now = timezone.now()
        return self._move(
            (JobState.QUEUED,),
            state=JobState.RUNNING,
            worker=worker_name(),
            started_at=now,
            heartbeat_at=now,
            attempt=models.F("attempt") + 1,
        )

    def beat(self, progress: float | None = None, message: str | None = None) -> bool:
        """Say that the worker lives, and how far it is. False when the job is no longer this worker's."""
        changes: dict[str, Any] = {"heartbeat_at": timezone.now()}
        if progress is not None:
            changes["progress"] = min(max(progress, 0.0), 1.0)
        if message is not None:
            changes["message"] = message[:200]
        mine = Job.objects.filter(pk=self.pk, state=JobState.RUNNING, worker=worker_name())
        return bool(mine.update(**changes))

    def succeed(self, result: dict[str, Any] | None = None) -> bool:
        return self._move(
            (JobState.RUNNING,),
            mine=True,
            state=JobState.SUCCEEDED,
            progress=1.0,
            message="",  # it said what was being done; nothing is any more
            result=result or {},
            finished_at=timezone.now(),
        )

    def fail(self, code: str, message: str, *, unexpected: bool = False) -> bool:
        """The worker that claimed the job gives up; a worker that lost it can no longer say so."""
        return self._move(
            (JobState.RUNNING,),
            mine=True,
            state=JobState.FAILED,
            error_code=code,
            error=message,
            unexpected=unexpected,
            finished_at=timezone.now(),
        )

    def mark_cancelled(self) -> bool:
        """Its worker has stopped the work."""
        return self._move((JobState.RUNNING,), mine=True, state=JobState.CANCELLED, finished_at=timezone.now())

    def give_way(self) -> bool:
        """running → queued: others have their turn, and this one goes on later where it was. False if it was asked to
        stop meanwhile, or is no longer this worker's.

        It keeps its place among its owner's own, and when its turn began; a turn is no attempt that has failed.
        """
        return self._move(
            (JobState.RUNNING,),
            mine=True,
            unless_cancelled=True,
            state=JobState.QUEUED,
            worker="",
            sent_at=None,
            heartbeat_at=None,
            attempt=models.F("attempt") - 1,
            arguments={**self.arguments, "short": False},
        )

    def request_cancel(self) -> bool:
        """A queued job ends at once; a running one is told, and ends at its next check."""
        if self._move((JobState.QUEUED,), state=JobState.CANCELLED, cancel_requested=True, finished_at=timezone.now()):
            return True
        return self._move((JobState.RUNNING,), cancel_requested=True)

    def requeue(self) -> bool:
        """A failed or cancelled job is to be tried again."""
        return self._move((JobState.FAILED, JobState.CANCELLED), **_fresh())

    def take_back(self, *, give_up: tuple[str, str] | None = None) -> bool:
        """Take a running job from the worker that died with it, as this row was read.

        It goes back to the queue; or it is cancelled, if that was asked for; or it fails with ``give_up`` (code and
        sentence). False if the worker has ended it meanwhile, or another has claimed it since.
        """
        changes: dict[str, Any] = _fresh()
        if self.cancel_requested:
            changes = {"state": JobState.CANCELLED, "finished_at": timezone.now()}
        elif give_up is not None:
            code, message = give_up
            changes = {"state": JobState.FAILED, "finished_at": timezone.now(), "unexpected": True}
            changes |= {"error_code": code, "error": message}
        return self._move((JobState.RUNNING,), held_by=self.worker, at_attempt=self.attempt, **changes)

    def _move(
        self,
        allowed: tuple[JobState, ...],
        *,
        mine: bool = False,
        held_by: str | None = None,
        at_attempt: int | None = None,
        unless_cancelled: bool = False,
        **changes: Any,
    ) -> bool:
        rows = Job.objects.filter(pk=self.pk, state__in=allowed)
        if mine:
            held_by = worker_name()
        if held_by is not None:
            rows = rows.filter(worker=held_by)
        if at_attempt is not None:
            rows = rows.filter(attempt=at_attempt)
        if unless_cancelled:
            rows = rows.filter(cancel_requested=False)
        moved = bool(rows.update(**changes))
        self.refresh_from_db()
        return moved

    # --- what a page shows ------------------------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE_STATES

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def can_retry(self) -> bool:
        return self.state in (JobState.FAILED, JobState.CANCELLED)

    @property
    def percent(self) -> int:
        return int(self.progress * 100)

    @property
    def elapsed(self) -> timedelta | None:
        if self.started_at is None or self.state == JobState.QUEUED:
            return None
        return (self.finished_at or timezone.now()) - self.started_at

    @property
    def remaining(self) -> timedelta | None:
        """Expected time left, from the share done so far; unknown before 3 % are done."""
        elapsed = self.elapsed
        if self.state != JobState.RUNNING or elapsed is None or self.progress < 0.03:
            return None
        return elapsed * ((1 - self.progress) / self.progress)

    @property
    def queue_position(self) -> int | None:
        """1 for the next one to start; None when not waiting."""
        if self.state != JobState.QUEUED:
            return None
        ahead: int | None = getattr(self, "jobs_ahead", None)
        if ahead is None and self.queue in IN_TURN:
            ahead = Job.objects.places(self.queue).get(self.pk, 0)
        return (Job.objects.ahead_of(self).count() if ahead is None else ahead) + 1

    @property
    def is_short(self) -> bool:
        """It takes seconds, and goes before what takes hours."""
        return bool(self.arguments.get("short"))

    @property
    def subject(self) -> models.Model | None:
        """The object worked on, or None when it is gone."""
        if not self.subject_type:
            return None
        model: type[models.Model] = apps.get_model(self.subject_type)
        return model._default_manager.filter(pk=self.subject_id).first()


def _fresh() -> dict[str, Any]:
    """The columns of a job that waits to be started, whatever happened to it before."""
    return {
        "state": JobState.QUEUED,
        "progress": 0.0,
        "message": "",
        "error": "",
        "error_code": "",
        "unexpected": False,
        "cancel_requested": False,
        "worker": "",
        "queued_at": timezone.now(),
        "sent_at": None,
        "started_at": None,
        "finished_at": None,
        "heartbeat_at": None,
    }


def worker_name() -> str:
    """This process, so that another on the same machine can tell whether it lives."""
    return f"{socket.gethostname()}:{os.getpid()}"
