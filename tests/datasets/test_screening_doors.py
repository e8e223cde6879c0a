"""Screening on pages, in the admin and over the API, as several people see it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse

from datasets.models import Dataset, Segment
from datasets.pipeline.screening.catalogue import RULES
from datasets.pipeline.screening.policy import Policy
from datasets.services.clip_measures import measured_key
from tests.datasets.factories import DatasetFactory, SegmentFactory, SourceFactory
from xttsproject.jobs.models import Job

NAMES = ("dataset-screening", "dataset-measure", "dataset-screen", "dataset-unscreen")


def url(name: str, *args: Any) -> str:
    return reverse(f"datasets:{name}", args=args)


@pytest.fixture
def case(people: SimpleNamespace) -> SimpleNamespace:
    """Thirty clips of anna's, of which the odd ones are noisy; the dataset is shared, the recording is not."""
    source = SourceFactory(owner=people.anna, title="Talk")
    for index in range(1, 31):
        clip = SegmentFactory.build(source=source, index=index)
        clip.quality = {"snr_db": 8.0 if index % 2 else 40.0, "problem": None}
        clip.measured_key = measured_key(clip)
        clip.save()
    dataset = DatasetFactory(owner=people.anna, speaker=source.speaker, sources=[source], visibility="team")
    return SimpleNamespace(people=people, anna=people.anna, source=source, dataset=dataset)


def filled(policy: Policy, **changes: Any) -> dict[str, Any]:
    """The policy's form as the page shows it."""
    values: dict[str, Any] = {"approve": "on"} if policy.approve else {}
    for name, rule in RULES.items():
        for kind in ("review", "reject"):
            value = getattr(policy.thresholds[name], kind)
            values[f"{name}_{kind}"] = "" if value is None else round(value * rule.measure.scale, 6)
    return {**values, **changes}


def test_the_page_shows_the_policy_and_what_it_would_do(case: SimpleNamespace, page_for: Any):
    answer = page_for(case.anna).get(url("dataset-screening", case.dataset.pk))
    html = answer.content.decode()
    assert answer.context["preview"].counts == {"approve": 15, "review": 0, "reject": 15}
    assert "noisy (signal to noise: 8.0 dB, below 15.0 dB)" in html
    assert html.count("<tr>") > 25
    second = page_for(case.anna).get(url("dataset-screening", case.dataset.pk) + "?page=2")
    assert len(second.context["page"].object_list) == 5


def test_a_policy_is_tried_before_it_is_kept(case: SimpleNamespace, page_for: Any):
    page, address = page_for(case.anna), url("dataset-screening", case.dataset.pk)
    tried = page.post(address, filled(Policy(), noise_reject="5", noise_review="", preview="1"))
    assert tried.context["preview"].counts == {"approve": 30, "review": 0, "reject": 0}
    assert "not saved yet" in tried.content.decode()
    case.dataset.refresh_from_db()
    assert case.dataset.policy == {}
    kept = page.post(address, filled(Policy(), clipping_reject="1.5", save="1"))
    assert kept.status_code == 302
    case.dataset.refresh_from_db()
    assert case.dataset.policy["rules"]["clipping"]["reject"] == pytest.approx(0.015)
    assert case.dataset.policy["rules"]["noise"] == {"review": RULES["noise"].review, "reject": RULES["noise"].reject}


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [("noise_reject", "95", "lies within 0 and 90"), ("noise_reject", "30", "not above where review begins")],
)
def test_a_threshold_that_cannot_be_is_refused_at_its_rule(
    case: SimpleNamespace, page_for: Any, field: str, value: str, says: str
):
    answer = page_for(case.anna).post(
        url("dataset-screening", case.dataset.pk), filled(Policy(), **{field: value, "save": "1"})
    )
    assert answer.status_code == 400
    assert says in str(answer.context["form"].errors["noise_review"])


