"""What stands behind the address of a playlist, for its owner to choose from."""

from __future__ import annotations

import uuid

from django.db import models

from datasets.choices import RECORDING_LANGUAGES, PlaylistState
from datasets.models.speaker import Speaker
from datasets.querysets import PlaylistQuerySet
from xttsproject.accounts.models import OwnedModel


class Playlist(OwnedModel):
    """A playlist, channel or feed with its recordings; speaker, language and visibility are those of what is fetched.

    ``entries`` are rows of :class:`datasets.pipeline.listing.ListedRecording`, in the list's order.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    speaker = models.ForeignKey(Speaker, on_delete=models.CASCADE, related_name="playlists")
    language = models.CharField(max_length=5, choices=RECORDING_LANGUAGES)
    url = models.URLField(max_length=2000)
    title = models.CharField(max_length=300)
    channel = models.CharField(max_length=300, blank=True)
    entries = models.JSONField(default=list, blank=True)
    more = models.BooleanField(default=False, help_text="There is more behind the address than was listed.")
    state = models.CharField(max_length=12, choices=PlaylistState.choices, default=PlaylistState.WAITING)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PlaylistQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.title

    def advance(self, to: PlaylistState) -> bool:
        """Move on; False if the list is ready already or was deleted."""
        rows = Playlist.objects.filter(pk=self.pk).exclude(state=PlaylistState.READY)
        moved = bool(rows.update(state=to, error="", error_code=""))
        if moved:
            self.refresh_from_db(fields=["state", "error", "error_code"])
        return moved

    def stop(self, to: PlaylistState, *, code: str = "", message: str = "") -> None:
        """Record that listing failed or was cancelled; a list that is ready stays ready."""
        rows = Playlist.objects.filter(pk=self.pk).exclude(state=PlaylistState.READY)
        if rows.update(state=to, error_code=code, error=message):
            self.refresh_from_db(fields=["state", "error", "error_code"])
