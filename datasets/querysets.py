"""Reads of recordings and datasets; who sees and changes what is decided here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from datasets.choices import ReviewStatus, VersionState
from xttsproject.accounts.groups import CURATOR
from xttsproject.accounts.querysets import OwnedQuerySet

if TYPE_CHECKING:
    from datasets.models import Dataset, DatasetVersion, Segment, SourceVideo, Speaker


class SpeakerQuerySet(OwnedQuerySet["Speaker"]):
    editors = CURATOR


class SourceVideoQuerySet(OwnedQuerySet["SourceVideo"]):
    editors = CURATOR

    def with_counts(self) -> SourceVideoQuerySet:
        """Adds segment_count, approved_count and pending_count."""
        return self.annotate(
            segment_count=models.Count("segments"),
            approved_count=models.Count("segments", filter=models.Q(segments__status=ReviewStatus.APPROVED)),
            pending_count=models.Count("segments", filter=models.Q(segments__status=ReviewStatus.PENDING)),
        )


class SegmentQuerySet(OwnedQuerySet["Segment"]):
    owner_path = "source__"
    editors = CURATOR

    def approved(self) -> SegmentQuerySet:
        return self.filter(status=ReviewStatus.APPROVED)


class DatasetQuerySet(OwnedQuerySet["Dataset"]):
    editors = CURATOR


class DatasetVersionQuerySet(OwnedQuerySet["DatasetVersion"]):
    owner_path = "dataset__"
    editors = CURATOR

    def ready(self) -> DatasetVersionQuerySet:
        return self.filter(state=VersionState.READY)
