"""A named choice of recordings, and its frozen versions."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models

from datasets.choices import LANGUAGE_CHOICES, VersionState
from datasets.models.source import SourceVideo
from datasets.models.speaker import Speaker
from datasets.querysets import FROZEN_FIELDS, DatasetQuerySet, DatasetVersionQuerySet, version_frozen
from xttsproject import storage
from xttsproject.accounts.models import OwnedModel


class Dataset(OwnedModel):
    """The approved segments of the chosen recordings of one speaker in one language."""

    name = models.CharField(max_length=120)
    speaker = models.ForeignKey(Speaker, on_delete=models.PROTECT, related_name="datasets")
    language = models.CharField(max_length=5, choices=LANGUAGE_CHOICES)
    sources = models.ManyToManyField(SourceVideo, related_name="datasets")
    validation_share = models.FloatField(default=0.1, help_text="Share of the speech kept for validation.")
    policy = models.JSONField(
        default=dict, blank=True, help_text="Of screening, see datasets.pipeline.screening.policy; empty: the default."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DatasetQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = [models.UniqueConstraint(fields=("owner", "name"), name="dataset_name_per_owner")]

    def __str__(self) -> str:
        return self.name


class DatasetVersion(models.Model):
    """Frozen: its clips and texts never change, and its hash says what they are.

    Once it is ready, neither ``save`` nor a queryset's ``update`` writes what is in ``FROZEN_FIELDS``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=8, choices=VersionState.choices, default=VersionState.FREEZING)
    content_hash = models.CharField(max_length=64, blank=True)
    selection_hash = models.CharField(
        max_length=64,
        blank=True,
        help_text="Of the chosen segments and texts; known before clips are written.",
    )
    duplicate_of = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The version that holds this content, where there was nothing new to freeze.",
    )
    clips_train = models.PositiveIntegerField(default=0)
    clips_validation = models.PositiveIntegerField(default=0)
    seconds_train = models.FloatField(default=0.0)
    seconds_validation = models.FloatField(default=0.0)
    left_out = models.JSONField(default=list, blank=True, help_text="[{segment, source, index, code, reason}]")
    manifest_sha256 = models.CharField(max_length=64, blank=True, help_text="Of the manifest's bytes.")
    health = models.JSONField(default=dict, blank=True, help_text="See datasets.services.health; computed, not frozen.")
    measured_at = models.DateTimeField(null=True, blank=True, help_text="When the health was computed.")
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DatasetVersionQuerySet.as_manager()

    class Meta:
        ordering = ("dataset", "-number")
        constraints = [
            models.UniqueConstraint(fields=("dataset", "number"), name="version_number_per_dataset"),
            models.UniqueConstraint(
                fields=("dataset", "content_hash"), condition=~models.Q(content_hash=""), name="same_content_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset} v{self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """DomainError ``version_frozen`` where it would change what a ready version is."""
        if not self._state.adding:
            rows = DatasetVersion.objects.ready().filter(pk=self.pk)
            kept = rows.values(*FROZEN_FIELDS).first() or {}
            written = kwargs.get("update_fields")
            for name, value in kept.items():
                if getattr(self, name) != value and (written is None or name in written):
                    raise version_frozen(str(self), [name])
        super().save(*args, **kwargs)

    @property
    def folder(self) -> Path:
        return storage.dataset_version_dir(self.pk)

    @property
    def manifest_path(self) -> Path:
        return self.folder / "manifest.jsonl"

    def advance(self, to: VersionState, *, since: tuple[VersionState, ...], **facts: Any) -> bool:
        """Move to the next state and record ``facts`` with it; False if the version is in none of ``since``."""
        changes = {"error": "", "error_code": "", "duplicate_of": None, **facts}
        moved = DatasetVersion.objects.filter(pk=self.pk, state__in=since).update(state=to, **changes)
        self.refresh_from_db()
        return bool(moved)

    @property
    def clips(self) -> int:
        return self.clips_train + self.clips_validation

    @property
    def seconds(self) -> float:
        return self.seconds_train + self.seconds_validation
