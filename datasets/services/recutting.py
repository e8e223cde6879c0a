"""Cutting a recording anew by its words: once after it was transcribed, and never over a person's work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import models, transaction
from django.utils import timezone
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from datasets.choices import Flag, Origin
from datasets.models import Segment, SourceVideo
from datasets.pipeline.planning import SegmentSettings
from datasets.pipeline.recut import Heard, HeardWord, Piece, Recut, recut
from datasets.pipeline.segment import quietest_point
from datasets.pipeline.text import check_text
from datasets.pipeline.voice_activity import speech_stretches
from datasets.services.measuring import SpanMeasures, spans_measure
from xttsproject.lib.progress import Part, Progress

# What is known of a transcript beside its words: a part of a segment keeps it, a new segment has this instead.
_UNHEARD: dict[str, Any] = {
    "language_probability": None,
    "average_log_probability": None,
    "no_speech_probability": None,
    "compression_ratio": None,
    "transcribed_at": None,
    "transcribed_by": "",
}
_FIELDS = ["index", "start", "end", "text", "machine_text", "words", *_UNHEARD, "quality", "flags"]
_UNRELIABLE = {Flag.NO_TEXT.value, Flag.UNSURE.value, Flag.REPETITIVE.value}
_REASON = "Cut anew by its words"
_ATTEMPTS = 3
_BATCH = 200
# More than a recording has segments.
_OUT_OF_THE_WAY = 1_000_000


@dataclass(frozen=True)
class RecutOutcome:
    """``changed``: segments that were made anew; ``waiting``: those of them that are to be listened to again."""

    changed: int = 0
    waiting: int = 0


def source_recut(*, source: SourceVideo, progress: Progress) -> RecutOutcome:
    """Move, join and split segments so that cuts lie between words and, where they can, between sentences.

    Called when everything has been transcribed; does nothing the second time until the recording is transcribed anew,
    and nothing to the clips of an imported dataset, which were cut elsewhere.
    Segments that a person has corrected or reviewed stay as they are, and so do those whose transcript is in doubt.
    All changes appear at once or not at all.
    """
    if source.cut_by_words_at is not None or source.origin == Origin.DATASET:
        return RecutOutcome()
    rows = _rows(source)
    if all(_heard(row).fixed for row in rows):
        _settle(source)
        return RecutOutcome()
    speech = speech_stretches(source.master_path, progress=Part(progress, 0.0, 0.9))
    speech = [(start, min(end, source.seconds)) for start, end in speech if start < source.seconds]
    for _attempt in range(_ATTEMPTS):
        plan = recut(
            [_heard(row) for row in rows],
            speech,
            source.seconds,
            SegmentSettings(),
            lambda start, end: quietest_point(source.master_path, start, end),
        )
        spans = [piece.span for piece in plan.pieces]
        measures = spans_measure(master=source.master_path, spans=spans, progress=Part(progress, 0.9, 1.0))
        outcome = _replace(source, rows, plan, measures)
        if outcome is not None:
            return outcome
        # Somebody has edited or reviewed meanwhile.
        rows = _rows(source)
    # People are at work in it at this very moment: their cuts are these.
    _settle(source)
    return RecutOutcome()


def _settle(source: SourceVideo) -> None:
    source.cut_by_words_at = timezone.now()
    SourceVideo.objects.filter(pk=source.pk).update(cut_by_words_at=source.cut_by_words_at)


def _rows(source: SourceVideo) -> list[Segment]:
    return list(source.segments.order_by("start"))


def _heard(row: Segment) -> Heard:
    words = tuple(HeardWord(**word) for word in row.words)
    unreliable = row.transcribed_at is None or not words or bool(_UNRELIABLE & set(row.flags))
    return Heard(
        key=row.pk,
        start=row.start,
        end=row.end,
        text=row.text,
        words=words,
        fixed=not row.untouched or row.decided_by_person or unreliable,
        forced=Flag.FORCED_CUT.value in row.flags,
    )


@transaction.atomic
def _replace(
    source: SourceVideo, rows: Sequence[Segment], plan: Recut, measures: Sequence[SpanMeasures]
) -> RecutOutcome | None:
    """Write the plan; None where the segments are no longer those that it was made for."""
    locked = list(Segment.objects.select_for_update().filter(source=source).order_by("start"))
    if [_state(row) for row in locked] != [_state(row) for row in rows]:
        return None
    _settle(source)
    if not plan.pieces:
        return RecutOutcome()
    kept = [row for row in locked if row.pk in plan.kept]
    given_up = {row.pk: row for row in locked if row.pk not in plan.kept}
    facts = {key: {field: getattr(row, field) for field in _UNHEARD} for key, row in given_up.items()}
    taken_over: list[Segment] = []
    created: list[Segment] = []
    for piece, measured in zip(plan.pieces, measures, strict=True):
        row = _taken_over(piece, given_up)
        (created if row is None else taken_over).append(row := row or Segment(source=source))
        _write(row, piece, measured, facts[piece.part.key] if piece.part else {})
    Segment.objects.filter(pk__in=given_up).delete()
    # No two may have one number at any moment.
    source.segments.update(index=models.F("index") + _OUT_OF_THE_WAY)
    for index, row in enumerate(sorted([*kept, *taken_over, *created], key=lambda row: row.start), start=1):
        row.index = index
    Segment.objects.bulk_update(kept, ["index"], batch_size=_BATCH)
    bulk_update_with_history(taken_over, Segment, _FIELDS, batch_size=_BATCH, default_change_reason=_REASON)
    bulk_create_with_history(created, Segment, batch_size=_BATCH, default_change_reason=_REASON)
    _tell_left_out(source, plan)
    return RecutOutcome(len(plan.pieces), sum(piece.part is None for piece in plan.pieces))


def _state(row: Segment) -> tuple[Any, ...]:
    """What the plan depends on."""
    return row.pk, row.start, row.end, row.text, row.edited, row.status, row.decided_by_person, row.transcribed_at


def _taken_over(piece: Piece, given_up: dict[int, Segment]) -> Segment | None:
    """The row that most of the piece was, taken out of ``given_up``: its address and its history go on."""

    def shared(row: Segment) -> float:
        return min(row.end, piece.span.end) - max(row.start, piece.span.start)

    best = max(given_up.values(), key=shared, default=None)
    return given_up.pop(best.pk) if best is not None and shared(best) > 0 else None


def _write(row: Segment, piece: Piece, measured: SpanMeasures, facts: dict[str, Any]) -> None:
    """``facts``: what is known of the transcript that the piece is a part of; empty for one to be listened to."""
    part = piece.part
    row.start, row.end = piece.span.start, piece.span.end
    row.text = row.machine_text = part.text if part else ""
    row.words = [asdict(word) for word in part.words] if part else []
    row.quality, row.flags = measured.quality, measured.flags
    if part and check_text(part.text, row.source.language):
        row.flags = [*row.flags, Flag.UNSPEAKABLE.value]
    for field, value in (facts or _UNHEARD).items():
        setattr(row, field, value)


def _tell_left_out(source: SourceVideo, plan: Recut) -> None:
    """Say what no segment takes now, and no longer what one does."""
    current = SourceVideo.objects.select_for_update().get(pk=source.pk)
    spans = [piece.span for piece in plan.pieces]
    notices = [
        notice
        for notice in current.notices
        if notice["start"] is None or not any(s.start <= notice["start"] and notice["end"] <= s.end for s in spans)
    ]
    known = {(notice["start"], notice["end"]) for notice in notices}
    notices += [{"start": a, "end": b, "reason": why} for a, b, why in plan.left_out if (a, b) not in known]
    SourceVideo.objects.filter(pk=source.pk).update(notices=notices)