def test_measuring_applying_and_undoing_start_jobs(case: SimpleNamespace, page_for: Any, work: Any):
    page = page_for(case.anna)
    page.post(url("dataset-screen", case.dataset.pk))
    html = page.get(url("dataset-screening", case.dataset.pk)).content.decode()
    assert reverse("jobs:strip", args=[Job.objects.get().pk]) in html
    assert work() == ["succeeded"]
    assert Segment.objects.filter(status="rejected").count() == 15
    html = page.get(url("dataset-screening", case.dataset.pk)).content.decode()
    assert "15 approved, 0 to review, 15 rejected, 30 changed" in html
    page.post(url("dataset-unscreen", case.dataset.pk))
    assert work() == ["succeeded"]
    assert not Segment.objects.exclude(status="pending").exists()
    answer = page.post(url("dataset-unscreen", case.dataset.pk), follow=True)
    assert "left to undo" in answer.content.decode()
    page.post(url("dataset-measure", case.dataset.pk))
    assert Job.objects.filter(kind="datasets.measure").count() == 1


def test_the_datasets_page_lists_what_is_left_out_by_reason_and_page(case: SimpleNamespace, page_for: Any, work: Any):
    page = page_for(case.anna)
    page.post(url("dataset-screen", case.dataset.pk))
    work()
    address = url("dataset-detail", case.dataset.pk)
    html = page.get(address).content.decode()
    assert "Rejected by screening: noisy (15)" in html
    assert html.count("rejected by screening: noisy (signal to noise: 8.0 dB") == 15
    Segment.objects.filter(index__gt=2).update(status="pending", decided_by_person=True)
    second = page.get(address + "?page=2").content.decode()
    assert "Page 2 of 2" in second
    narrowed = page.get(address + "?reason=screened_noise").content.decode()
    assert narrowed.count("rejected by screening: noisy") == 1
    assert "not reviewed yet</td>" not in narrowed


def test_clips_that_the_model_was_not_asked_about_are_told(case: SimpleNamespace, page_for: Any, api_for: Any):
    address = url("dataset-detail", case.dataset.pk)
    assert "not been measured" not in page_for(case.anna).get(address).content.decode()
    Segment.objects.filter(index__lte=3).update(status="approved", measured_key="")
    page = page_for(case.anna).get(address).content.decode()
    assert "3 clips that would be frozen have not been measured" in page
    assert api_for(case.anna).get(f"/api/v1/datasets/{case.dataset.pk}/left-out/").json()["unmeasured"] == 3


def test_a_segments_measures_stand_in_its_view_with_what_they_are(case: SimpleNamespace, page_for: Any, work: Any):
    page_for(case.anna).post(url("dataset-screen", case.dataset.pk))
    work()
    html = page_for(case.anna).get(url("source-detail", case.source.pk)).content.decode()
    assert "screening: reject, it is noisy (signal to noise: 8.0 dB, below 15.0 dB)" in html
    assert "How far the loud parts of the speech rise above the quietest tenth of the clip." in html


def test_a_stranger_finds_nothing_and_a_colleague_may_only_look(case: SimpleNamespace, page_for: Any):
    """The dataset is shared with the team; nobody but a curator and its owner may change it."""
    ben = page_for(case.people.ben)
    looked = ben.get(url("dataset-screening", case.dataset.pk))
    assert looked.status_code == 200
    assert "Talk" not in looked.content.decode()
    assert looked.context["preview"].changes == ()
    for name in NAMES:
        assert ben.post(url(name, case.dataset.pk)).status_code == 403
    Dataset.objects.update(visibility="private")
    for name in NAMES:
        assert ben.post(url(name, case.dataset.pk)).status_code == 404
    assert ben.get(url("dataset-screening", case.dataset.pk)).status_code == 404
    assert not Job.objects.exists()


