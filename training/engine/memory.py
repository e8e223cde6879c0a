"""Giving back memory that can be given."""

from __future__ import annotations

import gc

import torch


def give_back() -> None:
    """Free what nothing refers to any more, on the device too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
