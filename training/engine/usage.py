"""How much memory a run takes: of its CUDA device or, on a processor, of the machine."""

from __future__ import annotations

import resource
from dataclasses import dataclass

import psutil
import torch

from xttsproject.lib.memory import total_bytes


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


def measure(device: torch.device) -> Usage:
    """What this process takes of ``device`` now. Costs some microseconds and waits for nothing on the device."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        return Usage(str(device), torch.cuda.memory_allocated(device), torch.cuda.max_memory_allocated(device), total)
    used = psutil.Process().memory_info().rss
    # Linux counts the peak in KiB (getrusage(2)), and less often than the resident set.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Usage(str(device), used, max(used, peak), total_bytes())
