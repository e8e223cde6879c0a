"""``manage.py benchmark NAME``: measure a part of the product; the last line that it prints is one JSON object."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import autodiscover_modules

from xttsproject.lib.benchmarks import Benchmark, benchmarks
from xttsproject.lib.errors import DomainError


class Command(BaseCommand):
    help = "Measures a part of the product and prints a JSON object as its last line."
    # A database or a model that is missing is no reason not to measure another part.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        autodiscover_modules("benchmarks")
        names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
        for benchmark in benchmarks():
            benchmark.arguments(names.add_parser(benchmark.name, help=benchmark.summary))

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        chosen: Benchmark = next(benchmark for benchmark in benchmarks() if benchmark.name == name)
        try:
            measured = chosen.run(options, self._say)
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(json.dumps({"benchmark": name, **measured}, ensure_ascii=False))

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
