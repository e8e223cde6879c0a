"""The one owner of loaded speech models in a process.

One thread loads, speaks and unloads, so that no model is freed under somebody's hands; the sentences of all requests
are decoded together in it (:mod:`voices.engine.scheduler`). A caller holds a :class:`~voices.engine.tickets.Ticket`.
"""

from __future__ import annotations

import threading
import time
from collections import Counter

from voices.engine.ear import Ear
from voices.engine.memory import resident_bytes
from voices.engine.requests import ModelChoice, SpeechRequest
from voices.engine.residents import Residents
from voices.engine.scheduler import Scheduler
from voices.engine.state import OwnerSettings, OwnerState, OwnerStatus
from voices.engine.tickets import Ticket
from xttsproject.lib.errors import Cancelled, DomainError

__all__ = ["OwnerSettings", "OwnerState", "OwnerStatus", "SpeechOwner"]

_KEEP_LOOP_SECONDS = 10.0
"""How long room for keys and values is kept for the next request; for a full-size model it may be gigabytes."""

_REST_SECONDS = 0.05


class SpeechOwner:
    """Thread-safe. Its thread starts with the first request and is a daemon, so it never holds up an exit."""

    def __init__(self, settings: OwnerSettings | None = None):
        self.settings = settings or OwnerSettings()
        self._lock = threading.Condition()
        self._waiting: list[Ticket] = []
        self._thread: threading.Thread | None = None
        self._closed = False
        self._residents = Residents(self.settings)
        self._ear = Ear(self._ring)
        self._scheduler = Scheduler(self.settings, self._residents, self._ear)

    # --- what callers use -------------------------------------------------------------------------------------

    def submit(
        self,
        request: SpeechRequest | ModelChoice,
        asker: str = "",
        *,
        streamed: bool = False,
        bell: threading.Event | None = None,
    ) -> Ticket:
        """Queue a speech, or the loading of a model. DomainError ``busy`` when too many wait already.

        ``asker`` names the person it is for: whoever has many requests in the line leaves room for others. What
        nobody asked for (empty) is not counted that way. ``streamed``: the sound comes while it is spoken. ``bell`` is
        set when the request is done.
        """
        ticket = Ticket(request, asker, streamed=streamed, bell=bell)
        with self._lock:
            if self._closed:
                raise DomainError("speech_stopped", "Speech has been stopped; try again in a moment.", permanent=False)
            waiting = [other for other in self._waiting if not other.abandoned]
            # Those that the thread will begin before it looks again are in the line no longer.
            free = max(0, self.settings.together - len(self._scheduler.sessions))
            if len(waiting) >= self.settings.queue_limit + free:
                raise DomainError(
                    "busy",
                    f"{len(waiting)} requests for speech are waiting already, which is the limit; "
                    "try again in a moment.",
                    permanent=False,
                )
            own = sum(other.asker == asker for other in waiting) if asker else 0
            if own >= self.settings.asker_limit + free:
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
        state, since = self._residents.state
        with self._lock:
            waiting = sum(not ticket.abandoned for ticket in self._waiting)
        return OwnerStatus(
            state=state,
            since=since,
            models=len(self._residents),
            loads=self._residents.loads,
            failed=self._residents.failed,
            waiting=waiting,
            speaking=len(self._scheduler.sessions),
            sentences=self._scheduler.sentences,
            memory_bytes=resident_bytes(),
            last_error=self._residents.last_error,
            graphs=self._residents.graphs,
        )

    def close(self, timeout: float = 30.0) -> None:
        """Refuse new requests, end those under way, free the models."""
        with self._lock:
            self._closed = True
            thread = self._thread
            self._lock.notify_all()
        if thread is not None:
            thread.join(timeout)

    # --- the owner's thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            try:
                if not self._ready():
                    break
                if not self._scheduler.turn():
                    self._rest()
            except BaseException as error:
                # A request's own trouble is answered within; this is a fault of the scheduler, or a device that broke.
                # Whoever waits is told, and the thread lives on with models loaded anew.
                told = self._residents.told(error)
                self._residents.note(told)
                self._scheduler.fail_all(told)
                self._residents.unload()
        self._scheduler.fail_all(_stopped())
        self._ear.close()
        self._residents.unload()

    def _rest(self) -> None:
        """Until somebody has listened; now and then it is looked whether clients are still there."""
        with self._lock:
            if not self._closed and not self._scheduler.has_heard:
                self._lock.wait(_REST_SECONDS)

    def _ring(self) -> None:
        """Somebody has listened: in the ear's thread."""
        with self._lock:
            self._lock.notify_all()

    def _ready(self) -> bool:
        """Wait until there is something to do; False when the owner is closed. Models leave memory when idle."""
        idle_since = time.monotonic()
        while True:
            with self._lock:
                if self._closed:
                    for ticket in self._waiting:
                        ticket.fail(_stopped())
                    self._waiting.clear()
                    return False
                self._begin()
                if self._scheduler.sessions:
                    return True
                idle, ends = time.monotonic() - idle_since, self._idle_ends()
                later = [end for end in ends if end > idle]
                if len(later) == len(ends):
                    self._lock.wait(min(later) - idle if later else None)
                    continue
            # Without the lock: freeing gigabytes must not hold up callers or /readyz.
            if idle >= _KEEP_LOOP_SECONDS:
                self._residents.drop_loops()
            unload = self._unload_seconds()
            if unload is not None and idle >= unload:
                self._residents.unload()

    def _begin(self) -> None:
        """Begin requests while there is room: of all askers in turn, each one's in order."""
        for ticket in [ticket for ticket in self._waiting if ticket.abandoned]:
            self._waiting.remove(ticket)
            ticket.fail(Cancelled())
        while self._waiting and self._scheduler.room:
            begun = Counter(session.ticket.asker for session in self._scheduler.sessions if session.ticket.asker)
            # One place is left for somebody else's request.
            most = max(1, self.settings.together - 1)
            able = [ticket for ticket in self._waiting if begun[ticket.asker] < most]
            if not able:
                return
            ticket = min(able, key=lambda each: begun[each.asker])
            self._waiting.remove(ticket)
            self._scheduler.begin(ticket)

    def _idle_ends(self) -> list[float]:
        """After how many idle seconds something is given back that is there now."""
        if not len(self._residents):
            return []
        unload = self._unload_seconds()
        loops = any(core.has_loop for core in self._residents.cores)
        return [*([_KEEP_LOOP_SECONDS] if loops else []), *([unload] if unload is not None else [])]

    def _unload_seconds(self) -> float | None:
        if self.settings.low_memory:
            return 0.0
        return self.settings.idle_seconds or None


def _stopped() -> DomainError:
    return DomainError("speech_stopped", "Speech has been stopped.", permanent=False)
