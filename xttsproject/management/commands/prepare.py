"""``manage.py prepare``: all that must stand before the portal starts. Running it again changes nothing."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Page parts, database, tiny models and static files: in one go, only what is missing."

    def handle(self, *args: Any, verbosity: int, **options: Any) -> None:
        quiet = max(0, verbosity - 1)
        call_command("vendor", verbosity=verbosity)
        call_command("migrate", interactive=False, verbosity=quiet)
        call_command("models", "build", verbosity=verbosity)
        call_command("collectstatic", interactive=False, verbosity=quiet)
        self.stdout.write("Ready.")
