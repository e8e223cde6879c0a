"""A person names the language of a recording, or has it detected anew."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from datasets.choices import UNDETERMINED, Origin, ReviewStatus, SourceState
from datasets.models import SourceVideo
from datasets.services.languages import recording_language
from datasets.services.preparing import transcription_start
from xttsproject.jobs.models import Job
from xttsproject.lib.errors import DomainError


def source_language_set(*, source: SourceVideo, language: str, owner: Any) -> Job | None:
    """Name the language of a recording (“detect”: have it heard anew); what nobody touched is transcribed in it.

    None where nothing is to be transcribed: before the recording is cut, or where people have decided on everything.
    DomainErrors: ``language_unsupported``, ``language_busy`` while it is being transcribed, ``language_in_use`` in a
    dataset of another language, ``language_settled`` for detection where segments are approved or came with a dataset.
    """
    wanted = recording_language(language)
    if wanted == source.language and wanted != UNDETERMINED:
        return None
    with transaction.atomic():
        locked = SourceVideo.objects.select_for_update().get(pk=source.pk)
        _check(locked, wanted)
        rows = SourceVideo.objects.filter(pk=source.pk)
        rows.update(language=wanted, heard_language={}, cut_by_words_at=None)
        # What was measured of a text depends on its language.
        locked.segments.update(measured_key="")
        count = locked.segments.untouched().update(transcribed_at=None, awaits_second=False)
        if not count and source.segments.exists():
            # People have decided on everything, so there is nothing left to wait for.
            rows.filter(state=SourceState.ASKING).update(state=SourceState.READY, error="", error_code="")
        source.refresh_from_db(fields=["language", "heard_language", "cut_by_words_at", "state", "error", "error_code"])
        return transcription_start(source=source, owner=owner) if count else None


def _check(source: SourceVideo, wanted: str) -> None:
    if Job.objects.about(source).active().filter(kind="datasets.transcribe").exists():
        raise DomainError(
            "language_busy",
            f"“{source.title}” is being transcribed; wait for the end or cancel it, then choose the language.",
            permanent=False,
            field="language",
        )
    other = source.datasets.exclude(language=wanted).first()
    if other is not None:
        raise DomainError(
            "language_in_use",
            f"“{source.title}” belongs to a dataset in {other.get_language_display()}; take it out of its datasets "
            "before you change its language.",
            field="language",
        )
    if wanted == UNDETERMINED and source.origin == Origin.DATASET:
        raise DomainError(
            "language_settled",
            f"The transcripts of “{source.title}” came with its dataset, so nothing listens to it; choose a language.",
            field="language",
        )
    if wanted == UNDETERMINED and source.segments.filter(status=ReviewStatus.APPROVED).exists():
        raise DomainError(
            "language_settled",
            f"Segments of “{source.title}” are approved, so somebody knows its language; choose it.",
            field="language",
        )
