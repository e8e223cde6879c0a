"""How large a checkpoint is, reckoned from the model's shapes before there is one. Imports no ML library."""

from __future__ import annotations

from training.engine.spec import LoraSpec
from xttsproject.xtts.config import GptShape
from xttsproject.xtts.shapes import gpt_shapes

FLOAT_BYTES = 4
"""Adapters are written in float32, whatever precision they were trained in."""


def adapter_parameters(shape: GptShape, lora: LoraSpec) -> int:
    """Numbers in a LoRA adapter: every targeted projection of ``inputs x outputs`` gets ``rank`` of each."""
    return sum(
        lora.rank * sum(size)
        for name, size in gpt_shapes(shape).items()
        if name.startswith("gpt.h.") and name.split(".")[-2:] in [[target, "weight"] for target in lora.targets]
    )


def adapter_bytes(shape: GptShape, lora: LoraSpec) -> int:
    """Bytes of a checkpoint's weights, but for the few kilobytes of names in front of them."""
    return FLOAT_BYTES * adapter_parameters(shape, lora)


def state_bytes(shape: GptShape, lora: LoraSpec) -> int:
    """Bytes of the file from which a run goes on: the adapter and AdamW's two moments of it."""
    return 3 * adapter_bytes(shape, lora)
