"""``manage.py rescue``: watch over the workers from outside, so that busy ones cannot keep a lost job waiting."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections

from xttsproject.jobs.services import jobs_rescue

logger = logging.getLogger(__name__)

LOOK_SECONDS = 15


class Command(BaseCommand):
    help = "Give jobs whose worker died to another, for ever or once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="look once and end")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        while True:
            close_old_connections()
            try:
                found = jobs_rescue()
            except DatabaseError:
                logger.exception("Lost jobs could not be looked for; the next look may get through.")
                found = 0
            if once:
                self.stdout.write(f"{found} jobs rescued.")
                return
            time.sleep(LOOK_SECONDS)
