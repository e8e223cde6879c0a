"""Chance that depends on where the run is, never on how it got there.

Every random draw of a run comes from a generator seeded by the run's seed and a position (epoch, batch, purpose).
A run that was killed and goes on therefore draws what an uninterrupted one draws, and no generator's state needs to
be kept.
"""

from __future__ import annotations

import hashlib
import random


def derive(seed: int, *position: int | str) -> int:
    """A number below 2**63 for this seed and position, the same on every machine and Python."""
    name = "/".join(str(part) for part in (seed, *position))
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *position: int | str) -> random.Random:
    return random.Random(derive(seed, *position))  # noqa: S311 - reproducible draws, no secrets
