"""What the process holds, and giving back what it no longer needs."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from pathlib import Path


def keep_programs(most: int) -> None:
    """How many of the programs that oneDNN makes it keeps, unless the environment says so.

    It makes one for each kind of convolution and each length of sound, some fifty for a length of HiFi-GAN's, and keeps
    1024 unless told. Sentences have all lengths, so that most of them are never used again and only take memory, the
    more the longer the sound. It asks when it makes the first one: this comes before anything is computed.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(most))


def resident_bytes() -> int | None:
    """Memory of this process in RAM; None where /proc is not there to ask."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int:
    """The most memory in RAM that this process has had."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    except (OSError, StopIteration):
        # What a parent had before it started this process counts there, too.
        import resource

        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def give_back_memory() -> None:
    """Collect what nobody refers to any more and return it to the system, on the GPU too."""
    gc.collect()
    # Only if somebody has loaded it: importing torch to free its memory would be absurd.
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        # glibc keeps freed weights in its heap otherwise.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
