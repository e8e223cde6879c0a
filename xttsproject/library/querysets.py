"""Reads of model imports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from xttsproject.library.models import ModelImport  # noqa: F401 (named in a string below)


class ModelImportQuerySet(models.QuerySet["ModelImport"]):
    """A model serves everybody, so its import is the business of all who run the portal, and of nobody else."""

    def visible_to(self, user: Any) -> ModelImportQuerySet:
        return self if user.is_active and user.is_staff else self.none()

    def editable_by(self, user: Any) -> ModelImportQuerySet:
        return self.visible_to(user)
