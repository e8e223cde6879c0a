"""Reads of recordings and datasets; who sees and changes what is decided here and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models.functions import Cast

from datasets.choices import Origin, ReviewStatus, VersionState
from xttsproject.accounts.groups import CURATOR
from xttsproject.accounts.querysets import OwnedQuerySet, number_of
from xttsproject.lib.errors import DomainError

if TYPE_CHECKING:
    # Named in strings below, where the linter does not look.
    from datasets.models import (  # noqa: F401
        Dataset,
        DatasetExport,
        DatasetImport,
        DatasetVersion,
        Playlist,
        Screening,
        Segment,
        SourceVideo,
        Speaker,
    )


class SpeakerQuerySet(OwnedQuerySet["Speaker"]):
    editors = CURATOR


class SourceVideoQuerySet(OwnedQuerySet["SourceVideo"]):
    editors = CURATOR

    def with_counts(self) -> SourceVideoQuerySet:
        """Adds segment_count, approved_count and pending_count."""
        segments: Any = self.model._meta.get_field("segments").related_model
        rows = segments.objects.all()
        return self.annotate(
            segment_count=number_of(rows, "source"),
            approved_count=number_of(rows, "source", models.Q(status=ReviewStatus.APPROVED)),
            pending_count=number_of(rows, "source", models.Q(status=ReviewStatus.PENDING)),
        )


class PlaylistQuerySet(OwnedQuerySet["Playlist"]):
    """What a list leads to is fetched by its owner alone: the recordings become theirs."""


class SegmentQuerySet(OwnedQuerySet["Segment"]):
    owner_path = "source__"
    editors = CURATOR

    def approved(self) -> SegmentQuerySet:
        return self.filter(status=ReviewStatus.APPROVED)

    def untouched(self) -> SegmentQuerySet:
        """Those that nobody has corrected or reviewed: their text is still the machine's to write. One that came with
        its dataset never is."""
        return self.filter(edited=False, status=ReviewStatus.PENDING).exclude(source__origin=Origin.DATASET)

    def untranscribed(self) -> SegmentQuerySet:
        """Those that the machine has yet to listen to."""
        return self.untouched().filter(transcribed_at=None)

    def left_to_policy(self) -> SegmentQuerySet:
        """Those that nobody has corrected or decided on: still to review, or decided by screening alone."""
        decisions: Any = self.model._meta.get_field("decisions").related_model
        standing = decisions.objects.filter(segment=models.OuterRef("pk"), screening__undone_at=None)
        ours = models.Q(status=ReviewStatus.PENDING) | models.Exists(standing)
        return self.filter(ours, edited=False, decided_by_person=False, reviewer=None)

    def with_decisions(self) -> SegmentQuerySet:
        """For :attr:`Segment.decision` of many: one query more, however many there are."""
        decisions: Any = self.model._meta.get_field("decisions").related_model
        # What was undone is none; and of a screening that thousands share, the policy need not be read with each.
        standing = decisions.objects.filter(screening__undone_at=None)
        rows = standing.select_related("screening").defer("screening__policy", "screening__counts")
        return self.prefetch_related(models.Prefetch("decisions", rows))

    def flagged(self, flag: str) -> SegmentQuerySet:
        """Those that carry a flag. SQLite has no containment of JSON, so the list is searched as text."""
        text = Cast("flags", models.TextField())
        return self.annotate(flags_text=text).filter(flags_text__contains=json.dumps(flag))


class DatasetImportQuerySet(OwnedQuerySet["DatasetImport"]):
    """An import belongs to whoever started it, even where the recordings that it made are shared."""

    def visible_to(self, user: Any) -> DatasetImportQuerySet:
        return self if user.is_superuser else self.filter(owner_id=user.pk)

    def editable_by(self, user: Any) -> DatasetImportQuerySet:
        return self.visible_to(user)

    def with_counts(self) -> DatasetImportQuerySet:
        """Adds source_count, of the recordings that are still there."""
        return self.annotate(source_count=models.Count("sources"))


class DatasetQuerySet(OwnedQuerySet["Dataset"]):
    editors = CURATOR

    def with_counts(self) -> DatasetQuerySet:
        """Adds source_count, version_count."""
        chosen: Any = self.model._meta.get_field("sources").remote_field
        versions: Any = self.model._meta.get_field("versions").related_model
        return self.annotate(
            source_count=number_of(chosen.through.objects.all(), "dataset"),
            version_count=number_of(versions.objects.all(), "dataset"),
        )


FROZEN_FIELDS = (
    "dataset_id",
    "number",
    "state",
    "content_hash",
    "selection_hash",
    "manifest_sha256",
    "clips_train",
    "clips_validation",
    "seconds_train",
    "seconds_validation",
    "left_out",
)
"""What a version that is ready is, and stays."""


def version_frozen(name: str, fields: Iterable[str]) -> DomainError:
    return DomainError(
        "version_frozen",
        f"“{name}” is frozen, so its {', '.join(sorted(fields))} cannot be changed; freeze a new version instead.",
    )


class ScreeningQuerySet(OwnedQuerySet["Screening"]):
    owner_path = "dataset__"
    editors = CURATOR


class DatasetVersionQuerySet(OwnedQuerySet["DatasetVersion"]):
    owner_path = "dataset__"
    editors = CURATOR

    def ready(self) -> DatasetVersionQuerySet:
        return self.filter(state=VersionState.READY)

    def in_short(self) -> DatasetVersionQuerySet:
        """For lists: without what only a version's own pages tell."""
        return self.defer("health", "left_out")

    def update(self, **changes: Any) -> int:
        """DomainError ``version_frozen`` where it would change what a ready version is."""
        wanted = {"dataset_id" if name == "dataset" else name for name in changes} & set(FROZEN_FIELDS)
        if wanted and (frozen := self.filter(state=VersionState.READY).first()):
            raise version_frozen(str(frozen), wanted)
        return super().update(**changes)


class DatasetExportQuerySet(OwnedQuerySet["DatasetExport"]):
    """An export hands out the sound of every clip, so it is for those who may change the dataset, not for all who
    see it."""

    owner_path = "version__dataset__"
    editors = CURATOR

    def visible_to(self, user: Any) -> Self:
        return self.editable_by(user)
