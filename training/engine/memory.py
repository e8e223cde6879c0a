"""Telling that memory ran out from every other error, and giving back what can be given."""

from __future__ import annotations

import gc

import torch

# What torch's allocator for the processor says (c10/core/impl/alloc_cpu.cpp); it raises a plain RuntimeError.
_SAID = ("DefaultCPUAllocator", "not enough memory", "can't allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SAID)


def give_back() -> None:
    """Free what nothing refers to any more, on the device too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
