"""Datasets and frozen versions in the admin: for looking only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from datasets.admin.access import ReadOnlyAdmin
from datasets.models import Dataset, DatasetVersion


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    list_display = ("name", "speaker", "language", "recordings", "versions_made", "visibility", "owner", "created_at")
    list_filter = ("language", "visibility")
    search_fields = ("name", "speaker__name", "owner__username")
    list_select_related = ("speaker", "owner")
    # Some of them may be private to others.
    exclude = ("sources",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return rows.with_counts()  # type: ignore[no-any-return]

    @display(description="recordings")
    def recordings(self, dataset: Any) -> int:
        return int(dataset.source_count)

    @display(description="versions")
    def versions_made(self, dataset: Any) -> int:
        return int(dataset.version_count)


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnlyAdmin):
    """A frozen version cannot be changed, here or anywhere."""

    list_display = ("dataset", "number", "state", "clips", "minutes", "short_hash", "created_by", "created_at")
    list_filter = ("state",)
    search_fields = ("dataset__name", "content_hash")
    list_select_related = ("dataset", "created_by")
    date_hierarchy = "created_at"
    # Told on the version's page, to each person what they may see.
    exclude = ("left_out",)

    @display(description="minutes")
    def minutes(self, version: DatasetVersion) -> str:
        return f"{version.seconds / 60:.1f}"

    @display(description="hash")
    def short_hash(self, version: DatasetVersion) -> str:
        return version.content_hash[:12]
