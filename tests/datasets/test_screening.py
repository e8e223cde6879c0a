"""A policy is previewed, applied and undone; people's decisions stay theirs; nothing is left out unsaid."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from datasets.choices import ReviewStatus
from datasets.models import Dataset, Screening, Segment
from datasets.pipeline.screening.policy import Policy, Thresholds
from datasets.services import screening as service
from datasets.services.clip_measures import is_measured, measured_key
from datasets.services.freezing import dataset_select
from datasets.services.leaving_out import dataset_left_out
from datasets.services.screening import (
    policy_of,
    policy_set,
    screening_apply,
    screening_preview,
    screening_start,
    screening_undo,
    screening_undo_start,
)
from datasets.services.segments import segment_edit, segment_review, segments_review
from tests.datasets.factories import DatasetFactory, SegmentFactory, SourceFactory
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Silent

GOOD = {
    "snr_db": 40.0,
    "clipped_share": 0.0,
    "flat_top_share": 0.0,
    "loudness_lufs": -23.0,
    "bandwidth_hz": 11000.0,
    "speech_ratio": 0.8,
    "edge_excess_db": -6.0,
    "pace": 1.0,
    "repeated_share": 0.0,
    "copies_of_text": 0,
    "duplicate_of": None,
    "problem": None,
}


def measured(segment: Segment, **values: Any) -> Segment:
    segment.quality, segment.measured_key = {**GOOD, **values}, measured_key(segment)
    segment.save()
    return segment


@pytest.fixture
def case(people: SimpleNamespace) -> SimpleNamespace:
    """A good clip, a noisy one, one with a cut edge, and one that nobody has measured; all of anna's."""
    source = SourceFactory(owner=people.anna, title="Talk")
    clips = SimpleNamespace(
        good=measured(SegmentFactory(source=source, index=1)),
        noisy=measured(SegmentFactory(source=source, index=2), snr_db=8.0),
        cut=measured(SegmentFactory(source=source, index=3), edge_excess_db=12.5),
        unmeasured=SegmentFactory(source=source, index=4),
    )
    dataset = DatasetFactory(owner=people.anna, speaker=source.speaker, sources=[source])
    return SimpleNamespace(people=people, anna=people.anna, source=source, dataset=dataset, clips=clips)


def statuses(case: SimpleNamespace) -> list[str]:
    return list(case.source.segments.order_by("index").values_list("status", flat=True))


def apply(case: SimpleNamespace, progress: Any = None) -> Screening:
    screening = Screening.objects.create(dataset=case.dataset, policy=policy_of(dataset=case.dataset).as_dict())
    screening_apply(screening=screening, editor=case.anna, progress=progress or Silent())
    screening.refresh_from_db()
    return screening


def test_a_preview_counts_what_would_change_and_changes_nothing(case: SimpleNamespace):
    preview = screening_preview(dataset=case.dataset, policy=Policy(), editor=case.anna)
    assert preview.counts == {"approve": 1, "review": 1, "reject": 1}
    assert (preview.kept, preview.unmeasured) == (0, 1)
    assert {(rule.rule, rule.review, rule.reject) for rule in preview.rules} == {("noise", 0, 1), ("cut_edge", 1, 0)}
    assert [(change.index, change.before, change.after) for change in preview.changes] == [
        (1, "To review", "Approved"),
        (2, "To review", "Rejected"),
    ]
    assert statuses(case) == ["pending"] * 4


def test_applying_records_rule_value_and_threshold_of_each_clip(case: SimpleNamespace):
    screening = apply(case)
    assert statuses(case) == ["approved", "rejected", "pending", "pending"]
    assert screening.counts == {"approve": 1, "review": 1, "reject": 1, "changed": 2}
    assert screening.applied_at is not None
    decision = case.clips.noisy.decision
    assert decision.reasons == [
        {
            "rule": "noise",
            "verdict": "reject",
            "sentence": "noisy (signal to noise: 8.0 dB, below 15.0 dB)",
            "measure": "snr_db",
            "value": 8.0,
            "threshold": 15.0,
        }
    ]
    assert case.clips.cut.decision.verdict == "review"
    assert case.clips.unmeasured.decision is None


def test_who_changed_a_clip_stands_in_its_history(case: SimpleNamespace):
    apply(case)
    newest = case.clips.noisy.history.first()
    assert (newest.status, newest.history_user, newest.history_change_reason) == ("rejected", case.anna, "Screening")


