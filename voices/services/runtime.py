"""The speech owner of this process, made from the settings when it is first needed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from django.conf import settings

from voices.engine.memory import keep_programs
from voices.engine.owner import OwnerSettings, OwnerState, OwnerStatus, SpeechOwner
from voices.engine.requests import ModelChoice
from voices.engine.tickets import Ticket
from xttsproject import storage
from xttsproject.bundles.manifest import open_bundle
from xttsproject.lib.errors import DomainError

logger = logging.getLogger(__name__)

_LOW_BATCH = 4
"""Sentences decoded together with SPEECH_LOW_MEMORY."""

_STREAMS_PROGRAMS, _SENTENCES_PROGRAMS = 256, 128
"""Of oneDNN's, that are kept: for the lengths that the first pieces of every stream have; and where whole sentences are
spoken, of which hardly two have the same."""

_lock = threading.Lock()
_owner: SpeechOwner | None = None
_preload: Ticket | None = None


def speech_owner() -> SpeechOwner:
    """The one owner. Whoever calls this decides that this process speaks to people who wait: the web process."""
    global _owner
    with _lock:
        if _owner is None:
            keep_programs(_STREAMS_PROGRAMS)
            _owner = SpeechOwner(_settings(together=settings.SPEECH_TOGETHER, queue_limit=settings.SPEECH_QUEUE))
        return _owner


@contextmanager
def longform_owner() -> Iterator[SpeechOwner]:
    """An owner for a worker that speaks one long text, sentence by sentence; its models leave memory at the end.

    What is said is what :func:`speech_owner` would say: device, precision and batch are the same.
    """
    keep_programs(_SENTENCES_PROGRAMS)
    # A sentence is a request of its own.
    owner = SpeechOwner(_settings(together=_batch(), queue_limit=_batch()))
    try:
        yield owner
    finally:
        owner.close()


def _batch() -> int:
    batch: int = settings.SPEECH_BATCH
    return min(batch, _LOW_BATCH) if settings.SPEECH_LOW_MEMORY else batch


def _settings(*, together: int, queue_limit: int) -> OwnerSettings:
    return OwnerSettings(
        device=settings.DEVICE,
        precision=settings.SPEECH_PRECISION,
        graphs=settings.SPEECH_GRAPHS,
        idle_seconds=settings.SPEECH_IDLE_UNLOAD,
        batch=_batch(),
        together=together,
        queue_limit=queue_limit,
        low_memory=settings.SPEECH_LOW_MEMORY,
        packed_dir=storage.packed_dir(),
    )


def speech_owner_close() -> None:
    """End the owner and free its models; the next call of :func:`speech_owner` makes another."""
    global _owner, _preload
    with _lock:
        closing, _owner, _preload = _owner, None, None
    if closing is not None:
        closing.close()


def speech_status() -> OwnerStatus | None:
    """None as long as nobody has asked this process to speak."""
    # Looked at once: another thread may be closing it.
    owner = _owner
    return owner.status() if owner is not None else None


def speech_preload() -> None:
    """Load the configured model in the background when SPEECH_PRELOAD asks for it; the web process calls this."""
    global _preload
    if not settings.SPEECH_PRELOAD:
        return
    try:
        _preload = speech_owner().submit(ModelChoice(storage.bundle_dir(settings.XTTS_BUNDLE)))
    except DomainError as error:
        logger.error("Speech was not loaded at the start: %s", error.message)


def readiness() -> tuple[bool, dict[str, object]]:
    """Whether this process can answer a request for speech, and the facts for ``/readyz``.

    It can with the configured model loaded, or there to be loaded on demand, as after an idle time. It says no while
    SPEECH_PRELOAD is still loading, so that a balancer waits; when that failed, until a model has been loaded; and
    when the configured model is missing or could not be loaded (``state`` is then ``error``), until its files change.
    With SPEECH_LOW_MEMORY a preloaded model has left again by then: ``state`` is ``unloaded`` and ``preload`` says that
    it could be loaded.
    """
    status = speech_status()
    facts: dict[str, object] = {
        "state": status.state if status else OwnerState.UNLOADED,
        "since": status.since.isoformat() if status else None,
        "models": status.models if status else 0,
        "waiting": status.waiting if status else 0,
        "speaking": status.speaking if status else 0,
        "sentences": status.sentences if status else 0,
        "memory_bytes": status.memory_bytes if status else None,
        "model": settings.XTTS_BUNDLE,
        "preload": _preload_state(),
        "low_memory": settings.SPEECH_LOW_MEMORY,
        "graphs": asdict(status.graphs) if status and status.graphs else None,
        "error": (status.last_error if status else "") or None,
    }
    try:
        open_bundle(storage.bundle_dir(settings.XTTS_BUNDLE))
    except DomainError as error:
        # Its message holds a path of this machine, and anybody may ask.
        return False, {**facts, "state": "error", "error": error.code}
    if status is not None and ModelChoice(storage.bundle_dir(settings.XTTS_BUNDLE)) in status.failed:
        return False, {**facts, "state": "error"}
    waited_for = _preload is not None and not _preload.done
    in_vain = _preload is not None and _preload.failed and not (status and status.loads)
    return not (waited_for or in_vain), facts


def _preload_state() -> str | None:
    if _preload is None:
        return None
    return "loading" if not _preload.done else "failed" if _preload.failed else "loaded"
