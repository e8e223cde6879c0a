"""The one owner of loaded speech models in a process.

One thread loads, speaks and unloads, so that two requests never share a generation and no model is freed under
somebody's hands. Requests wait in line; a caller holds a :class:`Ticket`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from voices.engine.memory import give_back_memory, resident_bytes
from voices.engine.requests import ModelChoice, Piece, SpeechRequest, Ticket
from xttsproject.bundles.manifest import MANIFEST_FILE
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Part, Progress
from xttsproject.xtts.joining import join_speeches
from xttsproject.xtts.types import Speech

if TYPE_CHECKING:
    from xttsproject.xtts.engine import XttsEngine

logger = logging.getLogger(__name__)


class OwnerState(StrEnum):
    UNLOADED = "unloaded"
    LOADING = "loading"
    READY = "ready"


@dataclass(frozen=True)
class OwnerSettings:
    """``device`` is auto, cpu, cuda or cuda:N. ``idle_seconds`` without a request free the memory (0: never).

    ``adapters`` bounds how many fine-tuned models stay loaded beside one base model, the least recently used leaves
    first; ``queue_limit`` bounds how many requests wait, ``asker_limit`` how many of them one person may have.
    """

    device: str = "auto"
    precision: str = "fp32"
    idle_seconds: float = 900.0
    adapters: int = 2
    queue_limit: int = 8
    asker_limit: int = 4


@dataclass(frozen=True)
class OwnerStatus:
    """What ``/readyz`` tells. ``memory_bytes`` is the whole process's; None where the system does not say."""

    state: OwnerState
    since: datetime
    models: int
    waiting: int
    speaking: bool
    memory_bytes: int | None
    last_error: str


# When a file or folder last changed, in nanoseconds, and its size in bytes; zeros for none.
_Stamp = tuple[int, int]
# Folder and stamp of bundle and adapter: a model that was replaced on disk is another model.
_Key = tuple[Path, _Stamp, Path | None, _Stamp]


