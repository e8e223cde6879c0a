"""A thread that listens to what was spoken, so that the one that speaks goes on meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

_Asked = tuple[Future[Any], Callable[[], Any]]


class Ear:
    """One sound after the other, in the order in which they are asked about. For the owner's thread.

    Its thread starts with the first question, is a daemon, and rings ``bell`` after each answer. What has been
    cancelled before its turn is not listened to; what is being listened to is to its end, and nobody learns what was
    heard.
    """

    def __init__(self, bell: Callable[[], None]):
        self._bell = bell
        self._line: SimpleQueue[_Asked | None] | None = None

    def ask(self, listen: Callable[[], Any]) -> Future[Any]:
        """What ``listen`` returns or raises, as soon as it has had its turn."""
        if self._line is None:
            self._line = SimpleQueue()
            threading.Thread(target=self._run, args=(self._line,), name="speech-ear", daemon=True).start()
        future: Future[Any] = Future()
        self._line.put((future, listen))
        return future

    def close(self) -> None:
        """Its thread ends with what it is listening to; another question starts another."""
        if self._line is not None:
            self._line.put(None)
            self._line = None

    def _run(self, line: SimpleQueue[_Asked | None]) -> None:
        while (asked := line.get()) is not None:
            _answer(*asked)
            # Neither sound nor answer are kept until the next question.
            del asked
            self._bell()


def _answer(future: Future[Any], listen: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        heard = listen()
    except BaseException as error:
        # Whoever asked raises it.
        future.set_exception(error)
    else:
        future.set_result(heard)
