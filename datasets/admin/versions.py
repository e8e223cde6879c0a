"""Datasets and frozen versions in the admin: for looking only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from datasets.admin.access import ReadOnlyAdmin
from datasets.admin.exports import ExportActions
from datasets.admin.screening import ScreeningActionsMixin
from datasets.models import Dataset, DatasetVersion
from datasets.services.health import version_health, version_health_start
from xttsproject.lib.errors import DomainError


@admin.register(Dataset)
class DatasetAdmin(ScreeningActionsMixin, ReadOnlyAdmin):
    actions = ("measure_clips", "screen_clips", "unscreen_clips")
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
class DatasetVersionAdmin(ExportActions, ReadOnlyAdmin):
    """A frozen version cannot be changed, here or anywhere."""

    list_display = (
        "dataset",
        "number",
        "state",
        "clips",
        "minutes",
        "advice",
        "short_hash",
        "created_by",
        "created_at",
    )
    list_filter = ("state",)
    search_fields = ("dataset__name", "content_hash")
    list_select_related = ("dataset", "created_by")
    date_hierarchy = "created_at"
    # What was left out is told on the version's page, to each person what they may see; the health on its own page.
    exclude = ("left_out", "health")
    readonly_fields = ("advice",)
    actions = ("measure", "compare", *ExportActions.actions)

    @display(description="minutes")
    def minutes(self, version: DatasetVersion) -> str:
        return f"{version.seconds / 60:.1f}"

    @display(description="hash")
    def short_hash(self, version: DatasetVersion) -> str:
        return version.content_hash[:12]

    @display(description="health")
    def advice(self, version: DatasetVersion) -> SafeString:
        """In short, since the admin's rows are narrow; the whole is told where the link leads."""
        health = version_health(version=version)
        todos = [advice["todo"] for advice in health.get("advice", []) if advice["todo"]]
        told = f"{len(todos)} to do" if todos else "good" if health else "not measured"
        page = reverse("datasets:version-health", args=[version.pk])
        return format_html('<a href="{}" title="{}">{}</a>', page, health.get("summary", ""), told)

    @admin.action(description="Measure and check anew", permissions=["view"])
    def measure(self, request: HttpRequest, queryset: QuerySet[DatasetVersion]) -> None:
        """Only of versions that the person may change, as on their pages."""
        allowed = self.editable(request).filter(pk__in=list(queryset.values_list("pk", flat=True)))
        started, refused = 0, []
        for version in allowed.select_related("dataset"):
            try:
                version_health_start(version=version, owner=request.user)
            except DomainError as error:
                refused.append(error.message)
            else:
                started += 1
        foreign = queryset.count() - started - len(refused)
        parts = [f"Measuring {started} version{'' if started == 1 else 's'}.", *refused]
        if foreign:
            parts.append(f"{foreign} skipped: not yours to change.")
        level = messages.WARNING if refused or foreign else messages.SUCCESS
        self.message_user(request, " ".join(parts), level)

    @admin.action(description="Compare two versions", permissions=["view"])
    def compare(self, request: HttpRequest, queryset: QuerySet[DatasetVersion]) -> HttpResponse | None:
        chosen = sorted(queryset, key=lambda version: version.number)
        if len(chosen) != 2 or chosen[0].dataset_id != chosen[1].dataset_id:
            self.message_user(request, "Choose two versions of one dataset to compare.", messages.ERROR)
            return None
        page = reverse("datasets:dataset-compare", args=[chosen[0].dataset_id])
        return redirect(f"{page}?base={chosen[0].pk}&version={chosen[1].pk}")
