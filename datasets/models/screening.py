"""A policy that was applied to a dataset, and what it decided on each clip."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from datasets.choices import ReviewStatus, Verdict
from datasets.models.dataset import Dataset
from datasets.models.segment import Segment
from datasets.querysets import ScreeningQuerySet


class Screening(models.Model):
    """One application of a policy. It keeps the thresholds as they were, and can be undone."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="screenings")
    policy = models.JSONField()
    counts = models.JSONField(default=dict, blank=True, help_text="Clips by verdict, and how many changed.")
    applied_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    applied_at = models.DateTimeField(null=True, blank=True, help_text="When the last clip was decided.")
    undone_at = models.DateTimeField(null=True, blank=True)

    objects = ScreeningQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"Screening of {self.dataset}"


class ScreeningDecision(models.Model):
    """``reasons``: [{rule, verdict, sentence, measure, value, threshold}]; statuses are the segment's."""

    screening = models.ForeignKey(Screening, on_delete=models.CASCADE, related_name="decisions")
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="decisions")
    verdict = models.CharField(max_length=7, choices=Verdict.choices)
    reasons = models.JSONField(default=list, blank=True)
    status_before = models.CharField(max_length=8, choices=ReviewStatus.choices)
    status_after = models.CharField(max_length=8, choices=ReviewStatus.choices)

    class Meta:
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(fields=("screening", "segment"), name="one_decision_per_segment_and_screening")
        ]

    def __str__(self) -> str:
        return f"{self.segment}: {self.verdict}"
