"""What people call their runs and sweeps: a name is there, fits, and each person gives it once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from xttsproject.lib.errors import DomainError

if TYPE_CHECKING:
    from training.models import Sweep, TrainingRun


def name_require(*, name: str, what: str, longest: int) -> str:
    """The name without spaces around it; DomainError ``name_missing`` where none is left or it is too long."""
    name = name.strip()
    if not 1 <= len(name) <= longest:
        raise DomainError(
            "name_missing",
            f"A {what} needs a name of 1 to {longest} characters; this one has {len(name)}.",
            field="name",
        )
    return name


def name_save(*, row: Sweep | TrainingRun, what: str) -> None:
    """Write a new row; DomainError ``duplicate`` where its owner has one of that name.

    The database decides, so that a second click at the same moment starts nothing.
    """
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise DomainError(
            "duplicate", f"You already have a {what} named “{row.name}”; choose another name.", field="name"
        ) from None
