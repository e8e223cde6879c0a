"""Correcting and reviewing segments."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from datasets.choices import TRANSCRIPT_FLAGS, Flag, ReviewStatus
from datasets.models import Segment
from datasets.pipeline.text import check_text
from datasets.pipeline.transcribe import clean_text
from datasets.querysets import SegmentQuerySet
from xttsproject.lib.errors import DomainError


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
    return check_text(text, language) if text.strip() else ["The text is empty."]


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
        found = [] if not problems else [(Flag.UNSPEAKABLE if cleaned else Flag.NO_TEXT).value]
        if kept + found != segment.flags:
            segment.flags = kept + found
            Segment.objects.filter(pk=segment.pk).update(flags=segment.flags)
        segment.set_text(cleaned)
    return segment


def segments_review(*, segments: SegmentQuerySet, status: str, reviewer: Any) -> ReviewOutcome:
    """Approve, reject or reopen; ``segments`` holds only what the reviewer may change.

    Approval skips what could not be trained on and says of each why. DomainError ``status_unknown``.
    """
    if status not in ReviewStatus.values:
        raise DomainError(
            "status_unknown",
            f"“{status}” is no review status; use one of {', '.join(ReviewStatus.values)}.",
            field="status",
        )
    wanted = ReviewStatus(status)
    changed = unchanged = 0
    skipped: list[Skipped] = []
    with transaction.atomic():
        for segment in segments.select_related("source").order_by("source", "index"):
            if segment.status == wanted:
                unchanged += 1
                continue
            problems: list[str] = []
            if wanted == ReviewStatus.APPROVED:
                problems = text_problems(text=segment.text, language=segment.source.language)
            if problems:
                skipped.append(Skipped(segment.pk, segment.index, segment.source.title, problems[0]))
                continue
            segment.review(wanted, reviewer)
            changed += 1
    return ReviewOutcome(changed, unchanged, tuple(skipped))


def segment_review(*, segment: Segment, status: str, reviewer: Any) -> Segment:
    """Review one segment. DomainErrors ``status_unknown``, ``text_unusable``."""
    outcome = segments_review(segments=Segment.objects.filter(pk=segment.pk), status=status, reviewer=reviewer)
    for skip in outcome.skipped:
        raise DomainError("text_unusable", f"Segment {skip.index} cannot be approved: {skip.reason}", field="text")
    segment.refresh_from_db()
    return segment
