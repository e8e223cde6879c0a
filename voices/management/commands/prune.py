"""``manage.py prune``: delete speech that is past its time or its room, now instead of within the hour."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.template.defaultfilters import filesizeformat

from voices.services.converting import converted_prune
from voices.services.pruning import speech_prune


class Command(BaseCommand):
    help = (
        "Delete speech beyond SPEECH_KEEP_DAYS and SPEECH_KEEP_GB, the oldest first, and what is kept of it in other "
        "forms beyond a day or SPEECH_CONVERTED_MB; `rescue` does so every hour."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        done = speech_prune(dry_run=dry_run)
        forms, size = converted_prune(dry_run=dry_run)
        verb = "would be deleted" if dry_run else "deleted"
        days, gb = settings.SPEECH_KEEP_DAYS, settings.SPEECH_KEEP_GB
        self.stdout.write(
            f"{done.aged} older than {days} days, {done.crowded} beyond {gb} GB and {done.unknown} unfinished {verb}: "
            f"{filesizeformat(done.bytes)}. 0 days or GB mean no limit. "
            f"{forms} files of speech in other forms {verb}: {filesizeformat(size)}."
        )
