"""Screening in the admin: what was applied, and starting it for datasets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from datasets.admin.access import ReadOnlyAdmin
from datasets.models import Dataset, Screening
from datasets.services.clip_measures import dataset_measure_start
from datasets.services.screening import screening_start, screening_undo_start
from xttsproject.lib.errors import DomainError


@admin.register(Screening)
class ScreeningAdmin(ReadOnlyAdmin):
    """Undone from the datasets' list, which undoes the last one."""

    list_display = ("dataset", "created_at", "applied_by", "outcome", "applied_at", "undone_at")
    list_filter = ("undone_at",)
    search_fields = ("dataset__name",)
    list_select_related = ("dataset", "applied_by")
    date_hierarchy = "created_at"

    @display(description="outcome")
    def outcome(self, screening: Screening) -> str:
        return ", ".join(f"{count} {name}" for name, count in screening.counts.items()) or "not finished"


class ScreeningActionsMixin:
    """Actions of the datasets' list; only on what the person may change."""

    @admin.action(description="Measure the clips")
    def measure_clips(self, request: HttpRequest, queryset: QuerySet[Dataset]) -> None:
        self._start(request, queryset, lambda dataset: dataset_measure_start(dataset=dataset, owner=request.user))

    @admin.action(description="Apply the screening policy")
    def screen_clips(self, request: HttpRequest, queryset: QuerySet[Dataset]) -> None:
        self._start(request, queryset, lambda dataset: screening_start(dataset=dataset, owner=request.user))

    @admin.action(description="Undo the last screening")
    def unscreen_clips(self, request: HttpRequest, queryset: QuerySet[Dataset]) -> None:
        self._start(request, queryset, lambda dataset: screening_undo_start(dataset=dataset, owner=request.user))

    def _start(self, request: HttpRequest, chosen: QuerySet[Dataset], start: Callable[[Dataset], Any]) -> None:
        for dataset in chosen:
            if not Dataset.objects.editable_by(request.user).filter(pk=dataset.pk).exists():
                messages.error(request, f"“{dataset.name}” is not yours to change.")
                continue
            try:
                start(dataset)
            except DomainError as error:
                messages.error(request, error.message)
            else:
                messages.success(request, f"“{dataset.name}”: started, see Jobs.")
