"""Correcting and reviewing segments."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from simple_history.utils import bulk_update_with_history

from datasets.choices import TRANSCRIPT_FLAGS, UNDETERMINED, Flag, ReviewStatus
from datasets.models import Segment
from datasets.pipeline.text import check_text
from datasets.pipeline.transcript import clean_text
from datasets.querysets import SegmentQuerySet
from xttsproject.lib.errors import DomainError

# Segments that are written in one transaction: a fraction of a second.
BATCH = 200


@dataclass(frozen=True)
class Skipped:
    """A segment that was not changed, and why, as a sentence."""

    segment: int
    index: int
    recording: str
    reason: str


@dataclass(frozen=True)
class ReviewOutcome:
    changed: int
    unchanged: int
    skipped: tuple[Skipped, ...]

    def reasons(self) -> list[tuple[str, int]]:
        """Each reason with how many segments it held back, the commonest first."""
        return Counter(skip.reason for skip in self.skipped).most_common()


def text_problems(*, text: str, language: str) -> list[str]:
    """Why a text cannot be trained on, each in one sentence; empty when it can."""
    if not text.strip():
        return ["The text is empty."]
    if language == UNDETERMINED:
        return ["The language of the recording is not known yet; choose it on the recording's page."]
    return check_text(text, language)


def segment_edit(*, segment: Segment, text: str) -> Segment:
    """Take a person's correction of the transcript.

    DomainError ``text_unusable`` where the segment is approved and the new text could not be trained on.
    """
    cleaned = clean_text(text)
    if cleaned == segment.text:
        return segment
    problems = text_problems(text=cleaned, language=segment.source.language)
    if problems and segment.status == ReviewStatus.APPROVED:
        raise DomainError(
            "text_unusable",
            f"Segment {segment.index} is approved, and its new text could not be trained on: {problems[0]} "
            "Correct the text, or reopen the segment first.",
            field="text",
        )
    with transaction.atomic():
        # What the machine was unsure of, a person has now looked at.
        kept = [flag for flag in segment.flags if flag not in TRANSCRIPT_FLAGS]
        judged = segment.source.language_known or not cleaned
        found = [(Flag.UNSPEAKABLE if cleaned else Flag.NO_TEXT).value] if problems and judged else []
        if kept + found != segment.flags:
            segment.flags = kept + found
            Segment.objects.filter(pk=segment.pk).update(flags=segment.flags)
        segment.set_text(cleaned)
    return segment


def segments_review(*, segments: SegmentQuerySet, status: str, reviewer: Any) -> ReviewOutcome:
    """Approve, reject or reopen; ``segments`` holds only what the reviewer may change.

    Approval skips what could not be trained on and says of each why. Many are written in batches, each by itself, so
    that others can write in between. DomainError ``status_unknown``.
    """
    if status not in ReviewStatus.values:
        raise DomainError(
            "status_unknown",
            f"“{status}” is no review status; use one of {', '.join(ReviewStatus.values)}.",
            field="status",
        )
    wanted = ReviewStatus(status)
    chosen = list(segments.order_by("source", "index").values_list("pk", flat=True))
    parts = [
        _review_batch(segments.filter(pk__in=chosen[start : start + BATCH]), wanted, reviewer)
        for start in range(0, len(chosen), BATCH)
    ]
    return ReviewOutcome(
        sum(part.changed for part in parts),
        sum(part.unchanged for part in parts),
        tuple(skip for part in parts for skip in part.skipped),
    )


@transaction.atomic
def _review_batch(segments: SegmentQuerySet, wanted: ReviewStatus, reviewer: Any) -> ReviewOutcome:
    """Read, judge and write together, so that what is approved is what was judged."""
    unchanged = 0
    changed: list[Segment] = []
    skipped: list[Skipped] = []
    locked = segments.select_for_update(of=("self",)).select_related("source", "reviewer")
    for segment in locked.order_by("source", "index"):
        # What only a policy has approved or rejected so far, a person may confirm: then it is theirs.
        if segment.status == wanted and (wanted == ReviewStatus.PENDING or segment.decided):
            unchanged += 1
            continue
        problems: list[str] = []
        if wanted == ReviewStatus.APPROVED:
            problems = text_problems(text=segment.text, language=segment.source.language)
        if problems:
            skipped.append(Skipped(segment.pk, segment.index, segment.source.title, problems[0]))
            continue
        segment.mark(wanted, reviewer)
        changed.append(segment)
    if changed:
        bulk_update_with_history(changed, Segment, list(Segment.REVIEW_FIELDS), default_user=reviewer)
    return ReviewOutcome(len(changed), unchanged, tuple(skipped))


def segment_review(*, segment: Segment, status: str, reviewer: Any) -> Segment:
    """Review one segment. DomainErrors ``status_unknown``, ``text_unusable``."""
    outcome = segments_review(segments=Segment.objects.filter(pk=segment.pk), status=status, reviewer=reviewer)
    for skip in outcome.skipped:
        raise DomainError("text_unusable", f"Segment {skip.index} cannot be approved: {skip.reason}", field="text")
    segment.refresh_from_db()
    return segment
