"""Narrowing lists by things that have an owner."""

from __future__ import annotations

from functools import partial
from typing import Any

import django_filters
from django.db import models


class VisibleFilter(django_filters.ModelChoiceFilter):
    """Narrows by a row of ``model``, of those that the person sees.

    Somebody else's private row is as unknown here as one that does not exist.
    """

    def __init__(self, model: type[models.Model], **options: Any):
        super().__init__(queryset=partial(_visible, model), **options)


def _visible(model: type[models.Model], request: Any) -> Any:
    rows: Any = model._default_manager
    return rows.visible_to(request.user) if request else rows.none()
