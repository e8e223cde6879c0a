"""How much memory this machine, or the container that this process is in, has and has free; and telling that it ran out
from every other error. Loads no ML library."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

# What a container may use and what it uses, by version 2 and 1 of the kernel's control groups.
GROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)

# What is said of it in a plain RuntimeError: by torch's allocator for the processor (c10/core/impl/alloc_cpu.cpp), by
# CUDA where that is not torch's own allocator, by its libraries, and by CTranslate2.
_SAID = (
    "DefaultCPUAllocator",
    "not enough memory",
    "can't allocate memory",
    "CUDA error: out of memory",
    "CUDA failed with error out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of this machine or of its device did not suffice."""
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SAID)


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
