"""A recording as it came in."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.db import models

from datasets.choices import RECORDING_LANGUAGES, UNDETERMINED, Origin, SourceState
from datasets.models.speaker import Speaker
from datasets.querysets import SourceVideoQuerySet
from xttsproject import storage
from xttsproject.accounts.models import OwnedModel


class SourceVideo(OwnedModel):
    """An uploaded or fetched recording: the original file, what it turned out to be, and how far it has come."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    speaker = models.ForeignKey(Speaker, on_delete=models.PROTECT, related_name="sources")
    title = models.CharField(max_length=200)
    language = models.CharField(max_length=5, choices=RECORDING_LANGUAGES)
    heard_language = models.JSONField(
        default=dict, blank=True, help_text="What detection heard: {language, probability, clips}; empty if chosen."
    )
    transcriber = models.CharField(
        max_length=120, blank=True, help_text="The Whisper bundle that listens to it; empty for WHISPER_BUNDLE."
    )
    origin = models.CharField(max_length=8, choices=Origin.choices)
    imported = models.ForeignKey(
        "datasets.DatasetImport",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="sources",
        help_text="The dataset whose clips it is made of.",
    )
    url = models.URLField(max_length=2000, blank=True)
    duplicate_of = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="duplicates",
        help_text="What was fetched turned out to be the bytes of this recording, so nothing of it was kept.",
    )
    attribution = models.JSONField(default=dict, blank=True, help_text="Title, channel, date and licence of a URL.")

    captions = models.JSONField(
        default=list,
        blank=True,
        help_text="Caption tracks of the source: language, automatic, file (in the folder), cues, problem.",
    )

    original = models.CharField(max_length=300, blank=True, help_text="File name inside the recording's folder.")
    original_name = models.CharField(max_length=255, blank=True, help_text="As the user's machine called it.")
    sha256 = models.CharField(max_length=64, blank=True)
    bytes = models.BigIntegerField(default=0)

    container = models.CharField(max_length=60, blank=True)
    audio_codec = models.CharField(max_length=40, blank=True)
    sample_rate = models.PositiveIntegerField(default=0, help_text="Hz, of the original's audio")
    channels = models.PositiveSmallIntegerField(default=0)
    has_video = models.BooleanField(default=False)
    seconds = models.FloatField(default=0.0)
    notices = models.JSONField(default=list, blank=True, help_text="What was left out while cutting, and why.")

    cut_by_words_at = models.DateTimeField(
        null=True, blank=True, help_text="When the cuts were looked at again with the times of the words."
    )

    state = models.CharField(max_length=12, choices=SourceState.choices, default=SourceState.WAITING)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SourceVideoQuerySet.as_manager()

    class Meta:
        verbose_name = "recording"
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("owner", "sha256"), condition=~models.Q(sha256=""), name="same_bytes_once_per_owner"
            )
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def folder(self) -> Path:
        return storage.recording_dir(self.pk)

    @property
    def original_path(self) -> Path:
        return self.folder / self.original

    @property
    def master_path(self) -> Path:
        return storage.recording_master(self.pk)

    def advance(self, to: SourceState, *, since: tuple[SourceState, ...]) -> bool:
        """Move to the next stage; False if the recording is not in one of the states before it."""
        moved = SourceVideo.objects.filter(pk=self.pk, state__in=since).update(state=to, error="", error_code="")
        self.refresh_from_db(fields=["state", "error", "error_code"])
        return bool(moved)

    @property
    def language_known(self) -> bool:
        return self.language != UNDETERMINED

    @property
    def heard_percent(self) -> int | None:
        """How probable the language was found, in percent; None where a person chose it."""
        return round(100 * self.heard_language["probability"]) if self.heard_language else None

    def determine(self, language: str, heard: dict[str, Any]) -> bool:
        """Take a detected language; False if a person has named one meanwhile."""
        rows = SourceVideo.objects.filter(pk=self.pk, language=UNDETERMINED)
        moved = bool(rows.update(language=language, heard_language=heard))
        self.refresh_from_db(fields=["language", "heard_language"])
        return moved

    def ask_language(self, message: str, heard: dict[str, Any]) -> bool:
        """Wait for a person to name the language; False if one has done so meanwhile."""
        moved = SourceVideo.objects.filter(pk=self.pk, language=UNDETERMINED).update(
            state=SourceState.ASKING, error_code="language_undetermined", error=message, heard_language=heard
        )
        self.refresh_from_db(fields=["language", "heard_language", "state", "error", "error_code"])
        return bool(moved)

    def stop(self, to: SourceState, *, code: str = "", message: str = "") -> None:
        """Record that its work failed or was cancelled; a recording that is ready stays ready."""
        SourceVideo.objects.filter(pk=self.pk).exclude(state=SourceState.READY).update(
            state=to, error_code=code, error=message
        )
        self.refresh_from_db(fields=["state", "error", "error_code"])
