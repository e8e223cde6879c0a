from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.db.models.signals import post_migrate


class VoicesConfig(AppConfig):
    name = "voices"
    verbose_name = "Voices and speech"

    def ready(self) -> None:
        post_migrate.connect(_after_migrating, sender=self, dispatch_uid="voices.ensure_profiles")


def _after_migrating(apps: Any = installed, **_: Any) -> None:
    # A database that was emptied sends the signal too, without the apps of a state of migrations.
    try:
        apps.get_model("voices", "QualityProfile")
    except LookupError:
        # Migrated back to before there were profiles.
        return
    from voices.services.profiles import ensure_profiles

    ensure_profiles()
