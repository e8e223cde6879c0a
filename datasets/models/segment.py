"""A stretch of a recording with its transcript."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from simple_history.models import HistoricalRecords

from datasets.choices import Flag, Origin, ReviewStatus
from datasets.models.source import SourceVideo
from datasets.pipeline.screening.catalogue import Measure, told
from datasets.querysets import SegmentQuerySet

if TYPE_CHECKING:
    from datasets.models.screening import ScreeningDecision


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
    transcribed_by = models.CharField(
        max_length=120, blank=True, help_text="The Whisper bundle that wrote the machine's text."
    )
    awaits_second = models.BooleanField(default=False, help_text="A larger model is still to listen to it.")
    edited = models.BooleanField(default=False, help_text="A person has changed the text.")

    quality = models.JSONField(
        default=dict, blank=True, help_text="Measures of the clip, see datasets.pipeline.quality"
    )
    flags = models.JSONField(default=list, blank=True)
    measured_key = models.CharField(
        max_length=64, blank=True, help_text="Of what was measured: stretch and texts. Another one means anew."
    )

    status = models.CharField(max_length=8, choices=ReviewStatus.choices, default=ReviewStatus.PENDING, db_index=True)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="reviewed_segments"
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)
    decided_by_person = models.BooleanField(
        default=False, help_text="Approved, rejected or reopened by somebody: no policy touches it again."
    )

    # What was said in a recording goes with it: no copy of a deleted transcript stays.
    history = HistoricalRecords(excluded_fields=["words", "quality", "measured_key"], cascade_delete_history=True)
    objects = SegmentQuerySet.as_manager()

    REVIEW_FIELDS = ("status", "reviewer", "reviewed_at", "decided_by_person")

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
    def decision(self) -> ScreeningDecision | None:
        """What screening last decided on it and has not been undone."""
        standing = [each for each in self.decisions.all() if each.screening.undone_at is None]
        return max(standing, key=lambda each: each.pk, default=None)

    @property
    def measures(self) -> list[tuple[Measure, str]]:
        """What is known of the clip, each with its value in words."""
        return told(self.measured_values)

    @property
    def measured_values(self) -> dict[str, Any]:
        """By the names of :data:`datasets.pipeline.screening.catalogue.MEASURES`; what Whisper said included."""
        ratios = [self.compression_ratio, self.quality.get("compression_ratio")]
        return {
            **self.quality,
            "average_log_probability": self.average_log_probability,
            "no_speech_probability": self.no_speech_probability,
            "language_probability": self.language_probability,
            "compression_ratio": max((ratio for ratio in ratios if ratio is not None), default=None),
        }

    @property
    def untouched(self) -> bool:
        """Nobody has corrected or reviewed it, nor did its text come with a dataset: a machine may still write it."""
        return not self.edited and self.status == ReviewStatus.PENDING and self.source.origin != Origin.DATASET

    @property
    def decided(self) -> bool:
        """By a person, not by a policy alone."""
        return self.decided_by_person or self.reviewer_id is not None

    def set_text(self, text: str) -> None:
        """Take a person's correction. Saved, so that the history has it; an unchanged text is no edit."""
        if text != self.text:
            self.text, self.edited = text, True
            self.save(update_fields=["text", "edited"])

    def review(self, status: ReviewStatus, reviewer: Any) -> None:
        """Approve, reject or reopen."""
        self.mark(status, reviewer)
        self.save(update_fields=self.REVIEW_FIELDS)

    def screen(self, status: ReviewStatus) -> None:
        """Set what a policy decides, without saving it; only for what :meth:`SegmentQuerySet.left_to_policy` holds."""
        self.status = status

    def mark(self, status: ReviewStatus, reviewer: Any) -> None:
        """Set what a review changes (``REVIEW_FIELDS``) without saving it."""
        self.status = status
        self.reviewer = None if status == ReviewStatus.PENDING else reviewer
        self.reviewed_at = None if status == ReviewStatus.PENDING else timezone.now()
        self.decided_by_person = True
