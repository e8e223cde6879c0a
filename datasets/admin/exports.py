"""Exports in the admin, and the actions that start them from frozen versions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from datasets.admin.access import OwnedAdmin
from datasets.choices import ExportForm, ExportState
from datasets.models import DatasetExport, DatasetVersion
from datasets.services.exporting import export_delete, export_start
from xttsproject.lib.errors import DomainError


class ExportActions:
    """For the admin of frozen versions: one action for each form."""

    actions: tuple[str, ...] = ("export_ljspeech", "export_coqui", "export_audiofolder")

    @admin.action(description="Export as LJSpeech", permissions=["view"])
    def export_ljspeech(self, request: HttpRequest, queryset: QuerySet[DatasetVersion]) -> None:
        self._export(request, queryset, ExportForm.LJSPEECH)

    @admin.action(description="Export as Coqui CSV", permissions=["view"])
    def export_coqui(self, request: HttpRequest, queryset: QuerySet[DatasetVersion]) -> None:
        self._export(request, queryset, ExportForm.COQUI)

    @admin.action(description="Export as Hugging Face audiofolder", permissions=["view"])
    def export_audiofolder(self, request: HttpRequest, queryset: QuerySet[DatasetVersion]) -> None:
        self._export(request, queryset, ExportForm.AUDIOFOLDER)

    def _export(self, request: HttpRequest, chosen: QuerySet[DatasetVersion], form: ExportForm) -> None:
        mine = set(DatasetVersion.objects.editable_by(request.user).values_list("pk", flat=True))
        for version in chosen.select_related("dataset"):
            if version.pk not in mine:
                messages.error(request, f"“{version}” is shared with you to look at, not to export.")
                continue
            try:
                export, job = export_start(version=version, form=form, owner=request.user)
            except DomainError as error:
                messages.error(request, error.message)
            else:
                messages.success(request, f"“{export}” {'is being written' if job else 'is there already'}.")


@admin.register(DatasetExport)
class DatasetExportAdmin(OwnedAdmin):
    list_display = ("version", "form", "state", "bytes", "download", "created_by", "created_at")
    list_filter = ("form", "state")
    search_fields = ("version__dataset__name", "sha256")
    list_select_related = ("version__dataset", "created_by")
    date_hierarchy = "created_at"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if not self.has_view_permission(request, obj):
            return False
        return obj is None or self.editable(request).filter(pk=obj.pk).exists()

    @display(description="file")
    def download(self, export: DatasetExport) -> SafeString | str:
        if export.state != ExportState.READY:
            return "–"
        return format_html('<a href="{}">Download</a>', reverse("datasets:export-file", args=[export.pk]))

    def delete_model(self, request: HttpRequest, obj: DatasetExport) -> None:
        export_delete(export=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[DatasetExport]) -> None:
        for export in queryset:
            export_delete(export=export)
