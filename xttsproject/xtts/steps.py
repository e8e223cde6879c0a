"""Steps of the speaking loop that are recorded once and then done with one call: see :mod:`xttsproject.xtts.graphs`.

What is recorded has fixed sizes and addresses, a batch has not. So a step is recorded for so many *slots* (a power of
two) and so wide a *window* of the cache's columns (a multiple of 128), and serves every batch that it has room for:

- What changes from step to step (each row's last code, its place in the speech, its column, its adapter's place and its
  luck) goes into one small tensor, in one transfer.
- Slots that nobody has are *parked*: they speak code 0 at column 0, of which each sees itself only, so that what they
  come to is finite where the model is, and lies where every sentence that comes into the slot writes first.
- Adapters lie in a stack (:mod:`xttsproject.xtts.stack`), so that a step is recorded with or without them, but not for
  each of them.
- What a row may not see of the window is masked, as it is anyhow.

What the work writes (the keys and values of one column, latents, codes) is the same if it is done twice, but for the
codes that the penalty remembers, and those can be put back. So it can be warmed up, recorded, and compared with the
ordinary step of the same rows, before it is trusted; and where it is not, the ordinary step is done after it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from xttsproject.xtts.adapters import Adapter, Shares
from xttsproject.xtts.cache import Cache
from xttsproject.xtts.graphs import Recorder, Work
from xttsproject.xtts.sampling import Chooser
from xttsproject.xtts.stack import NOBODY

if TYPE_CHECKING:
    from xttsproject.xtts.decode import GptDecoder

_WINDOW = 128
"""A window's columns: a sentence of 600 codes goes through five or six of them."""
_ROOM = 256
"""The cache grows by so many columns: each time it does, everything has to be recorded anew."""
_MOST = 64
"""Recorded steps that are kept, those that were used last."""

_TOLERANCES = {torch.float32: 1e-3, torch.float16: 0.03, torch.bfloat16: 0.1}
"""How far a row's latents may lie from those of the ordinary step, of their length. Other sizes of a batch have other
kernels, which round differently; a step that reads what it should not is far beyond."""

_CODES, _PLACES, _COLUMNS, _ADAPTERS, _LUCK = range(5)


class Standing(NamedTuple):
    """Where a row stands: the code that came last, its place in the speech, the cache's column that it goes into, the
    row's luck for the next code, and its adapter."""

    code: int
    place: int
    column: int
    luck: float
    adapter: Adapter | None


class _Key(NamedTuple):
    slots: int
    window: int
    adapted: bool
    widest: int


