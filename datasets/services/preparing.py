"""From an original file to a master and its segments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import transaction

from datasets.choices import SourceState
from datasets.models import Segment, SourceVideo
from datasets.pipeline.media import MediaFacts, decode_to_master
from datasets.pipeline.segment import SegmentationResult, find_segments
from datasets.services.measuring import SpanMeasures, spans_measure
from datasets.services.names import renamed
from datasets.services.uploads import facts_fields
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_start
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Part, Progress

_BEFORE = (
    SourceState.WAITING,
    SourceState.FETCHING,
    SourceState.PREPARING,
    SourceState.FAILED,
    SourceState.CANCELLED,
)


def source_prepare(*, source: SourceVideo, owner: Any, progress: Progress) -> Job | None:
    """Decode, cut and measure, then start transcription. Segments appear all at once or not at all.

    Run again after an interruption it begins anew; once the recording is cut it changes nothing, so that no review
    is lost. DomainErrors: those of :func:`datasets.pipeline.media.decode_to_master`, and ``no_speech``.
    """
    if source.state in _BEFORE and not source.segments.exists():
        source.advance(SourceState.PREPARING, since=_BEFORE)
        try:
            _prepare(source, progress)
        except BaseException:
            # The original stays for another try; a master without segments is of no use to anybody.
            source.master_path.unlink(missing_ok=True)
            raise
    if source.state != SourceState.SEGMENTED:
        return None
    return transcription_start(source=source, owner=owner)


def transcription_start(*, source: SourceVideo, owner: Any) -> Job:
    return job_start(kind="datasets.transcribe", title=f"Transcribe “{source.title}”", owner=owner, subject=source)


def _prepare(source: SourceVideo, progress: Progress) -> None:
    try:
        facts = decode_to_master(
            source.original_path,
            source.master_path,
            max_seconds=settings.RECORDING_MAX_SECONDS,
            progress=Part(progress, 0.0, 0.5),
        )
    except DomainError as error:
        raise renamed(error, source.original_path, source.original_name or source.title) from error
    result = find_segments(source.master_path, progress=Part(progress, 0.5, 0.85))
    measures = spans_measure(master=source.master_path, spans=result.spans, progress=Part(progress, 0.85, 1.0))
    _record(source, facts, result, measures)


def _record(
    source: SourceVideo, facts: MediaFacts, result: SegmentationResult, measures: Sequence[SpanMeasures]
) -> None:
    segments = [
        Segment(
            source=source,
            index=index,
            start=span.start,
            end=span.end,
            flags=measured.flags,
            quality=measured.quality,
        )
        for index, (span, measured) in enumerate(zip(result.spans, measures, strict=True), start=1)
    ]
    with transaction.atomic():
        # The row may have been deleted, or another worker been quicker, while this one was decoding.
        if not source.advance(SourceState.SEGMENTED, since=(SourceState.PREPARING,)):
            return
        source.segments.all().delete()
        Segment.objects.bulk_create(segments, batch_size=200)
        fields = facts_fields(facts) | {"notices": _notices(facts, result)}
        SourceVideo.objects.filter(pk=source.pk).update(**fields)
    source.refresh_from_db()


def _notices(facts: MediaFacts, result: SegmentationResult) -> list[dict[str, Any]]:
    """[{start, end, reason}] in seconds of the master; both times None for what concerns the whole recording."""
    notices: list[dict[str, Any]] = [
        {"start": start, "end": end, "reason": reason} for start, end, reason in result.left_out
    ]
    if facts.note:
        notices.insert(0, {"start": None, "end": None, "reason": facts.note})
    return notices
