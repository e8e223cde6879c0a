"""Which arithmetic a run computes in where its spec leaves the choice to the machine."""

from __future__ import annotations

import torch

from training.engine.spec import AUTO
from xttsproject.xtts.projections import multiplies_bf16

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""What autocast computes in; fp32 stands for no autocast."""


def resolve(wanted: str, device: torch.device) -> str:
    """``wanted``, or for ``auto``: bf16 where the device multiplies in it (AMX or AVX512-BF16 in a processor, Ampere or
    later among GPUs), fp32 elsewhere. Emulated bf16 would be slower than fp32, so it does not count.
    """
    if wanted != AUTO:
        return wanted
    return "bf16" if multiplies_bf16(device) else "fp32"
