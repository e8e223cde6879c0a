"""What a checkpoint weighs, and what it costs with its samples beside an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.engine.benchmark.material import Size, configuration
from training.engine.sizes import adapter_bytes
from training.engine.spec import LoraSpec
from xttsproject.xtts.config import GptShape, parse_config

EPOCH_SECONDS = 300.0
"""The epoch that the cost is held against."""

RELEASED = Size(1024, 30)


def overhead(cost: Sequence[float], threads: int) -> Mapping[str, Any]:
    """``cost`` is what :mod:`training.engine.benchmark.epoch_end` measured of an epoch's end.

    ``epoch_overhead`` is by the clock; ``epoch_overhead_cpu`` by the processor's own seconds, of which an epoch of that
    length has as many for every thread.
    """
    checkpoint, checkpoint_cpu, samples, samples_cpu = cost
    return {
        "epoch_overhead": round((checkpoint + samples) / EPOCH_SECONDS, 4),
        "epoch_overhead_cpu": round((checkpoint_cpu + samples_cpu) / (EPOCH_SECONDS * threads), 4),
        "checkpoint_seconds": round(checkpoint, 2),
        "samples_seconds": round(samples, 2),
        "checkpoint_cpu_seconds": round(checkpoint_cpu, 2),
        "samples_cpu_seconds": round(samples_cpu, 2),
    }


def adapter_mb(lora: LoraSpec | None = None) -> float:
    """Megabytes of a checkpoint of the released model with an adapter as it is by default."""
    return adapter_bytes(released_shape(), lora or LoraSpec()) / 1e6


def released_shape() -> GptShape:
    vocabulary = {"[STOP]": 0, "[UNK]": 1, "[SPACE]": 2, "[START]": 261, "": 6680}
    raw: dict[str, Any] = configuration(RELEASED)
    return parse_config(raw, vocabulary).gpt
