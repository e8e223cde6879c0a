"""Looking rows up for a page: what a person may not see is not there, what they may not change is forbidden."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import models
from django.shortcuts import get_object_or_404

from xttsproject.accounts.querysets import OwnedQuerySet


def may_edit(rows: OwnedQuerySet[Any], user: Any, row: models.Model) -> bool:
    return rows.editable_by(user).filter(pk=row.pk).exists()


def editable_or_forbidden(rows: OwnedQuerySet[Any], user: Any, pk: Any) -> Any:
    row = get_object_or_404(rows.visible_to(user), pk=pk)
    if not may_edit(rows, user, row):
        raise PermissionDenied("It is shared with you to look at, not to change.")
    return row


def owns(row: Any, user: Any) -> bool:
    return bool(row.owner_id == user.pk or user.is_superuser)


def owned_or_forbidden(rows: OwnedQuerySet[Any], user: Any, pk: Any) -> Any:
    """For what only the owner may do: deleting and sharing."""
    row = get_object_or_404(rows.visible_to(user), pk=pk)
    if not owns(row, user):
        raise PermissionDenied("Only the owner may do this.")
    return row
