"""A fine-tuning run."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import models
from django.utils import timezone

from datasets.models import DatasetVersion
from training.choices import ACTIVE_STATES, CANCELLED_BY_HAND, RESUMABLE_STATES, RunState
from training.models.sweep import Sweep
from training.querysets import TrainingRunQuerySet
from xttsproject import storage
from xttsproject.accounts.models import OwnedModel
from xttsproject.jobs.models import Job


class TrainingRun(OwnedModel):
    """Fine-tunes XTTS's GPT on one dataset version. Checkpoints and samples are rows made from the run's events.

    Only the methods below change ``state``, each by one filtered ``UPDATE``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="runs")
    bundle = models.CharField(max_length=80, help_text="Name of the XTTS bundle that is fine-tuned.")
    spec = models.JSONField(help_text="The validated TrainSpec, without paths.")
    job = models.ForeignKey(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", help_text="Its latest job."
    )

    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    sweep = models.ForeignKey(Sweep, null=True, blank=True, on_delete=models.SET_NULL, related_name="trials")
    trial = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Its place among its sweep's points.")
    # Kept when somebody resumes the run all the same: then it is not judged again.
    stop_reason = models.TextField(blank=True, help_text="Why its sweep stopped it before its last epoch.")
    # Bytes of the run's event log that have been read into rows, always up to a line's end; reading on from here is
    # safe after any interruption.
    events_seen = models.PositiveBigIntegerField(default=0)

    epochs_total = models.PositiveIntegerField(default=0)
    steps_total = models.PositiveIntegerField(default=0)
    epoch = models.PositiveIntegerField(default=0)
    step = models.PositiveIntegerField(default=0)
    loss = models.FloatField(null=True, blank=True)
    learning_rate = models.FloatField(null=True, blank=True)
    clips_per_second = models.FloatField(null=True, blank=True)
    # The first step since the process was last started, and when it was done (seconds since the epoch): the expected
    # time is reckoned from there, validation and samples between the steps included.
    timed_from_step = models.PositiveIntegerField(default=0)
    timed_from = models.FloatField(null=True, blank=True)
    seconds_per_step = models.FloatField(null=True, blank=True)
    trained_seconds = models.FloatField(
        default=0.0,
        help_text="Its process at work, over all its starts; waits and pauses are not counted.",
    )
    base_validation_loss = models.FloatField(null=True, blank=True, help_text="Before the first step.")
    device = models.CharField(max_length=40, blank=True)
    facts = models.JSONField(default=dict, blank=True, help_text="What the run said when it started.")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(fields=("owner", "name"), name="run_name_per_owner"),
            models.UniqueConstraint(fields=("sweep", "trial"), name="one_run_per_trial"),
        ]

    def __str__(self) -> str:
        return self.name

    # --- transitions ------------------------------------------------------------------------------------------

    def requeue(self) -> bool:
        """A stopped run waits for a worker again."""
        return self._move(RESUMABLE_STATES, state=RunState.QUEUED, error="", error_code="", finished_at=None)

    def begin(self) -> bool:
        """A worker takes it; again after a worker's death or a retry of its job. False once it has succeeded."""
        return self._move(
            (*ACTIVE_STATES, *RESUMABLE_STATES),
            state=RunState.RUNNING,
            error="",
            error_code="",
            started_at=self.started_at or timezone.now(),
            finished_at=None,
            timed_from=None,
            seconds_per_step=None,
        )

    def succeed(self) -> bool:
        return self._move(
            (RunState.RUNNING,),
            state=RunState.SUCCEEDED,
            finished_at=timezone.now(),
            epoch=self.facts.get("stopped_early_at") or self.epochs_total,
        )

    def fail(self, code: str, message: str) -> bool:
        return self._move(
            ACTIVE_STATES, state=RunState.FAILED, error_code=code, error=message, finished_at=timezone.now()
        )

    def mark_cancelled(self, stop_reason: str = "") -> bool:
        """``stop_reason``: why its sweep stopped it; empty where somebody cancelled it."""
        # A trial that went on after it was stopped keeps the reason, so that it is not judged again: what ended it in
        # the end tells the two apart.
        changes = {"stop_reason": stop_reason} if stop_reason else {"error_code": CANCELLED_BY_HAND}
        return self._move(ACTIVE_STATES, state=RunState.CANCELLED, finished_at=timezone.now(), **changes)

    def add_trained(self, seconds: float) -> None:
        """Its process has been at work for so much longer. Whatever becomes of it, this stays counted."""
        TrainingRun.objects.filter(pk=self.pk).update(trained_seconds=models.F("trained_seconds") + seconds)
        self.trained_seconds += seconds

    def _move(self, allowed: tuple[RunState, ...], **changes: Any) -> bool:
        moved = bool(TrainingRun.objects.filter(pk=self.pk, state__in=allowed).update(**changes))
        self.refresh_from_db()
        return moved

    # --- what a page shows ------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        return storage.run_dir(self.pk)

    @property
    def can_resume(self) -> bool:
        return self.state in RESUMABLE_STATES or self.is_abandoned

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE_STATES

    @property
    def was_stopped(self) -> bool:
        """Its sweep found that it was not worth its remaining epochs, or had no hours left when it was to begin."""
        return self.state == RunState.CANCELLED and bool(self.stop_reason) and self.error_code != CANCELLED_BY_HAND

    @property
    def stop_label(self) -> str:
        """What its sweep did with it, in two words, where ``was_stopped``."""
        return "Stopped early" if self.step or self.trained_seconds else "Not begun"

    @property
    def is_abandoned(self) -> bool:
        """Its state says that it waits or trains, but the job that would do so has been deleted or has ended."""
        return self.is_active and (self.job is None or not self.job.is_active)

    @property
    def stops_on_score(self) -> bool:
        """What its samples score is measured epoch by epoch, and decides when it ends."""
        return bool(self.spec.get("early_stopping_patience")) and self.spec.get("early_stopping_on") == "score"

    @property
    def progress(self) -> float:
        """Share of the steps done, 0 to 1."""
        if self.state == RunState.SUCCEEDED:
            return 1.0
        return min(self.step / self.steps_total, 1.0) if self.steps_total else 0.0

    @property
    def percent(self) -> int:
        return int(self.progress * 100)

    @property
    def remaining(self) -> timedelta | None:
        """Expected time left at the speed since the last start; None before it is known and when nothing runs."""
        if self.state != RunState.RUNNING or self.seconds_per_step is None or not self.steps_total:
            return None
        return timedelta(seconds=round(max(self.steps_total - self.step, 0) * self.seconds_per_step))

    @property
    def trained(self) -> timedelta:
        """The time in which its process was at work, over all its starts."""
        return timedelta(seconds=self.trained_seconds)

    @property
    def elapsed(self) -> timedelta | None:
        """From the first start to the end, pauses between a stop and a resume included."""
        if self.started_at is None:
            return None
        return (self.finished_at or timezone.now()) - self.started_at
