"""A transcription model of a web process: loaded when asked for, one recording at a time, gone when idle.

Apart from speech: it has a line of its own, so that nobody who wants to hear something waits for a dictation, nor the
other way round.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voices.engine.memory import give_back_memory
from xttsproject.bundles.manifest import MANIFEST_FILE
from xttsproject.lib.errors import Cancelled, DomainError

if TYPE_CHECKING:
    from datasets.pipeline.transcribe import Transcriber

logger = logging.getLogger(__name__)

# How often one who waits looks whether the client is still there.
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class ListenerSettings:
    """``device``, ``compute_type`` and ``threads`` as :meth:`Transcriber.load` takes them. ``idle_seconds`` without a
    request free the memory (0: never); ``queue_limit`` bounds how many wait.
    """

    device: str = "auto"
    compute_type: str = "default"
    threads: int = 0
    idle_seconds: float = 900.0
    queue_limit: int = 3


class Watching:
    """A :class:`xttsproject.lib.progress.Progress` that stops the work once ``gone`` says that nobody waits for it."""

    def __init__(self, gone: Callable[[], bool] | None):
        self._gone = gone

    def report(self, fraction: float, message: str = "") -> None:
        pass

    def check(self) -> None:
        if self._gone is not None and self._gone():
            raise Cancelled


class Listener:
    """Thread-safe. The caller's own thread listens, when it is its turn."""

    def __init__(self, settings: ListenerSettings | None = None):
        self.settings = settings or ListenerSettings()
        self._lock = threading.Condition()
        # First in, first out; the first has its turn.
        self._line: deque[object] = deque()
        self._model: tuple[tuple[Path, int], Transcriber] | None = None
        self._used = time.monotonic()
        self._timer: threading.Timer | None = None
        self._seconds_a_turn: float | None = None

    @contextmanager
    def turn(self, bundle: Path, gone: Callable[[], bool] | None = None) -> Iterator[Transcriber]:
        """Wait for a turn and have the model in ``bundle`` for it. ``gone``: whether the client has hung up.

        DomainErrors ``busy``, and those of loading: ``model_missing``, ``model_damaged``, ``precision_unsupported``;
        ``Cancelled`` while waiting.
        """
        place = object()
        watching = Watching(gone)
        with self._lock:
            waiting = max(0, len(self._line) - 1)
            if self._line and waiting >= self.settings.queue_limit:
                raise DomainError(
                    "busy",
                    f"{waiting} recordings are waiting to be transcribed already, and {self.settings.queue_limit} are "
                    "the limit; try again in a moment.",
                    permanent=False,
                )
            self._line.append(place)
        try:
            with self._lock:
                while self._line[0] is not place:
                    self._lock.wait(_LOOK_SECONDS)
                    watching.check()
            began = time.monotonic()
            yield self._loaded(bundle)
            self._note(time.monotonic() - began)
        finally:
            with self._lock:
                self._line.remove(place)
                self._used = time.monotonic()
                self._lock.notify_all()
            self._watch_idleness()

    @property
    def loaded(self) -> bool:
        return self._model is not None

    @property
    def seconds_until_free(self) -> float:
        """About how long until one of those in the line has been answered, by how long the last ones took."""
        return self._seconds_a_turn if self._seconds_a_turn is not None else 10.0

    def close(self) -> None:
        """Free the model; a later turn loads it again."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self._unload(idle=0.0)

    def _loaded(self, bundle: Path) -> Transcriber:
        """Only whoever has the turn comes here."""
        from datasets.pipeline.transcribe import Transcriber

        try:
            changed = (bundle / MANIFEST_FILE).stat().st_mtime_ns
        except OSError:
            changed = 0
        key = (bundle, changed)
        if self._model is None or self._model[0] != key:
            # Room first: two models at once may be more than the machine holds.
            self._model = None
            give_back_memory()
            chosen = self.settings
            started = time.monotonic()
            self._model = key, Transcriber.load(bundle, chosen.device, chosen.compute_type, chosen.threads)
            logger.info("Loaded %s in %.1f s", bundle.name, time.monotonic() - started)
        return self._model[1]

    def _note(self, seconds: float) -> None:
        with self._lock:
            known = self._seconds_a_turn
            self._seconds_a_turn = seconds if known is None else 0.7 * known + 0.3 * seconds

    def _watch_idleness(self) -> None:
        if not self.settings.idle_seconds or self._model is None:
            return
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(self.settings.idle_seconds, self._unload, (self.settings.idle_seconds,))
            self._timer.daemon = True
            self._timer.start()

    def _unload(self, idle: float) -> None:
        with self._lock:
            # Somebody may have come between the timer's end and here.
            if self._line or self._model is None or time.monotonic() - self._used < idle * 0.9:
                return
            self._model = None
        give_back_memory()
        logger.info("The transcription model left memory")
