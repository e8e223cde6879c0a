"""What the machine could do at most, and what share of it the decoding loop reaches.

The roofline (Williams et al., 2009): a step takes at least as long as reading its bytes at the memory's speed, and at
least as long as its multiplications at the processor's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from xttsproject.xtts.config import GptShape
from xttsproject.xtts.projections import Precision, projection

_BYTES: dict[Precision, int] = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1}
_PROBE_NUMBERS = 100_000_000
_PROBE_ROWS = 512
_PROBE_ROW = 50
_VOICE = 32
"""Positions that a sentence begins with: its voice's, which are kept from the voice's first sentence on."""
_MARKS = 3
"""Positions beside those of the text's tokens: its start and stop, and the start of the speech."""


@dataclass(frozen=True)
class Limits:
    """Bytes that memory gives a second, and floating point operations a second of a large product by precision."""

    bandwidth: float
    flops: dict[Precision, float]


def probe(precisions: list[Precision], device: torch.device) -> Limits:
    """Measure them: the sum of 400 MB, and a product of 512 rows by a matrix of the GPT's widest kind."""
    # A GPU is done sooner than one launch and its answer take: of many in a row those count for little.
    row = 1 if device.type == "cpu" else _PROBE_ROW
    bandwidth = 4 * _PROBE_NUMBERS / _quickest(partial(torch.sum, torch.ones(_PROBE_NUMBERS, device=device)), row)
    flops: dict[Precision, float] = {}
    for precision in precisions:
        weight = torch.randn(1024, 4096)
        multiply = projection(weight, torch.zeros(4096), precision, device)
        x = torch.randn(_PROBE_ROWS, 1024, device=device)
        if device.type == "cuda":
            x = x.to({"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision])
        work = 2.0 * _PROBE_ROWS * 1024 * 4096
        flops[precision] = work / _quickest(partial(multiply, x), row)
    return Limits(bandwidth, flops)


def least_seconds(
    limits: Limits, shape: GptShape, precision: Precision, *, rows: int, tokens: int, codes: int, cpu: bool
) -> float:
    """The least that decoding ``rows`` sentences of ``tokens`` and ``codes`` each can take, of voices that have spoken
    before: each beginning by itself, then one step per code for all."""
    weights = 12 * shape.layers * shape.width**2
    weight_bytes = weights * _BYTES[precision] + 4 * shape.width * shape.audio_tokens
    # Keys and values are float32 on a processor whatever the weights are.
    column_bytes = 2 * shape.layers * shape.width * (4 if cpu else _BYTES[precision])
    beginning = tokens + _MARKS

    def bound(size: float, work: float) -> float:
        return max(size / limits.bandwidth, work / limits.flops[precision])

    begin = rows * bound(weight_bytes, 2.0 * weights * beginning)
    columns = _VOICE + beginning + codes / 2
    step = bound(weight_bytes + rows * columns * column_bytes, 2.0 * rows * weights)
    return begin + (codes - 1) * step


def _quickest(work: Callable[[], Tensor], in_a_row: int, times: int = 7) -> float:
    """Seconds that it takes once, of so many in a row."""
    best = float("inf")
    for _ in range(times):
        begun = time.perf_counter()
        for _ in range(in_a_row):
            result = work()
        # Read, so that a GPU has come to the end of it.
        result.flatten()[0].item()
        best = min(best, (time.perf_counter() - begun) / in_a_row)
    return best
