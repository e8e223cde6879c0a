"""A model that is brought in."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models

from datasets.choices import ImportState
from xttsproject import storage
from xttsproject.library.querysets import ModelImportQuerySet

UNDER_WAY = (ImportState.WAITING, ImportState.READING)


class ModelImport(models.Model):
    """What was given, under which licence it was accepted and by whom, and what became of it.

    It is the record of one import and the subject of its job. The bundle that it makes stays when the record is
    deleted.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="model_imports"
    )
    name = models.CharField(max_length=64, help_text="Of the bundle that it becomes.")
    base = models.CharField(max_length=64, blank=True, help_text="The bundle that lends what the files lack.")
    original_name = models.CharField(max_length=255, help_text="As the user's machine or the inbox calls it.")
    path = models.CharField(max_length=1000, blank=True, help_text="Below MODELS_INBOX, if it was not uploaded.")
    extras = models.JSONField(default=dict, blank=True, help_text="{part: name of the file given for it}")
    bytes = models.BigIntegerField(default=0)
    licence = models.CharField(max_length=200, help_text="That the owner accepted.")
    licence_url = models.CharField(max_length=300, blank=True)
    notes = models.JSONField(default=list, blank=True, help_text="Where each part came from, in sentences.")
    fingerprint = models.CharField(max_length=64, blank=True, help_text="Hash of the finished bundle's hashes.")

    state = models.CharField(max_length=9, choices=ImportState.choices, default=ImportState.WAITING)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True, help_text="When the licence was accepted, too.")

    objects = ModelImportQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("name",), condition=models.Q(state__in=UNDER_WAY), name="one_import_under_way_per_model"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> Path:
        return storage.model_import_dir(self.pk)

    def given(self, part: str, name: str) -> Path:
        """Where an uploaded file is kept: under its own name, which messages quote."""
        return self.folder / part / name

    @property
    def uploaded(self) -> Path:
        """The uploaded weights."""
        return self.given("weights", self.original_name)

    @property
    def target(self) -> Path:
        return storage.bundle_dir(self.name)

    def advance(self, to: ImportState, *, since: tuple[ImportState, ...], **facts: Any) -> bool:
        """Move to the next state and record ``facts`` with it; False if the import is in none of ``since`` or gone."""
        changes = {"error": "", "error_code": "", **facts}
        moved = ModelImport.objects.filter(pk=self.pk, state__in=since).update(state=to, **changes)
        if moved:
            self.refresh_from_db()
        return bool(moved)
