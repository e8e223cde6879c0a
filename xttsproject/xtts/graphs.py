"""Recording work on a device once, and doing it again with one call.

A step of the speaking loop is some hundreds of small kernels. A GPU is done with each of them sooner than Python and
the driver have launched the next, so that one sentence waits for launches and not for arithmetic. A CUDA graph (CUDA
C++ Programming Guide, "CUDA Graphs") is a list of launches that the driver has been given once: one call begins all.

What is recorded must be the same each time: the same kernels on the same addresses. :mod:`xttsproject.xtts.steps` sees
to that; here is how it is recorded.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch

logger = logging.getLogger(__name__)

Work = Callable[[], None]
"""Reads and writes tensors that stay where they are, never waits for the device, and draws nothing by lot."""

_WARM_UPS = 2


class Recorder(ABC):
    """How work is recorded. Whoever finds that what was recorded cannot be trusted calls :meth:`give_up`."""

    def __init__(self) -> None:
        self.off = ""
        """Why nothing is recorded any more; empty while it is."""

    @abstractmethod
    def record(self, work: Work) -> Work:
        """What does ``work`` again, on the tensors that ``work`` finds now. It may be called for that, any number of
        times; whether the work is done when this returns is not said."""

    def give_up(self, reason: str) -> None:
        """Record nothing from now on, and say so once."""
        if not self.off:
            self.off = reason
            logger.warning("Speech goes on without recorded steps until this process ends: %s", reason)


class Calling(Recorder):
    """Records nothing: the work itself is called again. For devices without graphs; it gains no time there."""

    def record(self, work: Work) -> Work:
        return work


class CudaGraphs(Recorder):
    """Records CUDA graphs of one device, which may be replayed in any order, but all on the same stream.

    They share one pool of memory: none of them needs anything of it once it has run, since what it reads and what it
    leaves lies outside. Recorded and replayed in inference mode, both: PyTorch keeps tensors of its own for a graph.
    """

    def __init__(self, device: torch.device):
        super().__init__()
        self._device = device
        self._lock = threading.Lock()
        # One stream for all: cuBLAS keeps a workspace for each stream that it was used on, whose address is recorded.
        self._stream: torch.cuda.Stream | None = None
        self._pool: torch.cuda._POOL_HANDLE | None = None
        self._alive: weakref.WeakSet[_Graph] = weakref.WeakSet()

    def record(self, work: Work) -> Work:
        # PyTorch allows one recording in a process at a time.
        with self._lock, torch.cuda.device(self._device):
            try:
                return self._recorded(work)
            except BaseException:
                self._mend()
                raise

    def _recorded(self, work: Work) -> Work:
        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        if not self._alive:
            # A pool ends with the last of its graphs, and cannot be recorded into again.
            self._pool = torch.cuda.graph_pool_handle()
        here = torch.cuda.current_stream()
        self._stream.wait_stream(here)
        graph = torch.cuda.CUDAGraph()
        # Around the recording too: where that breaks off, PyTorch's own context leaves its stream the current one.
        with torch.cuda.stream(self._stream):
            # What happens at a kernel's first use (its loading, cuBLAS's choice and workspace) cannot be recorded.
            for _ in range(_WARM_UPS):
                work()
            # Other threads may go on allocating meanwhile.
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                work()
        here.wait_stream(self._stream)
        recorded = _Graph(graph, work)
        self._alive.add(recorded)
        return recorded

    def _mend(self) -> None:
        """After a recording that broke off. Where the driver has called it invalid, PyTorch (2.11) does not take back
        what it began with: its allocator would refuse to give memory back, and its generator to draw a number."""
        if self._pool is not None:
            with contextlib.suppress(RuntimeError):
                torch._C._cuda_endAllocateToPool(torch.cuda.current_device(), self._pool)
        generator = torch.cuda.default_generators[torch.cuda.current_device()]
        with contextlib.suppress(RuntimeError):
            fresh = torch.Generator(self._device).manual_seed(generator.initial_seed())
            generator.graphsafe_set_state(fresh.graphsafe_get_state())


class _Graph:
    def __init__(self, graph: torch.cuda.CUDAGraph, work: Work):
        # A graph knows addresses only; the work holds the tensors that lie there.
        self._graph, self._work = graph, work

    def __call__(self) -> None:
        self._graph.replay()


def recorder_for(device: torch.device) -> Recorder | None:
    """The process's own for this device, so that what breaks once is not tried again; None where it has no graphs."""
    if device.type != "cuda":
        return None
    index = device.index if device.index is not None else torch.cuda.current_device()
    return _cuda_graphs(index)


@functools.cache
def _cuda_graphs(index: int) -> CudaGraphs:
    return CudaGraphs(torch.device("cuda", index))