@pytest.mark.parametrize("decided", ["approved", "rejected", "reopened", "corrected"])
def test_what_a_person_decided_is_never_touched(case: SimpleNamespace, decided: str):
    noisy = case.clips.noisy
    if decided == "corrected":
        segment_edit(segment=noisy, text="Another text.")
        noisy.refresh_from_db()
        measured(noisy, snr_db=1.0)
    elif decided == "reopened":
        segment_review(segment=noisy, status="approved", reviewer=case.people.cora)
        segment_review(segment=noisy, status="pending", reviewer=case.people.cora)
    else:
        segment_review(segment=noisy, status=decided, reviewer=case.people.cora)
    before = Segment.objects.get(pk=noisy.pk).status
    policy_set(dataset=case.dataset, policy=Policy({"noise": Thresholds(89.0, 88.0)}))
    assert screening_preview(dataset=case.dataset, policy=policy_of(dataset=case.dataset), editor=case.anna).kept == 1
    apply(case)
    noisy.refresh_from_db()
    assert noisy.status == before
    assert noisy.decision is None


def test_a_review_whose_reviewer_is_gone_is_still_a_persons(case: SimpleNamespace):
    Segment.objects.filter(pk=case.clips.noisy.pk).update(status=ReviewStatus.APPROVED)
    apply(case)
    assert statuses(case)[1] == "approved"


def test_undoing_gives_back_what_was_and_leaves_what_people_decided_since(case: SimpleNamespace):
    screening = apply(case)
    segment_review(segment=Segment.objects.get(pk=case.clips.noisy.pk), status="approved", reviewer=case.people.cora)
    assert screening_undo(screening=screening, editor=case.anna, progress=Silent()) == 1
    assert statuses(case) == ["pending", "approved", "pending", "pending"]
    assert Segment.objects.get(pk=case.clips.good.pk).decision is None
    screening.refresh_from_db()
    assert screening.undone_at is not None


def test_another_policy_decides_anew_on_what_screening_decided(case: SimpleNamespace):
    apply(case)
    policy_set(dataset=case.dataset, policy=Policy({"noise": Thresholds(5.0, None)}, approve=False))
    second = apply(case)
    assert statuses(case) == ["pending"] * 4
    screening_undo(screening=second, editor=case.anna, progress=Silent())
    assert statuses(case) == ["approved", "rejected", "pending", "pending"]
    decision = Segment.objects.get(pk=case.clips.noisy.pk).decision
    assert decision is not None
    assert decision.verdict == "reject"


def test_a_screening_that_was_interrupted_goes_on_where_it_was(case: SimpleNamespace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service, "BATCH", 1)
    screening = Screening.objects.create(dataset=case.dataset, policy=Policy().as_dict())
    asked = iter([False, True])
    with pytest.raises(Cancelled):
        screening_apply(screening=screening, editor=case.anna, progress=Callback(should_stop=lambda: next(asked)))
    assert screening.decisions.count() == 1
    screening_apply(screening=screening, editor=case.anna, progress=Silent())
    assert statuses(case) == ["approved", "rejected", "pending", "pending"]
    assert screening.decisions.count() == 3


def test_the_jobs_apply_and_undo(case: SimpleNamespace, work: Callable[[], list[str]]):
    screening_start(dataset=case.dataset, owner=case.anna)
    with pytest.raises(DomainError, match="still under way"):
        screening_start(dataset=case.dataset, owner=case.anna)
    assert work() == ["succeeded"]
    assert statuses(case) == ["approved", "rejected", "pending", "pending"]
    screening_undo_start(dataset=case.dataset, owner=case.anna)
    assert work() == ["succeeded"]
    assert statuses(case) == ["pending"] * 4
    with pytest.raises(DomainError, match="left to undo"):
        screening_undo_start(dataset=case.dataset, owner=case.anna)


def test_screening_without_measures_says_what_to_do(case: SimpleNamespace):
    Segment.objects.update(measured_key="")
    with pytest.raises(DomainError, match="measure its clips first"):
        screening_start(dataset=case.dataset, owner=case.anna)


def test_a_clip_whose_text_changed_since_is_not_judged(case: SimpleNamespace):
    Segment.objects.filter(pk=case.clips.good.pk).update(text="Heard otherwise.")
    assert not is_measured(Segment.objects.get(pk=case.clips.good.pk))
    assert screening_preview(dataset=case.dataset, policy=Policy(), editor=case.anna).unmeasured == 2


