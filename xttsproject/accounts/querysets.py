"""Whose rows a person sees and may change."""

from __future__ import annotations

from typing import Any, Self, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


class OwnedQuerySet(models.QuerySet[M]):
    """Reads of anything that has an owner, directly or through ``owner_path``.

    A private object belongs to its owner. One shared with the team is seen by everybody who signs in and changed
    by the group that works on such things. An administrator sees and changes all.
    """

    owner_path = ""
    editors: str | None = None
    """Name of the group that may change what is shared with the team; None: nobody but the owner."""

    def visible_to(self, user: Any) -> Self:
        if user.is_superuser:
            return self
        if not user.is_authenticated:
            return self.none()
        return self.filter(self._owned(user) | self._shared())

    def editable_by(self, user: Any) -> Self:
        if user.is_superuser:
            return self
        if not user.is_authenticated:
            return self.none()
        if self.editors and user.in_group(self.editors):
            return self.filter(self._owned(user) | self._shared())
        return self.filter(self._owned(user))

    def _owned(self, user: Any) -> models.Q:
        return models.Q(**{f"{self.owner_path}owner": user})

    def _shared(self) -> models.Q:
        return models.Q(**{f"{self.owner_path}visibility": "team"})
