"""A fine-tuning run."""

from __future__ import annotations

import uuid
from pathlib import Path

from django.db import models

from datasets.models import DatasetVersion
from training.choices import RESUMABLE_STATES, RunState
from training.querysets import TrainingRunQuerySet
from xttsproject import storage
from xttsproject.accounts.models import OwnedModel


class TrainingRun(OwnedModel):
    """Fine-tunes XTTS's GPT on one dataset version. Checkpoints and samples are rows made from the run's events."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="runs")
    bundle = models.CharField(max_length=80, help_text="Name of the XTTS bundle that is fine-tuned.")
    spec = models.JSONField(help_text="The validated TrainSpec, without paths.")

    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    # How far the run's event log has been read into rows; reading on from here is safe after any interruption.
    events_seen = models.PositiveBigIntegerField(default=0)

    epochs_total = models.PositiveIntegerField(default=0)
    steps_total = models.PositiveIntegerField(default=0)
    epoch = models.PositiveIntegerField(default=0)
    step = models.PositiveIntegerField(default=0)
    loss = models.FloatField(null=True, blank=True)
    learning_rate = models.FloatField(null=True, blank=True)
    clips_per_second = models.FloatField(null=True, blank=True)
    device = models.CharField(max_length=40, blank=True)
    facts = models.JSONField(default=dict, blank=True, help_text="What the run said when it started.")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> Path:
        return storage.run_dir(self.pk)

    @property
    def can_resume(self) -> bool:
        return self.state in RESUMABLE_STATES
