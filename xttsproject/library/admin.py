"""Model imports in the admin: for looking, and for deleting the record of one that has ended."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from xttsproject.library.models import ModelImport
from xttsproject.library.services.importing import model_import_delete


@admin.register(ModelImport)
class ModelImportAdmin(ModelAdmin):
    list_display = ("name", "base", "original_name", "bytes", "state", "owner", "created_at")
    list_filter = ("state", "base")
    search_fields = ("name", "original_name", "owner__username")
    list_select_related = ("owner",)
    date_hierarchy = "created_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelImport]:
        return ModelImport.objects.visible_to(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: ModelImport) -> None:
        model_import_delete(importing=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ModelImport]) -> None:
        for importing in queryset:
            model_import_delete(importing=importing)
