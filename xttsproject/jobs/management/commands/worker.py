"""``manage.py worker cpu|gpu|speech``: rescue what the last cluster left behind, then work."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connections

from xttsproject.jobs.choices import Queue
from xttsproject.jobs.services import jobs_rescue, jobs_resend


class Command(BaseCommand):
    help = "Run the workers of one queue."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queue", choices=Queue.values)

    def handle(self, *args: Any, queue: str, **options: Any) -> None:
        jobs_rescue()
        jobs_resend(queue=queue)
        connections.close_all()
        # django-q reads its cluster's name once, when it is first imported, and that has happened in this
        # process already. So the cluster takes this process's place.
        environment = {**os.environ, "Q_CLUSTER_NAME": queue}
        os.execve(sys.executable, [sys.executable, sys.argv[0], "qcluster"], environment)
