"""One request for speech, from the moment it is asked until it is answered, refused or abandoned."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from voices.engine.requests import ModelChoice, SpeechRequest
from xttsproject.lib.audio import Samples
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.xtts.types import SAMPLE_RATE, Speech

# How often a waiting caller looks whether its client is still there.
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Chunk:
    """Samples at the speech's rate that follow the chunk before. Silence belongs to the sentence that it precedes; the
    one after the last sentence to that."""

    sentence: int
    samples: Samples


class Ticket:
    """A place in the owner's line. The caller waits on it or reads from it, the owner's thread works on it.

    With ``streamed`` the sound comes through :meth:`stream` while it is spoken. ``bell`` is set when it is done: for a
    caller that waits for any of several.
    """

    def __init__(
        self,
        request: SpeechRequest | ModelChoice,
        asker: str = "",
        *,
        streamed: bool = False,
        bell: threading.Event | None = None,
    ):
        self.request = request
        self.asker = asker
        self.streamed = streamed
        self.fraction = 0.0
        self.sample_rate = SAMPLE_RATE
        """Of what is streamed, known with the first chunk."""
        self.tokens = 0
        """Text tokens that the model has been given for it."""
        self.warnings: tuple[str, ...] = ()
        """What its judge has remarked on."""
        self._chunks: queue.SimpleQueue[Chunk | None] = queue.SimpleQueue()
        self._abandoned = threading.Event()
        self._done = threading.Event()
        self._bell = bell
        self._speech: Speech | None = None
        self._error: BaseException | None = None

    # --- the caller's side ------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None, gone: Callable[[], bool] | None = None) -> Speech | None:
        """The speech, or None for a request that only loads a model.

        Raises what the work raised; DomainError ``speech_timeout`` after ``timeout`` seconds and ``Cancelled`` once
        ``gone`` says that nobody listens any more. Either way the request is abandoned, and others go on.
        """
        ends = None if timeout is None else time.monotonic() + timeout
        while not self._done.wait(_patience(ends)):
            self._look(ends, timeout, gone)
        if self._error is not None:
            raise self._error
        return self._speech

    def stream(self, timeout: float | None = None, gone: Callable[[], bool] | None = None) -> Iterator[Chunk]:
        """The sound in order, as it is spoken; afterwards :meth:`wait` has the whole of it at once.

        ``timeout`` is for each chunk. Raises as :meth:`wait` does, perhaps when part of it has come already. A reader
        that closes the iterator abandons the request.
        """
        if not self.streamed:
            raise ValueError("this request was not submitted to be streamed")
        try:
            while True:
                ends = None if timeout is None else time.monotonic() + timeout
                while True:
                    try:
                        chunk = self._chunks.get(timeout=_patience(ends))
                        break
                    except queue.Empty:
                        self._look(ends, timeout, gone)
                if chunk is None:
                    break
                yield chunk
            if self._error is not None:
                raise self._error
        finally:
            if not self.done:
                self.abandon()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    @property
    def failed(self) -> bool:
        return self._error is not None

    def abandon(self) -> None:
        """Nobody waits any more: work not begun is skipped, work under way stops at its next step."""
        self._abandoned.set()

    @property
    def abandoned(self) -> bool:
        return self._abandoned.is_set()

    def _look(self, ends: float | None, timeout: float | None, gone: Callable[[], bool] | None) -> None:
        if gone is not None and gone():
            self.abandon()
            raise Cancelled
        if ends is not None and time.monotonic() >= ends:
            self.abandon()
            raise DomainError(
                "speech_timeout",
                f"The speech was not ready after {timeout:g} s; try a shorter text, "
                "or try again when fewer people speak.",
                permanent=False,
            )

    # --- the owner's side -------------------------------------------------------------------------------------

    def report(self, fraction: float) -> None:
        self.fraction = fraction

    def check(self) -> None:
        if self.abandoned:
            raise Cancelled

    def send(self, chunk: Chunk) -> None:
        self._chunks.put(chunk)

    def finish(self, speech: Speech | None) -> None:
        self._speech = speech
        self._end()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self._end()

    def _end(self) -> None:
        self._done.set()
        self._chunks.put(None)
        if self._bell is not None:
            self._bell.set()


def _patience(ends: float | None) -> float:
    return _LOOK_SECONDS if ends is None else min(_LOOK_SECONDS, max(0.0, ends - time.monotonic()))
