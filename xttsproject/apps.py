"""The project package as a Django app: its checks, its admin site, its template tags."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PortalConfig(AppConfig):
    name = "xttsproject"
    label = "portal"
    verbose_name = "Portal"

    def ready(self) -> None:
        from xttsproject import checks  # noqa: F401  (registers the system checks)


class PortalAdminConfig(AdminConfig):
    default_site = "xttsproject.accounts.admin_site.PortalAdminSite"
