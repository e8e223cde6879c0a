"""Adapters of a batch one beside the other in tensors that stay where they are, so that a recorded step can read them.

Every row is multiplied with all of them, and what is not its own is set to zero between the two factors: two matrix
products for a projection whoever is in the batch, each factor read once (after Chen et al., 2023, "Punica", and Sheng
et al., 2023, "S-LoRA", which gather each row's own instead).
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as fn

from xttsproject.xtts.adapters import Adapter

NOBODY = -1
"""The place of a row without an adapter."""

_MOST = 8
"""Different adapters of one batch; one more, and its steps are not recorded. Of rank 16 at the released size each takes
31 MB in float32."""

_RANKS = 8
"""Ranks are rounded up to a multiple of it."""


class Stack:
    """At most so many adapters, the least recently used leaving for others. An adapter that nobody else holds is not
    kept, but for its numbers, until another takes its place."""

    def __init__(self, device: torch.device, dtype: torch.dtype):
        self._device, self._dtype = device, dtype
        # By the projection's name: A (room · rank, inputs) and B (outputs, room · rank).
        self._factors: dict[str, tuple[Tensor, Tensor]] = {}
        self._rank, self._room = 0, 0
        self._places: OrderedDict[weakref.ref[Adapter], int] = OrderedDict()
        self._damaged: weakref.WeakSet[Adapter] = weakref.WeakSet()
        self.generation = 0
        """Changes whenever the factors have moved to other addresses."""

    def places(self, adapters: Sequence[Adapter | None]) -> list[int] | None:
        """Where each one lies, having been put there if need be. None where they are too many, or one of them holds
        values that are no finite numbers: those would reach the rows of others, a zero of which does not cancel them.
        """
        wanted = {weakref.ref(adapter): adapter for adapter in adapters if adapter is not None}
        if len(wanted) > _MOST or not self._damaged.isdisjoint(wanted.values()):
            return None
        for key, adapter in wanted.items():
            if key in self._places:
                self._places.move_to_end(key)
            elif not self._put(key, adapter, wanted):
                return None
        return [NOBODY if adapter is None else self._places[weakref.ref(adapter)] for adapter in adapters]

    def at(self, places: Tensor) -> StackShares:
        """For rows whose adapters lie at ``places`` ``(rows,)``."""
        owners = torch.arange(self._room * self._rank, device=self._device) // self._rank
        return StackShares(self._factors, (owners != places[:, None])[:, None])

    def _put(self, key: weakref.ref[Adapter], adapter: Adapter, wanted: dict[weakref.ref[Adapter], Adapter]) -> bool:
        # Asked once, not of each: every answer would have to be waited for.
        if not bool(torch.stack([part.isfinite().all() for pair in adapter.factors.values() for part in pair]).all()):
            self._damaged.add(adapter)
            return False
        self._let_go(wanted)
        free = set(range(self._room)).difference(self._places.values())
        fits = adapter.factors.keys() <= self._factors.keys() and _rank([adapter]) <= self._rank
        if fits and free:
            self._write(key, adapter, min(free))
            return True
        staying = {each: there for each in self._places if (there := each()) is not None}
        self._build({**staying, key: adapter})
        return True

    def _let_go(self, wanted: dict[weakref.ref[Adapter], Adapter]) -> None:
        """Have no dead ones, and a place free below the limit."""
        for key in [key for key in self._places if key() is None]:
            del self._places[key]
        if len(self._places) >= _MOST:
            del self._places[next(key for key in self._places if key not in wanted)]

    def _build(self, adapters: dict[weakref.ref[Adapter], Adapter]) -> None:
        """Room for these, by doubling, for ranks and projections of all that have been here."""
        self.generation += 1
        room = max(self._room, 1 << (len(adapters) - 1).bit_length())
        rank = max(self._rank, _rank(adapters.values()))
        sizes = {name: (pair[0].shape[1], pair[1].shape[0]) for name, pair in self._factors.items()}
        for adapter in adapters.values():
            sizes.update({name: (pair[0].shape[1], pair[1].shape[0]) for name, pair in adapter.factors.items()})
        # Before the new ones are made: there need not be room for both.
        self._factors = {}
        self._factors = {
            name: (self._zeros(room * rank, inputs), self._zeros(outputs, room * rank))
            for name, (inputs, outputs) in sizes.items()
        }
        self._room, self._rank = room, rank
        self._places.clear()
        for place, (key, adapter) in enumerate(adapters.items()):
            self._write(key, adapter, place)

    def _write(self, key: weakref.ref[Adapter], adapter: Adapter, place: int) -> None:
        start = place * self._rank
        for name, (first, second) in self._factors.items():
            # All of the place, so that nothing is left of whoever had it before.
            first[start : start + self._rank] = 0
            second[:, start : start + self._rank] = 0
            if (pair := adapter.factors.get(name)) is not None:
                first[start : start + len(pair[0])] = pair[0]
                second[:, start : start + len(pair[0])] = pair[1]
        self._places[key] = place

    def _zeros(self, *size: int) -> Tensor:
        return torch.zeros(*size, device=self._device, dtype=self._dtype)


class StackShares:
    """Adapters of a stack, each for the rows of its own; see :class:`~xttsproject.xtts.adapters.Added`."""

    def __init__(self, factors: dict[str, tuple[Tensor, Tensor]], others: Tensor):
        """``others`` ``(rows, 1, room · rank)`` is true where a factor is not the row's own."""
        self._factors, self._others = factors, others

    def add(self, name: str, x: Tensor, product: Tensor) -> Tensor:
        pair = self._factors.get(name)
        if pair is None:
            return product
        # Filled, not multiplied by zero: what another's factor makes of this row may be infinite.
        own = fn.linear(x, pair[0]).masked_fill(self._others, 0.0)
        return product.add_(fn.linear(own, pair[1]))


def _rank(adapters: Iterable[Adapter]) -> int:
    """The largest, rounded up."""
    largest = max((len(first) for adapter in adapters for first, _ in adapter.factors.values()), default=1)
    return -(-largest // _RANKS) * _RANKS
