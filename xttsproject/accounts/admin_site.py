"""The admin, open to curators and trainers without making them staff."""

from django.http import HttpRequest
from unfold.sites import UnfoldAdminSite


class PortalAdminSite(UnfoldAdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        if not user.is_active or not user.is_authenticated:
            return False
        return user.is_staff or user.is_curator or user.is_trainer