def test_what_xtts_cannot_take_is_never_approved(case: SimpleNamespace):
    problem = {"code": "text_unknown", "reason": "the model does not know '♪' of its text"}
    measured(case.clips.good, problem=problem)
    too_long = measured(
        SegmentFactory(source=case.source, index=9, start=30.0, end=42.0),
        problem={"code": "clip_too_long", "reason": "12.0 s is longer than the 11.6 s that the model takes"},
    )
    apply(case)
    assert statuses(case)[0] == "pending"
    assert case.clips.good.decision.reasons[0]["sentence"] == f"not usable: {problem['reason']}"
    too_long.refresh_from_db()
    assert too_long.status == "rejected"


def test_a_copy_of_a_clip_is_rejected_while_the_first_one_stays(case: SimpleNamespace):
    copy = measured(SegmentFactory(source=case.source, index=5), duplicate_of=case.clips.good.pk)
    lone = measured(SegmentFactory(source=case.source, index=6), duplicate_of=999_999)
    apply(case)
    copy.refresh_from_db()
    lone.refresh_from_db()
    assert (copy.status, lone.status) == ("rejected", "approved")


def test_only_clips_that_the_person_may_change_are_judged(case: SimpleNamespace):
    foreign = SourceFactory(owner=case.people.ben, speaker=case.source.speaker, visibility="team")
    clip = measured(SegmentFactory(source=foreign, index=1), snr_db=1.0)
    case.dataset.sources.add(foreign)
    apply(case)
    clip.refresh_from_db()
    assert clip.status == "pending"


def test_every_clip_that_is_left_out_stands_there_with_its_reason(case: SimpleNamespace):
    apply(case)
    segment_review(segment=Segment.objects.get(pk=case.clips.unmeasured.pk), status="rejected", reviewer=case.anna)
    Segment.objects.create(source=case.source, index=7, start=50, end=62, text="Too long.", status="approved")
    found = dataset_left_out(dataset=case.dataset, viewer=case.anna)
    assert [(row["index"], row["code"], row["reason"]) for row in found.rows] == [
        (2, "screened_noise", "rejected by screening: noisy (signal to noise: 8.0 dB, below 15.0 dB)"),
        (3, "review", "to be reviewed: cut inside a word (sound at the edges: 12.5 dB, above -1.5 dB)"),
        (4, "rejected", "rejected"),
        (7, "clip_too_long", "not usable: 12.0 s is longer than the 11.6 s that the model takes"),
    ]
    assert found.taken == 1
    assert {ground.code for ground in found.grounds} == {row["code"] for row in found.rows}
    only = dataset_left_out(dataset=case.dataset, viewer=case.anna, code="screened_noise")
    assert [row["index"] for row in only.rows] == [2]
    assert len(only.grounds) == 4
    assert [row["code"] for row in dataset_select(dataset=case.dataset).left_out] == [row["code"] for row in found.rows]


def test_of_a_recording_that_one_does_not_see_no_detail_is_told(case: SimpleNamespace):
    Dataset.objects.update(visibility="team")
    apply(case)
    rows = dataset_left_out(dataset=case.dataset, viewer=case.people.ben).rows
    assert {row["source"] for row in rows} == {None}
    assert "8.0" not in str(rows)
    assert rows[0]["reason"] == "rejected by screening: noisy"


@pytest.mark.parametrize("batch", [1, 200])
def test_of_two_copies_one_stays_also_where_the_earlier_is_rejected(
    case: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, batch: int
):
    monkeypatch.setattr(service, "BATCH", batch)
    measured(case.clips.cut, duplicate_of=case.clips.noisy.pk)
    preview = screening_preview(dataset=case.dataset, policy=Policy(), editor=case.anna)
    assert preview.counts == {"approve": 2, "review": 0, "reject": 1}
    apply(case)
    assert statuses(case) == ["approved", "rejected", "approved", "pending"]
    # A policy that takes the earlier one after all needs its copy no more.
    rules = {**Policy().thresholds, "noise": Thresholds(None, None)}
    policy_set(dataset=case.dataset, policy=Policy(rules))
    apply(case)
    assert statuses(case) == ["approved", "approved", "rejected", "pending"]


def test_what_a_person_confirms_is_theirs_from_then_on(case: SimpleNamespace):
    apply(case)
    confirmed = segments_review(segments=case.source.segments.filter(index=1), status="approved", reviewer=case.anna)
    assert (confirmed.changed, confirmed.unchanged) == (1, 0)
    again = segments_review(segments=case.source.segments.filter(index=1), status="approved", reviewer=case.people.ben)
    assert (again.changed, again.unchanged) == (0, 1)
    screening_undo(screening=Screening.objects.get(), editor=case.anna, progress=Silent())
    assert statuses(case) == ["approved", "pending", "pending", "pending"]
    assert case.source.segments.get(index=1).reviewer == case.anna
