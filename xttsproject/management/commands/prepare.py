"""``manage.py prepare``: all that must stand before the portal starts. Running it again changes nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand

from datasets.services.sweeping import leftovers_sweep
from xttsproject.lib.files import atomic_path


class Command(BaseCommand):
    help = "Page parts, database, tiny models and static files: in one go, only what is missing."
    # The checks would complain of the very models that this command is about to make.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, verbosity: int, **options: Any) -> None:
        quiet = max(0, verbosity - 1)
        call_command("vendor", verbosity=verbosity)
        call_command("migrate", interactive=False, verbosity=quiet)
        call_command("models", "build", verbosity=verbosity)
        self._collect_static(quiet)
        # What a process that was killed left behind: half fetches, uploads, folders without a row.
        for path in leftovers_sweep():
            self.stdout.write(f"Removed the leftover {path.name}.")
        self.stdout.write("Ready.")

    def _collect_static(self, verbosity: int) -> None:
        """Hashing and compressing every file takes seconds, so it is done only when one has changed."""
        stamp = Path(settings.STATIC_ROOT, ".collected")
        wanted = _fingerprint()
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        call_command("collectstatic", interactive=False, clear=True, verbosity=verbosity)
        with atomic_path(stamp) as temporary:
            temporary.write_text(wanted)


def _fingerprint() -> str:
    """Changes when a static file of the project or of a package appears, goes or changes."""
    facts = []
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            facts.append(f"{name}|{status.st_size}|{status.st_mtime_ns}")
    return hashlib.sha256("\n".join(sorted(facts)).encode()).hexdigest()