class SpeechOwner:
    """Thread-safe. Its thread starts with the first request and is a daemon, so it never holds up an exit."""

    def __init__(self, settings: OwnerSettings | None = None):
        self.settings = settings or OwnerSettings()
        self._lock = threading.Condition()
        self._waiting: deque[Ticket] = deque()
        self._current: Ticket | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._engines: OrderedDict[_Key, XttsEngine] = OrderedDict()
        self._state, self._since = OwnerState.UNLOADED, datetime.now(UTC)
        self._last_error = ""

    # --- what callers use -------------------------------------------------------------------------------------

    def submit(self, request: SpeechRequest | ModelChoice, asker: str = "") -> Ticket:
        """Queue a speech, or the loading of a model. DomainError ``busy`` when too many wait already.

        ``asker`` names the person it is for: whoever has many requests in the line leaves room for others. What
        nobody asked for (empty) is not counted that way.
        """
        ticket = Ticket(request, asker)
        with self._lock:
            if self._closed:
                raise DomainError("speech_stopped", "Speech has been stopped; try again in a moment.", permanent=False)
            self._waiting = deque(waiting for waiting in self._waiting if not waiting.abandoned)
            if len(self._waiting) >= self.settings.queue_limit:
                raise DomainError(
                    "busy",
                    f"{len(self._waiting)} requests for speech are waiting already, which is the limit; "
                    "try again in a moment.",
                    permanent=False,
                )
            own = sum(waiting.asker == asker for waiting in self._waiting) if asker else 0
            if own >= self.settings.asker_limit:
                raise DomainError(
                    "busy",
                    f"{own} of your own requests for speech are waiting already, which is the limit for one person; "
                    "try again when one of them has been answered.",
                    permanent=False,
                )
            self._waiting.append(ticket)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="speech-owner", daemon=True)
                self._thread.start()
            self._lock.notify_all()
        return ticket

    def status(self) -> OwnerStatus:
        with self._lock:
            return OwnerStatus(
                state=self._state,
                since=self._since,
                models=len(self._engines),
                waiting=sum(not ticket.abandoned for ticket in self._waiting),
                speaking=self._current is not None,
                memory_bytes=resident_bytes(),
                last_error=self._last_error,
            )

    def close(self, timeout: float = 30.0) -> None:
        """Refuse new requests, abandon those under way, free the models."""
        with self._lock:
            self._closed = True
            for ticket in (*self._waiting, *([self._current] if self._current else [])):
                ticket.abandon()
            thread = self._thread
            self._lock.notify_all()
        if thread is not None:
            thread.join(timeout)

    # --- the owner's thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while (ticket := self._next()) is not None:
            try:
                ticket.check()
                ticket.finish(self._work(ticket))
            except BaseException as error:
                # Caught once, here: the thread must outlive whatever one request does to it; the caller raises it.
                self._note(error)
                ticket.fail(error)
            finally:
                with self._lock:
                    self._current = None
            # Not kept until the next request: it may hold minutes of sound.
            del ticket
        self._unload()

    def _next(self) -> Ticket | None:
        """Wait for a request; None when the owner is closed. Models leave memory after the idle time."""
        idle_since = time.monotonic()
        while True:
            with self._lock:
                if self._closed:
                    for ticket in self._waiting:
                        ticket.fail(DomainError("speech_stopped", "Speech has been stopped.", permanent=False))
                    self._waiting.clear()
                    return None
                if self._waiting:
                    self._current = self._waiting.popleft()
                    return self._current
                left = None
                if self.settings.idle_seconds and self._engines:
                    left = idle_since + self.settings.idle_seconds - time.monotonic()
                if left is None or left > 0:
                    self._lock.wait(left)
                    continue
            # Without the lock: freeing gigabytes must not hold up callers or /readyz.
            self._unload()

    def _work(self, ticket: Ticket) -> Speech | None:
        if isinstance(ticket.request, ModelChoice):
            self._engine(ticket.request)
            return None
        return self._speak(ticket.request, ticket)

    def _speak(self, request: SpeechRequest, ticket: Ticket) -> Speech:
        """The pieces model by model, each model's together, then all in their order."""
        spoken: dict[int, Speech] = {}
        for model, places in request.by_model().items():
            share = len(spoken) / len(request.pieces), (len(spoken) + len(places)) / len(request.pieces)
            pieces = [request.pieces[place] for place in places]
            speeches = self._speak_with(model, pieces, Part(ticket, *share))
            spoken.update(zip(places, speeches, strict=True))
        inorder = [spoken[place] for place in range(len(request.pieces))]
        return join_speeches(inorder, [piece.before for piece in request.pieces], after=request.after)

    def _speak_with(self, model: ModelChoice, pieces: Sequence[Piece], progress: Progress) -> list[Speech]:
        from xttsproject.xtts.conditioning import Conditioning
        from xttsproject.xtts.engine import Saying

        engine = self._engine(model)
        if any(engine.model_key != piece.model_key for piece in pieces):
            raise DomainError(
                "voice_outdated",
                "The model below this voice has been replaced since the voice was prepared; prepare the voice again.",
            )
        progress.check()
        voices = {path: Conditioning.load(path) for path in {piece.conditioning for piece in pieces}}
        return engine.speak_all(
            [
                Saying(piece.text, piece.language, voices[piece.conditioning], piece.sampling, piece.pause)
                for piece in pieces
            ],
            progress,
        )

    def _engine(self, model: ModelChoice) -> XttsEngine:
        key = (model.bundle, _stamp(model.bundle / MANIFEST_FILE), model.adapter, _stamp(model.adapter))
        if key in self._engines:
            self._engines.move_to_end(key)
            return self._engines[key]
        before = self._state
        self._set_state(OwnerState.LOADING)
        try:
            # Room first: two models at once may be more than the machine holds.
            self._make_room(adapter=model.adapter is not None)
            from xttsproject.xtts.engine import XttsEngine

            started = time.monotonic()
            engine = XttsEngine.load(
                model.bundle,
                adapter=model.adapter,
                device=self.settings.device,
                # The loader refuses what it does not know, in words.
                precision=cast(Any, self.settings.precision),
            )
        except BaseException:
            self._set_state(OwnerState.READY if self._engines and before == OwnerState.READY else OwnerState.UNLOADED)
            raise
        logger.info("Loaded %s in %.1f s", model.bundle.name, time.monotonic() - started)
        with self._lock:
            self._engines[key] = engine
            self._last_error = ""
        self._set_state(OwnerState.READY)
        return engine

    def _make_room(self, *, adapter: bool) -> None:
        """Drop least recently used models of the same sort until one more fits."""
        limit = self.settings.adapters if adapter else 1
        alike = [key for key in self._engines if (key[2] is not None) == adapter]
        with self._lock:
            for key in alike[: max(0, len(alike) - limit + 1)]:
                del self._engines[key]
        give_back_memory()

    def _unload(self) -> None:
        with self._lock:
            if not self._engines:
                return
            self._engines.clear()
            self._set_state(OwnerState.UNLOADED)
        give_back_memory()
        logger.info("Speech models left memory")

    def _set_state(self, state: OwnerState) -> None:
        with self._lock:
            if state != self._state:
                self._state, self._since = state, datetime.now(UTC)

    def _note(self, error: BaseException) -> None:
        """Keep what went wrong with the model itself; a bad text is no matter of the engine's health."""
        if isinstance(error, DomainError):
            if error.code.startswith(("model_", "adapter_")):
                self._last_error = error.message
            return
        from xttsproject.lib.errors import Cancelled

        if not isinstance(error, Cancelled):
            logger.error("Speech broke", exc_info=error)
            self._last_error = f"unexpected error ({type(error).__name__}); the log has the details"


def _stamp(path: Path | None) -> _Stamp:
    """Size too, because a copy may bring its times along. What is missing is for the loader to explain."""
    try:
        facts = path.stat() if path is not None else None
    except OSError:
        facts = None
    return (facts.st_mtime_ns, facts.st_size) if facts is not None else (0, 0)
