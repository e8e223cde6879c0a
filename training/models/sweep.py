"""A search over a run's values: many runs of one dataset version, of which the best is looked for."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db import models
from django.utils import timezone

from datasets.models import DatasetVersion
from training.choices import ACTIVE_STATES, RESUMABLE_STATES, RunState, SweepMethod
from training.querysets import SweepQuerySet
from xttsproject.accounts.models import OwnedModel
from xttsproject.jobs.models import Job


class Sweep(OwnedModel):
    """queued (its points are being drawn) → running (trials begin one after the other) → an end.

    Only the methods below change ``state``, each by one filtered ``UPDATE``. A trial is an ordinary training run; that
    it was begun and its row are written together, so no point is tried twice or left out.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="sweeps")
    bundle = models.CharField(max_length=80, help_text="Name of the XTTS bundle that is fine-tuned.")
    method = models.CharField(max_length=8, choices=SweepMethod.choices)
    space = models.JSONField(help_text="What is searched: values, or a lowest and a highest one, by name.")
    base = models.JSONField(help_text="What all trials share.")
    seed = models.PositiveBigIntegerField(default=1, help_text="Of the points that are drawn.")
    budget_runs = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Trials at most.")
    budget_hours = models.FloatField(
        null=True, blank=True, help_text="Hours of training, added up over trials, after which no new one begins."
    )
    parallel = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Trials at work at the same time; empty: as many as there are workers."
    )
    stop_unpromising = models.BooleanField(default=True, help_text="By the median rule.")
    grace_epochs = models.PositiveSmallIntegerField(help_text="Before which no trial is stopped.")
    plan = models.JSONField(default=list, blank=True, help_text="The points, in the order in which they are tried.")
    forgotten_seconds = models.FloatField(
        default=0.0, help_text="Of training in trials that have been deleted since: spent all the same."
    )
    begun = models.PositiveSmallIntegerField(default=0, help_text="How many of them have been made into a run.")
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True, help_text="When it last began or went on.")
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = SweepQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = [models.UniqueConstraint(fields=("owner", "name"), name="sweep_name_per_owner")]

    def __str__(self) -> str:
        return self.name

    # --- transitions ------------------------------------------------------------------------------------------

    def begin(self, plan: list[dict[str, Any]]) -> bool:
        """queued → running, with the points that were drawn."""
        return self._move((RunState.QUEUED,), state=RunState.RUNNING, plan=plan, started_at=timezone.now())

    def go_on(self) -> bool:
        """A stopped one begins its next trials, or draws its points where it had not come so far."""
        return self._move(
            RESUMABLE_STATES,
            state=RunState.RUNNING if self.plan else RunState.QUEUED,
            error="",
            error_code="",
            started_at=timezone.now(),
            finished_at=None,
        )

    def succeed(self) -> bool:
        return self._move((RunState.RUNNING,), state=RunState.SUCCEEDED, finished_at=timezone.now())

    def fail(self, code: str, message: str) -> bool:
        return self._move(
            ACTIVE_STATES, state=RunState.FAILED, error_code=code, error=message, finished_at=timezone.now()
        )

    def mark_cancelled(self) -> bool:
        return self._move(ACTIVE_STATES, state=RunState.CANCELLED, finished_at=timezone.now())

    def _move(self, allowed: tuple[RunState, ...], **changes: Any) -> bool:
        moved = bool(Sweep.objects.filter(pk=self.pk, state__in=allowed).update(**changes))
        self.refresh_from_db()
        return moved

    # --- what a page shows ------------------------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE_STATES

    @property
    def can_go_on(self) -> bool:
        return self.state in RESUMABLE_STATES

    @property
    def elapsed(self) -> timedelta | None:
        if self.started_at is None:
            return None
        return (self.finished_at or timezone.now()) - self.started_at
