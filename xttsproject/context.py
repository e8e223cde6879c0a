"""What every page's template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from xttsproject.jobs.models import Job


def portal(request: HttpRequest) -> dict[str, Any]:
    """``active_jobs``: how many of the person's jobs wait or run. Asked of the database only where a page shows it."""
    user = getattr(request, "user", None)

    def active_jobs() -> int:
        return Job.objects.visible_to(user).active().count() if user and user.is_authenticated else 0

    return {
        "active_jobs": SimpleLazyObject(active_jobs),
        "tensorboard_url": settings.TENSORBOARD_URL,
        "allow_signup": settings.ALLOW_SIGNUP,
    }
