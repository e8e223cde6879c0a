"""What freezing a dataset now would leave out, clip by clip, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from datasets.models import Dataset, Segment
from datasets.services.clip_measures import is_measured
from datasets.services.freezing import segment_refused
from datasets.services.left_out import NOT_SHARED, plain_reason, rows_told


@dataclass(frozen=True)
class Ground:
    """A reason with how many clips it keeps out; ``label`` completes “it is …”."""

    code: str
    label: str
    count: int


@dataclass(frozen=True)
class LeftOutNow:
    """``rows``: [{segment, source, recording, index, code, reason}] of the chosen reason, or of all; ``grounds`` of
    all, the commonest first; ``taken``: how many clips would be frozen; ``unmeasured``: how many of these have not been
    measured since they last changed, so that the model was not asked whether it can take them.
    """

    rows: tuple[dict[str, Any], ...]
    grounds: tuple[Ground, ...]
    taken: int
    unmeasured: int


def dataset_left_out(*, dataset: Dataset, viewer: Any, code: str = "") -> LeftOutNow:
    """Every clip of the dataset's recordings that would not be frozen; those of recordings that ``viewer`` does not see
    without title, place and details. ``code`` narrows the rows to one reason.
    """
    shown = set(dataset.sources.visible_to(dataset.owner).values_list("pk", flat=True))
    segments = Segment.objects.filter(source__datasets=dataset).select_related("source__speaker").defer("words")
    rows: list[dict[str, Any]] = []
    taken = unmeasured = 0
    for segment in segments.with_decisions().order_by("source__created_at", "source", "index"):
        refused = segment_refused(segment, dataset) if segment.source_id in shown else NOT_SHARED
        if refused is None:
            taken += 1
            unmeasured += not is_measured(segment)
            continue
        rows.append(
            {
                "segment": segment.pk,
                "source": str(segment.source_id),
                "index": segment.index,
                "code": refused[0],
                "reason": refused[1],
            }
        )
    counts = Counter(row["code"] for row in rows)
    grounds = tuple(Ground(each, plain_reason({"code": each}), count) for each, count in counts.most_common())
    chosen = [row for row in rows if not code or row["code"] == code]
    return LeftOutNow(tuple(rows_told(rows=chosen, viewer=viewer)), grounds, taken, unmeasured)
