"""Imports in the admin: for looking, and for deleting the record of one that has ended."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from datasets.admin.access import OwnedAdmin
from datasets.models import DatasetImport
from datasets.services.importing import import_delete


@admin.register(DatasetImport)
class DatasetImportAdmin(OwnedAdmin):
    list_display = ("title", "speaker", "language", "state", "clips", "problem_count", "owner", "created_at")
    list_filter = ("state", "form", "language")
    search_fields = ("title", "original_name", "owner__username")
    list_select_related = ("speaker", "owner")
    date_hierarchy = "created_at"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: DatasetImport) -> None:
        import_delete(importing=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[DatasetImport]) -> None:
        for importing in queryset:
            import_delete(importing=importing)
