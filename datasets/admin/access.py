"""What the admin shows and lets change is what the pages do: the querysets decide."""

from __future__ import annotations

from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin


class OwnedAdmin(ModelAdmin):
    """Rows come through ``visible_to``; a single one is changed only through ``editable_by``.

    Nothing is added here: the pages and the API do that, together with the work that follows.
    """

    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return rows.visible_to(request.user)  # type: ignore[no-any-return]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Asked of rows that did not come through ``get_queryset`` too, such as those of a history."""
        if not super().has_view_permission(request, obj):
            return False
        return obj is None or self._rows().visible_to(request.user).filter(pk=obj.pk).exists()

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if not super().has_change_permission(request, obj):
            return False
        return obj is None or self.editable(request).filter(pk=obj.pk).exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if not super().has_delete_permission(request, obj):
            return False
        return obj is None or request.user.is_superuser or obj.owner_id == request.user.pk

    def editable(self, request: HttpRequest) -> QuerySet[Any]:
        return self._rows().editable_by(request.user)  # type: ignore[no-any-return]

    def _rows(self) -> Any:
        return self.model._default_manager


class ReadOnlyAdmin(OwnedAdmin):
    """For looking only."""

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
