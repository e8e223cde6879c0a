"""A dataset's policy: kept, shown on the data before it is applied, applied, and undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from simple_history.utils import bulk_update_with_history

from datasets.choices import Flag, ReviewStatus, Verdict
from datasets.models import Dataset, Screening, ScreeningDecision, Segment
from datasets.pipeline.screening.policy import Judgement, Policy, Reason, judge
from datasets.services.clip_measures import MEASURE, dataset_segments, is_measured
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_start
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress

SCREEN = "datasets.screen"
BATCH = 200
_STATUS = {"approve": ReviewStatus.APPROVED, "review": ReviewStatus.PENDING, "reject": ReviewStatus.REJECTED}
_FACTS = {
    "too_long": "longer than XTTS takes",
    "unusable": "not usable by XTTS",
    "forced_cut": "cut inside speech, for want of a pause",
}
# No correction of the text helps; everything else a person can mend.
_HOPELESS = ("clip_too_long", "clip_too_short")


@dataclass(frozen=True)
class Change:
    """What applying the policy would do to a clip."""

    segment: int
    index: int
    recording: str
    source: str
    before: str
    after: str
    verdict: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class RuleCount:
    """How many clips a rule sends to review, and how many it rejects."""

    rule: str
    fault: str
    review: int
    reject: int


@dataclass(frozen=True)
class Preview:
    """``counts`` by verdict, of the judged clips. ``kept``: decided by people and left alone; among them ``imported``
    that came in approved with a dataset. ``unmeasured``: not judged, because they have not been measured since they
    last changed.
    """

    counts: dict[str, int]
    rules: tuple[RuleCount, ...]
    changes: tuple[Change, ...]
    kept: int
    imported: int
    unmeasured: int


def policy_of(*, dataset: Dataset) -> Policy:
    return Policy.from_dict(dataset.policy)


def policy_set(*, dataset: Dataset, policy: Policy) -> None:
    """Keep a policy; nothing changes before it is applied."""
    dataset.policy = policy.as_dict()
    dataset.save(update_fields=["policy"])


def screening_preview(*, dataset: Dataset, policy: Policy, editor: Any) -> Preview:
    """What applying ``policy`` now would do to the clips that ``editor`` may change."""
    counts: Counter[str] = Counter()
    broken: Counter[tuple[str, str]] = Counter()
    changes = []
    every = dataset_segments(dataset=dataset, editor=editor)
    open_to_policy = every.left_to_policy()
    unmeasured = judged = 0
    copies = _Copies(every)
    for segment in open_to_policy.select_related("source").defer("words").iterator(chunk_size=500):
        if not is_measured(segment):
            unmeasured += 1
            continue
        judged += 1
        verdict = segment_judge(segment=segment, policy=policy, copies=copies)
        counts[verdict.verdict] += 1
        broken.update({(reason.rule, reason.verdict) for reason in verdict.reasons})
        after = _STATUS[verdict.verdict]
        copies.settle(segment.pk, after)
        if after != segment.status:
            changes.append(_change(segment, verdict, after))
    rules = tuple(
        RuleCount(name, _fault(name), broken[name, "review"], broken[name, "reject"])
        for name in dict.fromkeys(rule for rule, _verdict in broken.elements())
    )
    return Preview(
        counts={verdict: counts[verdict] for verdict in Verdict.values},
        rules=tuple(sorted(rules, key=lambda rule: -(rule.review + rule.reject))),
        changes=tuple(changes),
        kept=every.count() - judged - unmeasured,
        imported=every.approved().filter(edited=False, decided_by_person=True, source__imported__approve=True).count(),
        unmeasured=unmeasured,
    )


def screening_start(*, dataset: Dataset, owner: Any) -> tuple[Screening, Job]:
    """Start applying the dataset's policy. DomainErrors ``screening_active`` while its clips are being measured or
    screened, ``nothing_to_screen`` where no clip is measured and left to the policy.
    """
    waiting = dataset_segments(dataset=dataset, editor=owner).left_to_policy().defer("words")
    if not any(is_measured(segment) for segment in waiting.iterator(chunk_size=500)):
        raise DomainError(
            "nothing_to_screen",
            f"No clip of “{dataset.name}” is measured and undecided; measure its clips first, or reopen some.",
        )
    with transaction.atomic():
        _require_idle(dataset)
        screening = Screening.objects.create(
            dataset=dataset, policy=policy_of(dataset=dataset).as_dict(), applied_by=owner
        )
        job = job_start(
            kind=SCREEN,
            title=f"Screen “{dataset.name}”",
            owner=owner,
            subject=dataset,
            arguments={"screening": screening.pk},
        )
    return screening, job


def screening_undo_start(*, dataset: Dataset, owner: Any) -> Job:
    """Start undoing what was applied last. DomainErrors ``nothing_to_undo``, ``screening_active``."""
    with transaction.atomic():
        _require_idle(dataset)
        last = dataset.screenings.filter(undone_at=None).first()
        if last is None:
            raise DomainError("nothing_to_undo", f"No screening of “{dataset.name}” is left to undo.")
        return job_start(
            kind=SCREEN,
            title=f"Undo the screening of “{dataset.name}”",
            owner=owner,
            subject=dataset,
            arguments={"screening": last.pk, "undo": True},
        )


def screening_apply(*, screening: Screening, editor: Any, progress: Progress) -> dict[str, int]:
    """Decide clip by clip, in batches that are written whole. What a person decided is never touched.

    Run again after an interruption it goes on with those that it has not decided. Returns the counts.
    """
    policy = Policy.from_dict(screening.policy)
    every = dataset_segments(dataset=screening.dataset, editor=editor)
    waiting = every.left_to_policy().exclude(decisions__screening=screening)
    chosen = list(waiting.values_list("pk", flat=True))
    copies = _Copies(every)
    for begin in range(0, len(chosen), BATCH):
        progress.check()
        progress.report(begin / len(chosen), f"{begin} of {len(chosen)} clips")
        _decide(screening, policy, chosen[begin : begin + BATCH], copies, editor)
    counts = Counter(screening.decisions.values_list("verdict", flat=True))
    total = {verdict: counts[verdict] for verdict in Verdict.values}
    total["changed"] = sum(before != after for before, after in _statuses(screening))
    Screening.objects.filter(pk=screening.pk).update(counts=total, applied_at=timezone.now())
    return total


def screening_undo(*, screening: Screening, editor: Any, progress: Progress) -> int:
    """Give back the status that each clip had, unless somebody has decided on it since. Returns how many were."""
    changed = [
        (segment, before)
        for segment, before, after in screening.decisions.values_list("segment", "status_before", "status_after")
        if before != after
    ]
    undone = 0
    for begin in range(0, len(changed), BATCH):
        progress.check()
        progress.report(begin / len(changed), f"{begin} of {len(changed)} clips")
        before = dict(changed[begin : begin + BATCH])
        with transaction.atomic():
            rows = dataset_segments(dataset=screening.dataset, editor=editor).left_to_policy()
            own = rows.filter(pk__in=before, decisions__screening=screening)
            segments = [
                segment for segment in own.select_for_update(of=("self",)) if segment.status != before[segment.pk]
            ]
            for segment in segments:
                segment.screen(ReviewStatus(before[segment.pk]))
            _write(segments, editor, "Screening undone")
        undone += len(segments)
    Screening.objects.filter(pk=screening.pk).update(undone_at=timezone.now())
    return undone


def segment_judge(*, segment: Segment, policy: Policy, copies: _Copies) -> Judgement:
    values = segment.measured_values
    values["duplicate"] = 1.0 if copies.stands(values.get("duplicate_of")) else 0.0
    return judge(values, policy, tuple(_facts(segment)))


class _Copies:
    """Whether the clip that another one repeats is there: in this dataset, and not rejected.

    Clips are judged in the order in which one repeats another, so each is settled before its copies are judged: of two
    copies one stays, whichever of them the policy itself rejects.
    """

    def __init__(self, every: Any):
        self._there = set(every.exclude(status=ReviewStatus.REJECTED).values_list("pk", flat=True))

    def stands(self, earlier: int | None) -> bool:
        return earlier in self._there

    def settle(self, segment: int, status: ReviewStatus) -> None:
        (self._there.discard if status == ReviewStatus.REJECTED else self._there.add)(segment)


def _facts(segment: Segment) -> Iterable[Reason]:
    """What holds whatever the policy."""
    problem = segment.quality.get("problem")
    if problem is not None:
        verdict = "reject" if problem["code"] in _HOPELESS else "review"
        rule = "too_long" if problem["code"] == "clip_too_long" else "unusable"
        yield Reason(rule, verdict, f"not usable: {problem['reason']}")  # type: ignore[arg-type]
    if Flag.FORCED_CUT in segment.flags:
        yield Reason("forced_cut", "review", _FACTS["forced_cut"])


def _fault(rule: str) -> str:
    from datasets.pipeline.screening.catalogue import RULES

    return RULES[rule].fault if rule in RULES else _FACTS[rule]


def _change(segment: Segment, verdict: Judgement, after: ReviewStatus) -> Change:
    return Change(
        segment=segment.pk,
        index=segment.index,
        recording=segment.source.title,
        source=str(segment.source_id),
        before=str(ReviewStatus(segment.status).label),
        after=str(after.label),
        verdict=verdict.verdict,
        reasons=verdict.reasons,
    )


@transaction.atomic
def _decide(screening: Screening, policy: Policy, keys: Sequence[int], copies: _Copies, editor: Any) -> None:
    """Read, judge and write together, so that nobody's decision in between is overwritten."""
    rows = Segment.objects.editable_by(editor).left_to_policy().filter(pk__in=keys)
    changed, decisions = [], []
    for segment in rows.select_for_update(of=("self",)).order_by("source__created_at", "source", "index"):
        if not is_measured(segment):
            continue
        verdict = segment_judge(segment=segment, policy=policy, copies=copies)
        after = _STATUS[verdict.verdict]
        copies.settle(segment.pk, after)
        decisions.append(
            ScreeningDecision(
                screening=screening,
                segment=segment,
                verdict=verdict.verdict,
                reasons=[reason.as_dict() for reason in verdict.reasons],
                status_before=segment.status,
                status_after=after,
            )
        )
        if after != segment.status:
            segment.screen(after)
            changed.append(segment)
    ScreeningDecision.objects.bulk_create(decisions)
    _write(changed, editor, "Screening")


def _write(segments: Sequence[Segment], editor: Any, reason: str) -> None:
    if segments:
        bulk_update_with_history(
            segments, Segment, ["status"], default_user=editor, default_change_reason=reason, batch_size=BATCH
        )


def _statuses(screening: Screening) -> Any:
    return screening.decisions.values_list("status_before", "status_after")


def _require_idle(dataset: Dataset) -> None:
    active = Job.objects.about(dataset).active().filter(kind__in=(SCREEN, MEASURE)).first()
    if active is not None:
        raise DomainError(
            "screening_active", f"“{active.title}” is still under way; wait for its end or cancel it.", permanent=False
        )