class Steps:
    """Of one loop, whose rows have the first slots of ``cache`` and of ``chooser``; at most ``limit`` of them."""

    def __init__(self, decoder: GptDecoder, cache: Cache, chooser: Chooser, limit: int, recorder: Recorder):
        self._decoder, self._cache, self._chooser = decoder, cache, chooser
        self._limit, self._recorder = limit, recorder
        self._stack = decoder.new_stack()
        self._recorded: OrderedDict[_Key, Work] = OrderedDict()
        self._stamp = (0, 0)
        # Whole numbers of 64 bits; the luck is a float of 64 bits in their place. The host's side is pinned, so that
        # the transfer need not be waited for: every step ends by reading its codes, after which it is free again.
        pinned = decoder.device.type == "cuda"
        self._told = torch.zeros(5, limit, dtype=torch.long, pin_memory=pinned)
        self._inputs = torch.zeros(5, limit, dtype=torch.long, device=decoder.device)
        self._latents = torch.zeros(limit, decoder.shape.width, device=decoder.device)
        self._codes = torch.zeros(limit, dtype=torch.long, device=decoder.device)

    def __len__(self) -> int:
        """Recorded steps."""
        return len(self._recorded)

    @property
    def off(self) -> bool:
        """Whether nothing is recorded any more."""
        return bool(self._recorder.off)

    def reserve(self, slots: int, columns: int) -> None:
        """Have room in the cache for so many rows of so many columns, parked ones included."""
        self._cache.reserve(self._slots(slots), -(-columns // _ROOM) * _ROOM)

    def run(self, rows: Sequence[Standing], ordinary: Callable[[], Tensor]) -> tuple[Tensor, Tensor] | None:
        """Latents ``(rows, width)`` in float32 and the next codes ``(rows,)``, which are to be read before the next
        step; None where this step cannot be recorded, and has to be done in the ordinary way.

        ``ordinary`` does it so, and returns the latents: the first time they are compared.
        """
        try:
            places = self._stack.places([row.adapter for row in rows])
        except RuntimeError as error:
            self._give_up(f"there was no room for adapters ({error})")
            return None
        if places is None:
            return None
        stamp = self._cache.generation, self._stack.generation
        if stamp != self._stamp:
            # What was recorded reads addresses at which something else lies now.
            self._recorded.clear()
            self._stamp = stamp
        key = self._key(rows)
        work = self._recorded.get(key)
        if work is not None:
            self._tell(rows, places)
            work()
        else:
            work = self._first(key, rows, places, ordinary())
            if work is None:
                return None
        self._recorded[key] = work
        self._recorded.move_to_end(key)
        if len(self._recorded) > _MOST:
            self._recorded.popitem(last=False)
        return self._latents[: len(rows)].clone(), self._codes[: len(rows)]

    def _first(self, key: _Key, rows: Sequence[Standing], places: Sequence[int], expected: Tensor) -> Work | None:
        """Record a step and do it, if it comes to what is ``expected``."""
        self._tell(rows, places)
        memory = self._chooser.memory()
        try:
            work = self._recorder.record(self._work(key))
            self._chooser.recall(memory)
            # What the warm-up left there is right, and must not be taken for what was recorded.
            self._latents[: key.slots] = torch.nan
            work()
            alike = _alike(self._latents[: len(rows)], expected, _TOLERANCES[self._cache.dtype])
        except RuntimeError as error:
            self._give_up(f"a step could not be recorded ({error})")
        else:
            if alike:
                return work
            self._give_up(
                f"a step recorded for {key.slots} sentences and {key.window} columns came to other values than the "
                f"same step in the ordinary way"
            )
        self._chooser.recall(memory)
        return None

    def _give_up(self, reason: str) -> None:
        self._recorder.give_up(reason)
        self._recorded.clear()

    def _slots(self, rows: int) -> int:
        return min(1 << (rows - 1).bit_length(), self._limit)

    def _key(self, rows: Sequence[Standing]) -> _Key:
        longest = max(row.column for row in rows) + 1
        window = min(-(-longest // _WINDOW) * _WINDOW, self._cache.columns)
        adapted = any(row.adapter is not None for row in rows)
        return _Key(self._slots(len(rows)), window, adapted, self._chooser.widest)

    def _tell(self, rows: Sequence[Standing], places: Sequence[int]) -> None:
        """One transfer of what the recorded work reads."""
        told, count = self._told, len(rows)
        told.zero_()
        told[_ADAPTERS] = NOBODY
        told[:_LUCK, :count] = torch.tensor(
            [
                [row.code for row in rows],
                [row.place for row in rows],
                [row.column for row in rows],
                list(places),
            ]
        )
        told[_LUCK].view(torch.float64)[:count] = torch.tensor([row.luck for row in rows], dtype=torch.float64)
        self._inputs.copy_(told, non_blocking=True)

    def _work(self, key: _Key) -> Work:
        """What is recorded. It holds what it reads, and not this object: both go when the loop does."""
        decoder, cache, chooser, stack = self._decoder, self._cache, self._chooser, self._stack
        codes, places, columns, adapters, luck = (self._inputs[row, : key.slots] for row in range(5))
        luck = luck.view(torch.float64)
        latents, chosen = self._latents[: key.slots], self._codes[: key.slots]

        def work() -> None:
            shares = stack.at(adapters) if key.adapted else Shares()
            x = decoder.embed_there(codes, places)
            hidden = decoder.run_step_there(x, cache, columns, key.window - 1, shares)
            latents.copy_(decoder.normed(hidden))
            chosen.copy_(chooser.choose_there(decoder.logits(latents), luck, key.widest))

        return work


def _alike(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Whether all rows are; those that the ordinary step loses are not looked at."""
    lost = ~expected.isfinite().all(dim=-1)
    near = (found - expected).norm(dim=-1) <= tolerance * expected.norm(dim=-1)
    return bool((near | lost).all())
