"""The admin, open to curators and trainers without making them staff."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.http import HttpRequest, HttpResponse
from unfold.sites import UnfoldAdminSite


class PortalAdminSite(UnfoldAdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        if not user.is_active or not user.is_authenticated:
            return False
        return user.is_staff or user.is_curator or user.is_trainer

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The portal's own sign-in: a second door would know neither its second factor nor its rate limits."""
        response: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return response
