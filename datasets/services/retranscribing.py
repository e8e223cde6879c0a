"""Having the machine listen again: to one clip, to a selection, or to a whole recording."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from datasets.choices import Origin
from datasets.models import Segment, SourceVideo
from datasets.querysets import SegmentQuerySet
from datasets.services.preparing import transcription_start
from datasets.services.transcribers import transcriber_named
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_start
from xttsproject.lib.errors import DomainError

KIND = "datasets.retranscribe"
LARGEST_SELECTION = 5000


def segments_retranscribe(*, source: SourceVideo, owner: Any, transcriber: str | None = None) -> tuple[Job, int]:
    """Have the machine listen again to what nobody has corrected or reviewed of a recording; the job and their number.

    ``transcriber`` names the model that listens from now on; None leaves it as it is, empty is the default one.
    DomainErrors: ``not_segmented``, ``nothing_to_transcribe``, ``model_unknown``.
    """
    if not source.segments.exists():
        raise DomainError(
            "not_segmented", f"“{source.title}” has not been cut into segments yet, so nothing can be transcribed."
        )
    if source.origin == Origin.DATASET:
        raise DomainError(
            "nothing_to_transcribe",
            f"The transcripts of “{source.title}” came with its dataset, and no machine writes over them; correct them "
            "by hand.",
        )
    with transaction.atomic():
        if transcriber is not None:
            source.transcriber = transcriber_named(transcriber)
            source.save(update_fields=["transcriber"])
        count = _send_back(Segment.objects.filter(source=source))
        if not count:
            raise DomainError(
                "nothing_to_transcribe",
                f"Every segment of “{source.title}” has been corrected or reviewed; reopen those that the machine "
                "shall write anew.",
            )
        # New words, new cuts.
        SourceVideo.objects.filter(pk=source.pk).update(cut_by_words_at=None)
        return transcription_start(source=source, owner=owner), count


def selection_retranscribe(*, segments: SegmentQuerySet, owner: Any) -> tuple[Job, int]:
    """Have the machine listen again to those of ``segments`` that nobody has corrected or reviewed.

    ``segments`` holds only what the person may change. One job, however many recordings they are of; of one recording
    it is a job about that recording, so that its page shows it. DomainErrors ``nothing_to_transcribe``,
    ``selection_too_large``.
    """
    with transaction.atomic():
        chosen = list(segments.untouched().order_by("source", "index").select_related("source"))
        if not chosen:
            raise DomainError(
                "nothing_to_transcribe",
                "Each of these segments has been corrected or reviewed, came with its dataset, or is not yours to "
                "change; reopen those that the machine shall write anew.",
            )
        if len(chosen) > LARGEST_SELECTION:
            raise DomainError(
                "selection_too_large",
                f"{len(chosen)} segments are too many for one selection; the limit is {LARGEST_SELECTION}. Transcribe "
                "the recordings anew instead.",
            )
        ids = [segment.pk for segment in chosen]
        count = _send_back(Segment.objects.filter(pk__in=ids))
        sources = {segment.source_id: segment.source for segment in chosen}
        if len(sources) == 1:
            # The recording's own job takes whatever waits, also while it runs.
            return transcription_start(source=chosen[0].source, owner=owner), count
        title = f"Transcribe {count} segments of {len(sources)} recordings"
        return job_start(kind=KIND, title=title, owner=owner, arguments={"segments": ids}), count


def _send_back(segments: SegmentQuerySet) -> int:
    """What the machine wrote stays until it has written anew."""
    return segments.untouched().update(transcribed_at=None, awaits_second=False)
