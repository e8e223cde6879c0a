"""A frozen version on its way out."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models

from datasets.choices import ExportForm, ExportState
from datasets.models.dataset import DatasetVersion
from datasets.querysets import DatasetExportQuerySet
from xttsproject import storage


class DatasetExport(models.Model):
    """One version in one form, as a zip; there is at most one of each, since a version never changes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="exports")
    form = models.CharField(max_length=12, choices=ExportForm.choices)
    state = models.CharField(max_length=9, choices=ExportState.choices, default=ExportState.WAITING)
    bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DatasetExportQuerySet.as_manager()

    class Meta:
        ordering = ("version", "form")
        constraints = [models.UniqueConstraint(fields=("version", "form"), name="one_export_per_version_and_form")]

    def __str__(self) -> str:
        return f"{self.version} as {self.get_form_display()}"

    @property
    def path(self) -> Path:
        return storage.exports_dir(self.version_id) / f"{self.form}.zip"

    def advance(self, to: ExportState, *, since: tuple[ExportState, ...], **facts: Any) -> bool:
        """Move to the next state and record ``facts`` with it; False if the export is in none of ``since`` or gone."""
        changes = {"error": "", "error_code": "", **facts}
        moved = DatasetExport.objects.filter(pk=self.pk, state__in=since).update(state=to, **changes)
        if moved:
            self.refresh_from_db()
        return bool(moved)
