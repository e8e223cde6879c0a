"""How a model is loaded by several threads that do not hold each other up."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import torch

_TURN_SECONDS = 0.0002

_lock = threading.Lock()
_hurrying = 0
_usual = sys.getswitchinterval()


@contextlib.contextmanager
def loading_pool() -> Iterator[ThreadPoolExecutor]:
    """As many threads as PyTorch computes with, each of which computes by itself: for work of which one part imports
    while the others call libraries."""
    threads = torch.get_num_threads()
    with _short_turns(), ThreadPoolExecutor(threads, initializer=_by_itself, initargs=(threads,)) as pool:
        yield pool


def _by_itself(threads: int) -> None:
    """Let PyTorch's work of this thread stay in it: on cores that are all busy, sharing means waiting for the last."""
    # A thread takes the process's number when it is first asked for its own, and what is set then is its own; but
    # threads to come begin with what was set last, hence the other one.
    torch.get_num_threads()
    torch.set_num_threads(1)
    last = threading.Thread(target=torch.set_num_threads, args=(threads,))
    last.start()
    last.join()


@contextlib.contextmanager
def _short_turns() -> Iterator[None]:
    """Within, threads hand Python over to each other at once.

    Whoever wants it between two calls, for microseconds, waits five milliseconds for a thread that imports otherwise,
    each time. Of the whole process; may be entered by several threads at once.
    """
    global _hurrying, _usual
    with _lock:
        if not _hurrying:
            _usual = sys.getswitchinterval()
            sys.setswitchinterval(_TURN_SECONDS)
        _hurrying += 1
    try:
        yield
    finally:
        with _lock:
            _hurrying -= 1
            if not _hurrying:
                sys.setswitchinterval(_usual)
