"""What a CUDA graph asks of work that it records, wherever it runs: the same operations at the same addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.xttsproject.xtts.looping import Counting, assert_alike, run, steps_of
from xttsproject.xtts.adapters import Adapter
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.graphs import Calling, Work
from xttsproject.xtts.loop import Decoded, SpeechLoop, Utterance

_WAITING = {"_local_scalar_dense", "is_nonzero", "nonzero", "equal", "lift_fresh", "_unique2", "masked_select"}
"""What a host waits for, or gives: neither can be recorded."""


class Trace(TorchDispatchMode):
    """The operations of some work, and what they read and write that was there before."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[object, ...]] = []
        self._given: set[int] = set()
        self._made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in _WAITING, f"{name} cannot be recorded"
        self.lines.append((name, *(self._seen(each) for each in tree_leaves((args, kwargs or {})))))
        result = func(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, Tensor) and (address := each.untyped_storage().data_ptr()) not in self._given:
                self._made.add(address)
        return result

    def _seen(self, value: object) -> object:
        if not isinstance(value, Tensor):
            return value
        address = value.untyped_storage().data_ptr()
        if address in self._made:
            return tuple(value.shape)
        self._given.add(address)
        return address, value.storage_offset(), tuple(value.shape), value.stride()


class Tracing(Calling):
    """Does what is recorded anew each time, and demands that it be the same."""

    def __init__(self) -> None:
        super().__init__()
        self.compared = 0

    def record(self, work: Work) -> Work:
        with Trace() as first:
            work()

        def again() -> None:
            with Trace() as now:
                work()
            assert now.lines == first.lines
            self.compared += 1

        return again


def test_what_is_recorded_is_the_same_each_time_at_the_same_addresses_and_waits_for_nothing(
    engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded], adapters: list[Adapter]
) -> None:
    recorder = Tracing()
    loop = SpeechLoop(engine.gpt, limit=3, recorder=recorder)
    wanted = [utterances[0], utterances[4], replace(utterances[3], adapter=adapters[1], max_codes=30), utterances[2]]
    rows = []
    for utterance in [*wanted, replace(utterances[2], adapter=adapters[0])]:
        rows.append(loop.add(utterance))
        run(loop, 3)
    run(loop)
    assert_alike([rows[0], rows[1], rows[3]], [alone[0], alone[4], alone[2]])
    assert recorder.compared > 40
    assert recorder.off == ""


def test_a_stack_that_grows_makes_what_was_recorded_unusable(
    engine: XttsEngine, utterances: list[Utterance], adapters: list[Adapter]
) -> None:
    loop = SpeechLoop(engine.gpt, limit=2, recorder=Tracing())
    for utterance in utterances[1:3]:
        loop.add(utterance)
    run(loop)
    generation = loop._cache.generation
    # In a cache that has room for all: each has a larger rank, more projections or company.
    for theirs in (adapters[:1], adapters[1:2], adapters[:2], adapters[2:]):
        wanted = [replace(utterances[2], adapter=adapter) for adapter in theirs]
        rows = [loop.add(utterance) for utterance in wanted]
        run(loop)
        assert_alike(rows, [engine.gpt.decode([utterance])[0] for utterance in wanted])
    assert loop._cache.generation == generation


def finite(tensors: Sequence[Tensor]) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def test_parked_slots_come_to_finite_values_wherever_they_are(
    engine: XttsEngine, utterances: list[Utterance], recorder: Counting
) -> None:
    loop = SpeechLoop(engine.gpt, recorder=recorder)
    rows = [loop.add(utterance) for utterance in utterances[:3]]
    run(loop, 4)
    loop.drop(rows[1])
    run(loop, 4)
    assert finite(loop._cache._keys)
    assert finite(loop._cache._values)
    assert finite([steps_of(loop)._latents])
