"""The models that this process listens with."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.conf import settings

from voices.engine.listener import Listener, ListenerSettings


class KeptListener:
    """One :class:`Listener` of this process, made from the settings when it is first asked for.

    ``queue_limit`` tells how many may wait for it, where that is a setting.
    """

    def __init__(self, queue_limit: Callable[[], int] | None = None):
        self._queue_limit = queue_limit
        self._lock = threading.Lock()
        self._listener: Listener | None = None

    def get(self) -> Listener:
        with self._lock:
            if self._listener is None:
                limit = {} if self._queue_limit is None else {"queue_limit": self._queue_limit()}
                self._listener = Listener(
                    ListenerSettings(
                        device=settings.WHISPER_DEVICE or settings.DEVICE,
                        compute_type=settings.WHISPER_COMPUTE_TYPE,
                        threads=settings.WHISPER_THREADS,
                        idle_seconds=settings.SPEECH_IDLE_UNLOAD,
                        **limit,
                    )
                )
            return self._listener

    def close(self) -> None:
        """Free the model; who asks next gets another."""
        with self._lock:
            closing, self._listener = self._listener, None
        if closing is not None:
            closing.close()
