"""What the standard library has no name for with generators."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")


def drained(generator: Generator[object, None, T]) -> T:
    """What it returns, once it has given all that it yields."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            value: T = end.value
            return value
