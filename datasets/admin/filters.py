"""Narrowing the admin's lists."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from datasets.choices import Flag


class FlagFilter(admin.SimpleListFilter):
    title = "flag"
    parameter_name = "flag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(value, str(label)) for value, label in Flag.choices]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any] | None:
        value = self.value()
        return queryset.flagged(value) if value else None


class LatestFilter(admin.RelatedOnlyFieldListFilter):
    """By a recording or a run: the latest that the person's rows belong to, and the one that was chosen.

    All of them would be thousands of links on every page; older ones are found by the search.
    """

    most = 50

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[Any]:
        theirs = model_admin.get_queryset(request).order_by().values(f"{self.field_path}__pk")
        rows = field.remote_field.model._default_manager.filter(pk__in=theirs)
        found = list(rows.order_by("-created_at")[: self.most])
        # What is no key at all is refused with the list itself.
        with contextlib.suppress(ValueError, ValidationError):
            found += rows.filter(pk__in=self.lookup_val or ()).exclude(pk__in=[row.pk for row in found])
        return [(row.pk, str(row)) for row in found]
