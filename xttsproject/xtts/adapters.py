"""LoRA adapters beside resident weights: voices fine-tuned on one base model share its weights, and a loop.

Merged into the weights (:func:`xttsproject.xtts.weights.apply_adapter`), every adapter is a copy of the whole model.
Beside them (Hu et al., 2021, https://arxiv.org/abs/2106.09685: ``W x + B (A x)``) it is a hundredth of that, and the
rows of a batch can have different ones (Chen et al., 2023, "Punica: Multi-Tenant LoRA Serving").
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as fn

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.checkpoints import is_full
from xttsproject.xtts.config import GptShape
from xttsproject.xtts.shapes import gpt_shapes
from xttsproject.xtts.weights import adapter_scale, adapter_settings, adapter_tensors

_FACTOR = re.compile(
    r"base_model\.model\.(gpt\.h\.\d+\.(?:attn\.c_attn|attn\.c_proj|mlp\.c_fc|mlp\.c_proj))\.lora_([AB])\.weight"
)


class Added(Protocol):
    """What the rows of a batch have beside the weights that they share."""

    def add(self, name: str, x: Tensor, product: Tensor) -> Tensor:
        """``product``, the projection of ``x`` ``(rows, new, inputs)``, with what each row's adapter adds to it."""
        ...


@dataclass(frozen=True, eq=False)
class Adapter:
    """What fine-tuning adds to the projections that it was put on: by the projection's name (``gpt.h.0.attn.c_attn``),
    ``A`` ``(rank, inputs)`` and ``B`` ``(outputs, rank)``, the scale in it."""

    factors: Mapping[str, tuple[Tensor, Tensor]] = field(repr=False)

    @property
    def bytes(self) -> int:
        return sum(part.nbytes for pair in self.factors.values() for part in pair)

    def added(self, name: str, x: Tensor) -> Tensor | None:
        """What is added to the projection of ``x``; None where this adapter leaves it as it is."""
        pair = self.factors.get(name)
        if pair is None:
            return None
        first, second = pair
        if x.shape[1] == 1 and x.device.type == "cpu":
            # A product for each row: one for all is rounded by how many there are, and so by a sentence's company.
            rows = len(x)
            return torch.bmm(torch.bmm(x, first.t().expand(rows, -1, -1)), second.t().expand(rows, -1, -1))
        return fn.linear(fn.linear(x, first), second)


@dataclass(frozen=True)
class Shares:
    """Which rows of a batch have which adapter; rows that none of them names have none."""

    rows: Sequence[tuple[slice | Tensor, Adapter]] = ()

    @classmethod
    def of(cls, adapters: Sequence[Adapter | None], device: torch.device) -> Shares:
        """Of one adapter, or None, for each row."""
        different = {id(adapter): adapter for adapter in adapters}
        if len(different) == 1:
            [adapter] = different.values()
            return cls([(slice(None), adapter)] if adapter is not None else [])
        shares: list[tuple[slice | Tensor, Adapter]] = []
        for adapter in different.values():
            if adapter is not None:
                own = [row for row, each in enumerate(adapters) if each is adapter]
                shares.append((torch.tensor(own, device=device), adapter))
        return cls(shares)

    def add(self, name: str, x: Tensor, product: Tensor) -> Tensor:
        """See :class:`Added`."""
        for rows, adapter in self.rows:
            added = adapter.added(name, x[rows])
            if added is not None:
                product[rows] += added
        return product


def read_adapter(path: Path, shape: GptShape, device: torch.device, dtype: torch.dtype) -> Adapter | None:
    """A LoRA adapter's folder as factors; None where it holds more than those (whole tensors, or the whole model), so
    that it has to be merged.

    Raises :class:`DomainError` ``adapter_missing``, ``adapter_damaged`` or ``adapter_mismatch``.
    """
    if is_full(path):
        return None
    settings, tensors = adapter_settings(path), adapter_tensors(path)
    found: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        told = _FACTOR.fullmatch(name)
        if told is None:
            return None
        found.setdefault(told[1], {})[told[2]] = value
    if not found:
        raise DomainError("adapter_damaged", f"The adapter {path.name} holds no weights.")
    expected = gpt_shapes(shape)
    factors = {}
    for target, pair in found.items():
        if set(pair) != {"A", "B"}:
            raise DomainError("adapter_damaged", f"The adapter {path.name} has only half of {target}.")
        first, second = pair["A"].float(), pair["B"].float()
        if not settings.get("fan_in_fan_out"):
            # Kept for weights of [out, in]: turned round, B·A is A'·B' with the factors in each other's place.
            first, second = second.t(), first.t()
        sizes = (first.shape[1], second.shape[0]) if first.shape[0] == second.shape[1] else None
        if sizes != expected.get(f"{target}.weight"):
            raise DomainError(
                "adapter_mismatch",
                f"The adapter {path.name} is for another model: {target} is {sizes} there, "
                f"{expected.get(f'{target}.weight')} here.",
            )
        scaled = second * adapter_scale(settings, first.shape[0])
        factors[target] = first.to(device, dtype).contiguous(), scaled.to(device, dtype).contiguous()
    return Adapter(factors)
