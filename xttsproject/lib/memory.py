"""How much memory this machine, or the container that this process is in, has and has free."""

from __future__ import annotations

from pathlib import Path

import psutil

# What a container may use and what it uses, by version 2 and 1 of the kernel's control groups.
GROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


def total_bytes() -> int:
    """Of the machine, or what the container may use where that is less."""
    return min([psutil.virtual_memory().total, *(limit for limit, _ in _limits())])


def free_bytes() -> int:
    """What can be had without swapping; in a container no more than its limit leaves. What the kernel keeps of files
    counts as used there, so there may be more."""
    return max(min([psutil.virtual_memory().available, *(limit - used for limit, used in _limits())]), 0)


def _limits() -> list[tuple[int, int]]:
    found = []
    for limit, used in GROUPS:
        most = _number(limit)
        if most:
            found.append((most, _number(used) or 0))
    return found


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        # Not this version, or "max": no limit.
        return None
