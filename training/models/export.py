"""A checkpoint merged into its base model, as a file that Coqui's own code loads."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.text import slugify

from training.choices import ExportState
from training.models.checkpoint import Checkpoint
from training.querysets import CheckpointExportQuerySet

EXPORT_DAYS = 14
"""So long a packed file is kept; it can be made again at a click."""


class CheckpointExport(models.Model):
    """A zip of ``model.pth``, ``config.json``, ``vocab.json`` and the rest; it goes with its checkpoint."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    checkpoint = models.OneToOneField(Checkpoint, on_delete=models.CASCADE, related_name="export")
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    licence = models.CharField(max_length=120, help_text="That of the base model: fine-tunes are bound by it.")
    licence_url = models.URLField(blank=True)
    state = models.CharField(max_length=8, choices=ExportState.choices, default=ExportState.WAITING)
    bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CheckpointExportQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.checkpoint} for Coqui"

    # --- transitions ------------------------------------------------------------------------------------------

    def restart(self, *, made_by: Any) -> bool:
        """failed → waiting, or ready → waiting where its file has gone."""
        return self._move(
            (ExportState.FAILED, ExportState.READY),
            state=ExportState.WAITING,
            made_by=made_by,
            error="",
            error_code="",
            bytes=0,
            sha256="",
        )

    def reopen(self) -> bool:
        """A worker takes it, also after the job that failed is tried again. False once it is ready or deleted."""
        return self._move((ExportState.WAITING, ExportState.FAILED), state=ExportState.WAITING, error="", error_code="")

    def mark_ready(self, *, size: int, sha256: str) -> bool:
        return self._move((ExportState.WAITING,), state=ExportState.READY, bytes=size, sha256=sha256)

    def mark_failed(self, *, code: str, message: str) -> bool:
        return self._move((ExportState.WAITING,), state=ExportState.FAILED, error_code=code, error=message)

    def _move(self, allowed: tuple[ExportState, ...], **changes: Any) -> bool:
        moved = bool(CheckpointExport.objects.filter(pk=self.pk, state__in=allowed).update(**changes))
        if moved:
            self.refresh_from_db(fields=list(changes))
        return moved

    # --- where it lies ----------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        return self.checkpoint.run.folder / "exports" / str(self.pk)

    @property
    def name(self) -> str:
        """What the file is called where it is saved, and the folder in it."""
        return f"{slugify(self.checkpoint.run.name) or 'run'}-{self.checkpoint.slug}-xtts"

    @property
    def path(self) -> Path:
        return self.folder / "export.zip"

    @property
    def is_ready(self) -> bool:
        return self.state == ExportState.READY

    @property
    def expires_at(self) -> datetime | None:
        """When the file goes; None where there is none."""
        try:
            packed = self.path.stat().st_mtime
        except FileNotFoundError:
            return None
        return datetime.fromtimestamp(packed, tz=UTC) + timedelta(days=EXPORT_DAYS)