def test_the_api_tells_and_keeps_the_policy(case: SimpleNamespace, api_for: Any):
    api, address = api_for(case.anna), f"/api/v1/datasets/{case.dataset.pk}/policy/"
    told = api.get(address).json()
    assert told["policy"] == Policy().as_dict()
    assert {rule["name"] for rule in told["known_rules"]} == set(RULES)
    kept = api.put(address, {"approve": False, "rules": {"noise": {"reject": 5}}}, format="json").json()
    assert kept["policy"]["approve"] is False
    assert kept["policy"]["rules"]["noise"] == {"review": RULES["noise"].review, "reject": 5.0}
    for body, says in (
        ({"rules": {"loud": {"reject": 1}}}, "There is no rule “loud”"),
        ({"rules": {"noise": {"review": 3, "reject": 9}}}, "must be not above"),
        ({"rules": {"noise": {"review": "loud"}}}, "number"),
    ):
        refused = api.put(address, body, format="json")
        assert refused.status_code == 400
        assert says in str(refused.json())


def test_the_api_previews_applies_undoes_and_lists(case: SimpleNamespace, api_for: Any, work: Any):
    api, base = api_for(case.anna), f"/api/v1/datasets/{case.dataset.pk}"
    assert api.post(f"{base}/preview/").json()["counts"]["reject"] == 15
    lenient = api.post(f"{base}/preview/", {"rules": {"noise": {"review": None, "reject": None}}}, format="json").json()
    assert lenient["counts"] == {"approve": 30, "review": 0, "reject": 0}
    started = api.post(f"{base}/screen/")
    assert started.status_code == 202
    assert work() == ["succeeded"]
    assert api.get(f"{base}/screenings/").json()[0]["counts"]["changed"] == 30
    left_out = api.get(f"{base}/left-out/?code=screened_noise").json()
    assert (left_out["count"], left_out["taken"], len(left_out["results"])) == (15, 15, 15)
    segment = api.get(f"/api/v1/segments/{left_out['results'][0]['segment']}/").json()
    assert segment["decision"]["reasons"][0]["rule"] == "noise"
    assert api.post(f"{base}/unscreen/").status_code == 202
    assert work() == ["succeeded"]
    assert api.post(f"{base}/unscreen/").status_code == 400
    assert api.post(f"{base}/measure/").status_code == 202


def test_the_api_is_closed_to_strangers(case: SimpleNamespace, api_for: Any):
    base = f"/api/v1/datasets/{case.dataset.pk}"
    ben = api_for(case.people.ben)
    assert ben.get(f"{base}/policy/").status_code == 200
    for name in ("preview", "measure", "screen", "unscreen"):
        assert ben.post(f"{base}/{name}/").status_code == 403
    assert ben.put(f"{base}/policy/", {}, format="json").status_code == 403
    assert "Talk" not in str(ben.get(f"{base}/left-out/").json())
    Dataset.objects.update(visibility="private")
    for name in ("policy", "screenings", "left-out"):
        assert ben.get(f"{base}/{name}/").status_code == 404
    for name in ("preview", "measure", "screen", "unscreen"):
        assert ben.post(f"{base}/{name}/").status_code == 404


def test_the_admin_starts_it_for_whoever_may_change_the_dataset(case: SimpleNamespace, page_for: Any, work: Any):
    address = reverse("admin:datasets_dataset_changelist")
    body = {"action": "screen_clips", "_selected_action": [case.dataset.pk]}
    answer = page_for(case.people.root).post(address, body, follow=True)
    assert "started, see Jobs" in answer.content.decode()
    assert work() == ["succeeded"]
    assert Segment.objects.filter(status="rejected").count() == 15
    screenings = page_for(case.people.root).get(reverse("admin:datasets_screening_changelist"))
    assert "15 reject" in screenings.content.decode()
    segment = Segment.objects.filter(status="rejected").first()
    assert segment is not None
    shown = page_for(case.people.root).get(reverse("admin:datasets_segment_change", args=[segment.pk]))
    assert "Signal to noise" in shown.content.decode()
