"""One run in several processes, a device each: what they agree on, and what they add up.

Every process (rank) has the whole model and a share of each batch's clips. Gradients are summed here, after the
backward pass, and not by DistributedDataParallel within it: a rank whose memory runs out, whose loss is no number or
that is to stop says so before anybody waits for its gradients, so that all do the same; a rank may have no clip of a
small last batch; and no second copy of the gradients is held. What is lost is the overlap with the backward pass, which
for adapters of some MB is nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, distributed, nn

from training.engine.several import PeerFailed
from xttsproject.lib.errors import Cancelled
from xttsproject.lib.memory import is_out_of_memory

LOSSES = 2
"""Text and mel: what a message between the ranks begins with."""

BUCKET = 16 * 1024 * 1024
"""So many numbers of gradients at most are sent as one."""


class Ranks:
    """``count`` processes, of which this one is number ``index``; number 0 alone writes. With one, nothing is sent."""

    def __init__(self, accelerator: Accelerator):
        self.count: int = accelerator.num_processes
        self.index: int = accelerator.process_index
        self._device = accelerator.device

    @property
    def is_main(self) -> bool:
        return self.index == 0

    def mine(self, pieces: Iterable[slice]) -> Iterator[tuple[int, slice]]:
        """The pieces of a batch that fall to this rank, each with its place among all."""
        for place, piece in enumerate(pieces):
            if place % self.count == self.index:
                yield place, piece

    def together(self, work: Callable[[], Tensor]) -> Tensor | None:
        """The two losses that ``work`` gives (float64, on the CPU), summed over all ranks; None if memory ran out on
        any of them.

        What one raises ends it on all: Cancelled as Cancelled, anything else as itself there and as
        :class:`~training.engine.several.PeerFailed` elsewhere. ``work`` itself must not wait for other ranks.
        """
        found: Tensor | None = None
        wrong: Exception | None = None
        short = stopped = False
        try:
            found = work()
        except Exception as error:
            if is_out_of_memory(error):
                short = True
            elif self.count == 1:
                raise
            elif isinstance(error, Cancelled):
                stopped = True
            else:
                wrong = error
        # Not in the handler: the error holds on to the frames, and so to the tensors, of what did not fit.
        if self.count == 1:
            return found
        numbers = found if found is not None else torch.zeros(LOSSES, dtype=torch.float64)
        flags = torch.tensor([wrong is not None, stopped, short], dtype=torch.float64)
        report = torch.cat([numbers, flags]).to(self._device)
        distributed.all_reduce(report)
        report = report.cpu()
        failed, stop, halve = (bool(value) for value in report[LOSSES:].tolist())
        if wrong is not None:
            raise wrong
        if failed:
            raise PeerFailed
        if stop:
            raise Cancelled
        return None if halve else report[:LOSSES]

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Every gradient as the sum of all ranks'; one that no rank has stays absent."""
        if self.count == 1:
            return
        trained = list(parameters)
        held = torch.tensor([value.grad is not None for value in trained], dtype=torch.int32, device=self._device)
        distributed.all_reduce(held)
        gradients = []
        for parameter, holders in zip(trained, held.tolist(), strict=True):
            if holders and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            if parameter.grad is not None:
                gradients.append(parameter.grad)
        for bucket in _buckets(gradients):
            flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
            distributed.all_reduce(flat)
            for gradient, part in zip(bucket, torch.split(flat, [each.numel() for each in bucket]), strict=True):
                gradient.copy_(part.view_as(gradient))

    def as_main(self, decide: Callable[[], Any]) -> Any:
        """What ``decide`` gives on the main rank, on all; the others wait for it, as long as it takes."""
        if self.count == 1:
            return decide()
        told = [decide() if self.is_main else None]
        distributed.broadcast_object_list(told, src=0, device=self._device)
        return told[0]


def _buckets(gradients: list[Tensor]) -> Iterator[list[Tensor]]:
    """In the model's order, of one type and about BUCKET numbers each."""
    bucket: list[Tensor] = []
    for gradient in gradients:
        full = sum(each.numel() for each in bucket) + gradient.numel() > BUCKET
        if bucket and (full or gradient.dtype != bucket[0].dtype):
            yield bucket
            bucket = []
        bucket.append(gradient)
    if bucket:
        yield bucket
