"""A stretch of a recording with its transcript."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from simple_history.models import HistoricalRecords

from datasets.choices import Flag, ReviewStatus
from datasets.models.source import SourceVideo
from datasets.querysets import SegmentQuerySet


class Segment(models.Model):
    """From ``start`` to ``end`` seconds of the recording's master, padding included."""

    source = models.ForeignKey(SourceVideo, on_delete=models.CASCADE, related_name="segments")
    index = models.PositiveIntegerField()
    start = models.FloatField(help_text="seconds")
    end = models.FloatField(help_text="seconds")
    original_name = models.CharField(
        max_length=200, blank=True, help_text="What the dataset that it was imported from calls it."
    )

    text = models.TextField(blank=True, help_text="The transcript as it will be trained on.")
    machine_text = models.TextField(blank=True, help_text="What the machine heard; never changed by people.")
    words = models.JSONField(
        default=list, blank=True, help_text="[{text, start, end, probability}], seconds in the clip"
    )
    language_probability = models.FloatField(null=True, blank=True)
    average_log_probability = models.FloatField(null=True, blank=True)
    no_speech_probability = models.FloatField(null=True, blank=True)
    compression_ratio = models.FloatField(null=True, blank=True)
    transcribed_at = models.DateTimeField(null=True, blank=True)
    edited = models.BooleanField(default=False, help_text="A person has changed the text.")

    quality = models.JSONField(
        default=dict, blank=True, help_text="Measures of the clip, see datasets.pipeline.quality"
    )
    flags = models.JSONField(default=list, blank=True)

    status = models.CharField(max_length=8, choices=ReviewStatus.choices, default=ReviewStatus.PENDING, db_index=True)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="reviewed_segments"
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)

    # What was said in a recording goes with it: no copy of a deleted transcript stays.
    history = HistoricalRecords(excluded_fields=["words", "quality"], cascade_delete_history=True)
    objects = SegmentQuerySet.as_manager()

    REVIEW_FIELDS = ("status", "reviewer", "reviewed_at")

    class Meta:
        ordering = ("source", "index")
        constraints = [
            models.UniqueConstraint(fields=("source", "index"), name="segment_index_per_source"),
            models.CheckConstraint(condition=models.Q(end__gt=models.F("start")), name="segment_has_length"),
        ]

    def __str__(self) -> str:
        return f"{self.source} #{self.index}"

    @property
    def seconds(self) -> float:
        return self.end - self.start

    @property
    def index_text(self) -> str:
        """For labels in templates, where numbers and words do not add up."""
        return str(self.index)

    @property
    def flag_labels(self) -> list[str]:
        known = dict(Flag.choices)
        return [str(known.get(flag, flag)) for flag in self.flags]

    @property
    def characters_per_second(self) -> float:
        """Characters without white space: far from the speaker's usual pace, a transcript is seldom right."""
        return len("".join(self.text.split())) / self.seconds

    @property
    def untouched(self) -> bool:
        """Nobody has corrected or reviewed it, so a machine may still write its text."""
        return not self.edited and self.status == ReviewStatus.PENDING

    def set_text(self, text: str) -> None:
        """Take a person's correction. Saved, so that the history has it; an unchanged text is no edit."""
        if text != self.text:
            self.text, self.edited = text, True
            self.save(update_fields=["text", "edited"])

    def review(self, status: ReviewStatus, reviewer: Any) -> None:
        """Approve, reject or reopen."""
        self.mark(status, reviewer)
        self.save(update_fields=self.REVIEW_FIELDS)

    def mark(self, status: ReviewStatus, reviewer: Any) -> None:
        """Set what a review changes (``REVIEW_FIELDS``) without saving it."""
        self.status = status
        self.reviewer = None if status == ReviewStatus.PENDING else reviewer
        self.reviewed_at = None if status == ReviewStatus.PENDING else timezone.now()
