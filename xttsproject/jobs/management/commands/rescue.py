"""``manage.py rescue``: watch over the workers from outside, so that busy ones cannot keep a lost job waiting."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections

from xttsproject.jobs.registry import all_housekeeping
from xttsproject.jobs.services import jobs_rescue

logger = logging.getLogger(__name__)

LOOK_SECONDS = 15
SWEEP_SECONDS = 3600


class Command(BaseCommand):
    help = (
        "Give jobs whose worker died to another, and every hour clear away the files that dead processes left; for "
        "ever or once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="look once and end")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        swept_at: float | None = None
        while True:
            close_old_connections()
            try:
                found = jobs_rescue()
            except DatabaseError:
                logger.exception("Lost jobs could not be looked for; the next look may get through.")
                found = 0
            removed = 0
            if swept_at is None or time.monotonic() - swept_at >= SWEEP_SECONDS:
                swept_at = time.monotonic()
                removed = _sweep()
            if once:
                self.stdout.write(f"{found} jobs rescued, {removed} leftovers removed.")
                return
            time.sleep(LOOK_SECONDS)


def _sweep() -> int:
    """One app's trouble must not keep the others' files, nor the lost jobs, waiting."""
    removed = 0
    for name, sweep in all_housekeeping():
        try:
            count = sweep()
        except Exception:
            logger.exception("The leftovers of %s could not be cleared away; the next look may get through.", name)
        else:
            if count:
                logger.info("Removed %s leftovers of %s.", count, name)
            removed += count
    return removed
