"""Playlists in the admin: for looking, and for deleting what nobody needs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from datasets.admin.access import OwnedAdmin
from datasets.models import Playlist
from datasets.services.playlists import playlist_delete


@admin.register(Playlist)
class PlaylistAdmin(OwnedAdmin):
    list_display = ("title", "channel", "speaker", "state", "recordings", "owner", "created_at")
    list_filter = ("state", "language", ("speaker", admin.RelatedOnlyFieldListFilter))
    search_fields = ("title", "channel", "url", "owner__username")
    list_select_related = ("speaker", "owner")
    date_hierarchy = "created_at"
    readonly_fields = (
        "url",
        "title",
        "channel",
        "owner",
        "visibility",
        "speaker",
        "language",
        "state",
        "error",
        "entries",
        "more",
        "created_at",
    )
    fields = readonly_fields

    @display(description="recordings")
    def recordings(self, playlist: Playlist) -> int:
        return len(playlist.entries)

    def delete_model(self, request: HttpRequest, obj: Playlist) -> None:
        playlist_delete(playlist=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for playlist in queryset:
            playlist_delete(playlist=playlist)
