"""Who may open what starts something."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest


def require_trainer(request: HttpRequest, what: str = "a run") -> None:
    if not request.user.is_trainer:  # type: ignore[union-attr]
        raise PermissionDenied(
            f"Only trainers may start {what}; ask an administrator to add you to the group “trainer”."
        )
