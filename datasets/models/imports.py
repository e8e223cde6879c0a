"""A dataset that comes in from outside."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.db import models

from datasets.choices import LANGUAGE_CHOICES, ImportForm, ImportState
from datasets.models.dataset import Dataset
from datasets.models.speaker import Speaker
from datasets.querysets import DatasetImportQuerySet
from xttsproject import storage
from xttsproject.accounts.models import OwnedModel


class DatasetImport(OwnedModel):
    """What was given, what is wrong with it row by row, and what became of it.

    It is the record of one import and the subject of its job. The recordings and the dataset that it makes are as any
    other and stay when the record is deleted. ``visibility`` is what they get; the record is its owner's alone.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=120)
    speaker = models.ForeignKey(Speaker, on_delete=models.PROTECT, related_name="imports")
    language = models.CharField(max_length=5, choices=LANGUAGE_CHOICES)
    speaker_name = models.CharField(
        max_length=200, blank=True, help_text="Of a table with several speakers: whose rows are taken."
    )
    approve = models.BooleanField(default=False, help_text="Its clips need no review.")

    original_name = models.CharField(max_length=255, help_text="As the user's machine called it.")
    path = models.CharField(
        max_length=1000, blank=True, help_text="Where it lies on this machine, if it was not uploaded."
    )
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of the zip.")
    bytes = models.BigIntegerField(default=0)

    form = models.CharField(max_length=8, blank=True, choices=ImportForm.choices)
    clips = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0.0)
    respoken = models.PositiveIntegerField(default=0, help_text="Clips that took their spoken text, not the written.")
    approved = models.PositiveIntegerField(default=0, help_text="Clips that came in approved.")
    problems = models.JSONField(default=list, blank=True, help_text="[{table, row, name, code, reason}]")
    problem_count = models.PositiveIntegerField(default=0)
    dataset = models.ForeignKey(Dataset, null=True, blank=True, on_delete=models.SET_NULL, related_name="imports")

    state = models.CharField(max_length=9, choices=ImportState.choices, default=ImportState.WAITING)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DatasetImportQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.title

    @property
    def folder(self) -> Path:
        return storage.import_dir(self.pk)

    @property
    def given(self) -> Path:
        """The zip or folder that is read."""
        return Path(self.path) if self.path else self.folder / "dataset.zip"

    def source_id(self, number: int) -> uuid.UUID:
        """The key of the recording that part ``number`` becomes: the same whenever the import is run again."""
        return uuid.uuid5(self.pk, f"part {number}")

    def advance(self, to: ImportState, *, since: tuple[ImportState, ...], **facts: Any) -> bool:
        """Move to the next state and record ``facts`` with it; False if the import is in none of ``since`` or gone."""
        changes = {"error": "", "error_code": "", **facts}
        moved = DatasetImport.objects.filter(pk=self.pk, state__in=since).update(state=to, **changes)
        if moved:
            self.refresh_from_db()
        return bool(moved)
