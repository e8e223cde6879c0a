"""A recording as a whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.db import transaction

from datasets.choices import SourceState
from datasets.models import SourceVideo
from datasets.services.following import stop_jobs
from datasets.services.names import TITLE_LENGTH
from datasets.services.transcribers import transcriber_named
from xttsproject import storage
from xttsproject.jobs.registry import Ending
from xttsproject.lib.errors import Cancelled, DomainError


def source_update(
    *,
    source: SourceVideo,
    title: str | None = None,
    visibility: str | None = None,
    transcriber: str | None = None,
) -> SourceVideo:
    """Rename or share a recording, or choose the model that listens to it. DomainErrors ``name_empty``,
    ``model_unknown``."""
    if title is not None:
        source.title = " ".join(title.split())[:TITLE_LENGTH]
        if not source.title:
            raise DomainError("name_empty", "Give the recording a title.", field="title")
    if visibility is not None:
        source.visibility = visibility
    if transcriber is not None:
        source.transcriber = transcriber_named(transcriber)
    source.save(update_fields=["title", "visibility", "transcriber"])
    return source


def source_delete(*, source: SourceVideo) -> None:
    """Delete a recording with its segments and files, and stop what works on it.

    Frozen dataset versions own copies of their clips and stay as they are.
    """
    folder = source.folder
    with transaction.atomic():
        stop_jobs(subject=source)
        source.delete()
        transaction.on_commit(lambda: storage.remove_tree(folder))


@contextlib.contextmanager
def files_follow_row(source: SourceVideo) -> Iterator[None]:
    """While a job works on a recording that is deleted meanwhile, no file of it may come back or stay.

    DomainError ``subject_gone`` for whatever went wrong because the row was no longer there.
    """
    gone = DomainError("subject_gone", f"“{source.title}” was deleted while it was being worked on.")
    try:
        yield
    except Cancelled:
        raise
    except Exception as error:
        if _exists(source):
            raise
        raise gone from error
    finally:
        if not _exists(source):
            storage.remove_tree(source.folder)


def _exists(source: SourceVideo) -> bool:
    return SourceVideo.objects.filter(pk=source.pk).exists()


def source_ended(*, source: SourceVideo, ending: Ending) -> None:
    """Record on the recording why its job failed, or that it was cancelled."""
    if ending.cancelled:
        source.stop(SourceState.CANCELLED)
    else:
        source.stop(SourceState.FAILED, code=ending.code, message=ending.message)
