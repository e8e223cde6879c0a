"""Whose rows a person sees and may change."""

from __future__ import annotations

from typing import Any, Self, TypeVar

from django.db import models
from django.db.models.functions import Coalesce

M = TypeVar("M", bound=models.Model)


def number_of(rows: models.QuerySet[Any], relation: str, only: models.Q | None = None) -> Coalesce:
    """How many of ``rows`` point to a row of the outer query by ``relation``, for annotations; ``only`` some of them.

    Of the rows that a page shows alone: a join would count those of all before it takes a page of them, and two joins
    would count everything as often as the other has rows. ``only`` is looked at once they are found by ``relation``:
    as a condition beside it, SQLite would rather find all that have that property.
    """
    number = per_row(rows, relation, models.Count("pk", filter=only))
    return Coalesce(number, 0, output_field=models.IntegerField())


def per_row(rows: models.QuerySet[Any], relation: str, figure: models.Aggregate) -> models.Subquery:
    """The same for any ``figure``; NULL where no row points there."""
    theirs = rows.filter(**{relation: models.OuterRef("pk")}).order_by().values(relation)
    return models.Subquery(theirs.annotate(figure=figure).values("figure"))


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
