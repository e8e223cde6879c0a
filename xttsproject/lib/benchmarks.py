"""The benchmarks there are: each app's ``benchmarks.py`` adds its own, and ``manage.py benchmark`` runs them by name.

Importing this, or a module that adds one, loads no ML library: that is for :attr:`Benchmark.run`.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Log = Callable[[str], None]


@dataclass(frozen=True)
class Benchmark:
    """``run`` takes the command's options and a function that shows a line, and returns what it measured, as JSON
    values. ``arguments`` adds the benchmark's own options to the command.
    """

    name: str
    summary: str
    run: Callable[[Mapping[str, Any], Log], Mapping[str, Any]]
    arguments: Callable[[ArgumentParser], None] = lambda parser: None


_known: dict[str, Benchmark] = {}


def add_benchmark(benchmark: Benchmark) -> None:
    """Make a benchmark known by its name. Raises ValueError where another one has it."""
    if _known.setdefault(benchmark.name, benchmark) is not benchmark:
        raise ValueError(f"Two benchmarks are named {benchmark.name!r}.")


def benchmarks() -> tuple[Benchmark, ...]:
    """All that were added, by name."""
    return tuple(_known[name] for name in sorted(_known))
