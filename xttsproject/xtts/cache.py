"""Keys and values of the sentences that are being spoken: one slot each, every slot at its own length."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as fn

Attention = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""A layer's number, and queries, keys and values ``(rows, heads, new, head width)`` of new positions, to what the
queries see, of the same shape. Keys and values are kept on the way."""

_BLOCK = 16
"""Columns come and are read in blocks of so many. A row's own columns then lie alike within the blocks whatever the
others' lengths are, and what is summed over them is rounded alike."""


@dataclass(frozen=True)
class Opening:
    """Keys and values, layer by layer ``(heads, length, head width)``, of the positions that several sentences begin
    with."""

    keys: Sequence[Tensor]
    values: Sequence[Tensor]
    length: int


class Openings:
    """Those that were used last, at most so many; for one thread."""

    def __init__(self, most: int):
        self._most = most
        self._kept: OrderedDict[Hashable, Opening] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, compute: Callable[[], Opening]) -> Opening:
        """The kept one, or a new one that is kept from now on."""
        opening = self._kept.get(key)
        if opening is None:
            opening = self._kept[key] = compute()
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return opening


class Cache:
    """Slots of preallocated room, the first ``n`` of which are in use; a sentence begins in a slot's column 0.

    It grows by blocks of columns and by doubling its slots; what is not yet used holds zeros. Only the first column of
    a slot that is not in use may hold anything: every sentence begins by writing it.
    """

    def __init__(self, layers: int, heads: int, head_width: int, device: torch.device, dtype: torch.dtype):
        self._size = (heads, head_width)
        self._device, self.dtype = device, dtype
        # A tensor per layer: growing then needs room for one layer twice, not for all.
        self._keys, self._values = ([self._room(0, 0) for _ in range(layers)] for _ in range(2))
        self.slots, self.columns = 0, 0
        self.generation = 0
        """Changes whenever the keys and values have moved to other addresses."""

    def reserve(self, slots: int, columns: int) -> None:
        """Have at least so much room."""
        slots = self.slots if slots <= self.slots else max(slots, 2 * self.slots)
        columns = max(self.columns, _rounded(columns))
        if (slots, columns) == (self.slots, self.columns):
            return
        self.generation += 1
        for store in (self._keys, self._values):
            for layer, old in enumerate(store):
                store[layer] = self._room(slots, columns)
                store[layer][: self.slots, :, : self.columns] = old
                del old
        self.slots, self.columns = slots, columns

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first ``length`` columns of one slot into another."""
        for store in (self._keys, self._values):
            for layer in store:
                layer[target, :, :length] = layer[source, :, :length]

    def clear(self, slot: int) -> None:
        """Forget what lies in a slot: where that are no numbers, they would reach whoever has it next."""
        for store in (self._keys, self._values):
            for layer in store:
                layer[slot] = 0

    def beginning(self, first: int, lengths: Sequence[int], openings: Sequence[Opening] = ()) -> Attention:
        """For the first positions of rows that take the slots from ``first`` on, after the ``openings`` (all of one
        length), where each row has one. All have the length of the longest one, filled up on the right: there, nothing
        of a row's own comes later that could look at it."""
        end, opened = first + len(lengths), openings[0].length if openings else 0
        columns = opened + max(lengths)
        # Each new position sees the opening, those before it and itself.
        mask = (
            torch.ones(max(lengths), columns, dtype=torch.bool, device=self._device).tril_(opened) if opened else None
        )

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            if mask is None:
                self._keys[layer][first:end, :, :columns] = key
                self._values[layer][first:end, :, :columns] = value
                return fn.scaled_dot_product_attention(query, key, value, is_causal=True)
            for slot, opening in enumerate(openings, start=first):
                self._keys[layer][slot, :, :opened] = opening.keys[layer]
                self._values[layer][slot, :, :opened] = opening.values[layer]
            keys, values = (store[layer][first:end, :, :columns] for store in (self._keys, self._values))
            keys[:, :, opened:] = key
            values[:, :, opened:] = value
            return fn.scaled_dot_product_attention(query, keys, values, attn_mask=mask)

        return attend

    def opening(self, length: int) -> Opening:
        """The first ``length`` columns of slot 0; they are not copied."""
        keys, values = ([layer[0, :, :length] for layer in store] for store in (self._keys, self._values))
        return Opening(keys, values, length)

    def following(self, positions: Tensor, longest: int) -> Attention:
        """For one new position of each of the first ``len(positions)`` slots: ``positions`` are their columns, of which
        ``longest`` is an upper bound that the host knows."""
        rows = torch.arange(len(positions), device=self._device)
        window = min(_rounded(longest + 1), self.columns)
        unseen = torch.arange(window, device=self._device)[None] > positions[:, None]
        mask = torch.zeros(unseen.shape, device=self._device, dtype=self.dtype).masked_fill_(unseen, -torch.inf)
        mask = mask[:, None, None]
        look = _look if self._device.type == "cpu" else _look_fused

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            keys, values = self._keys[layer], self._values[layer]
            keys[rows, :, positions] = key[:, :, 0]
            values[rows, :, positions] = value[:, :, 0]
            seen = slice(len(rows)), slice(None), slice(window)
            return look(query, keys[seen], values[seen], mask)

        return attend

    def _room(self, slots: int, columns: int) -> Tensor:
        # Zeros, not whatever lay there: a masked column's weight is 0, and 0 times an accidental NaN is NaN.
        heads, width = self._size
        return torch.zeros(slots, heads, columns, width, device=self._device, dtype=self.dtype)


def _look(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Attention in three products. PyTorch's own for processors gives every thread a buffer whose address is aligned or
    not, and MKL rounds by that: what a row sees would hang on which thread it falls to, and so on its company."""
    scores = (query * (1.0 / math.sqrt(query.shape[-1]))) @ keys.transpose(-1, -2)
    return scores.add_(mask).softmax(dim=-1) @ values


def _look_fused(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    return fn.scaled_dot_product_attention(query, keys, values, attn_mask=mask)


def _rounded(columns: int) -> int:
    return -(-columns // _BLOCK) * _BLOCK
