"""``manage.py tensorboard``: the curves of all runs, where TENSORBOARD_URL says that users find them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from xttsproject.lib.tensorboard import path_prefix


def arguments(runs: Path, host: str, port: int, address: str) -> list[str]:
    """The program's command line. Behind a proxy it answers under the path that its users ask for."""
    chosen = ["--logdir", str(runs), "--host", host, "--port", str(port)]
    prefix = path_prefix(address)
    return [sys.executable, "-m", "tensorboard.main", *chosen, *(["--path_prefix", prefix] if prefix else [])]


class Command(BaseCommand):
    help = "Serve the curves of all training runs by TensorBoard."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.TENSORBOARD_HOST)
        parser.add_argument("--port", type=int, default=settings.TENSORBOARD_PORT)

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        settings.RUNS_DIR.mkdir(parents=True, exist_ok=True)
        command = arguments(settings.RUNS_DIR, host, port, settings.TENSORBOARD_URL)
        # It takes this process's place, so that whoever started this ends that.
        os.execv(command[0], command)
