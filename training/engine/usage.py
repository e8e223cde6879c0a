"""How much memory a run takes: of its CUDA device or, on a processor, of the machine."""

from __future__ import annotations

import resource
from dataclasses import dataclass

import psutil
import torch

from xttsproject.lib.memory import free_bytes, total_bytes


@dataclass(frozen=True)
class Usage:
    """Bytes; ``peak`` is the most since the process was started.

    On a CUDA device they are those of tensors (what the allocator keeps in reserve besides is not counted), on a
    processor the process's resident set. ``total`` is what the device, or the machine or container, has in all.
    """

    device: str
    used: int
    peak: int
    total: int


ROOM = 0.25
"""Of a device's memory that has to stay free while something is kept in it only to save time."""


def has_room(device: torch.device) -> bool:
    """Whether what is kept on ``device`` only to save time may stay there."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        # What the allocator keeps in reserve is there to be used again.
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free >= ROOM * total
    return free_bytes() >= ROOM * total_bytes()


def measure(device: torch.device) -> Usage:
    """What this process takes of ``device`` now. Costs some microseconds and waits for nothing on the device."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        return Usage(str(device), torch.cuda.memory_allocated(device), torch.cuda.max_memory_allocated(device), total)
    used = psutil.Process().memory_info().rss
    # Linux counts the peak in KiB (getrusage(2)), and less often than the resident set.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Usage(str(device), used, max(used, peak), total_bytes())
