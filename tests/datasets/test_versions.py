"""Health and comparison of frozen versions: on pages, by the API, in the admin, and for whom."""

from __future__ import annotations

import io
import json
import re
import wave
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets.choices import ReviewStatus, VersionState
from datasets.models import Dataset, DatasetVersion, Segment
from datasets.services.freezing import version_freeze
from datasets.services.health import version_health
from datasets.services.segments import segment_edit, segment_review
from tests.datasets.factories import DatasetFactory, SpeakerFactory, reviewed_source
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_cancel

V1 = "/api/v1/dataset-versions"


def url(name: str, *args: Any) -> str:
    return reverse(f"datasets:{name}", args=args)


def freeze(dataset: Dataset, work: Any) -> DatasetVersion:
    version, _job = version_freeze(dataset=dataset, owner=dataset.owner)
    assert work() == ["succeeded"]
    return DatasetVersion.objects.get(pk=version.pk)


@pytest.fixture
def dataset(people: Any) -> Dataset:
    speaker = SpeakerFactory(owner=people.anna)
    sources = [reviewed_source(people.anna, speaker=speaker, segments=count) for count in (6, 2)]
    made: Dataset = DatasetFactory(owner=people.anna, speaker=speaker, sources=sources, validation_share=0.25)
    return made


@pytest.fixture
def two(dataset: Dataset, work: Any, people: Any) -> tuple[DatasetVersion, DatasetVersion]:
    """Version 1, and version 2 in which one clip is re-worded, one gone and one new."""
    one, other, late = Segment.objects.filter(source__segments__index=6).order_by("index").filter(index__in=(1, 2, 6))
    late.review(ReviewStatus.PENDING, None)
    first = freeze(dataset, work)
    segment_edit(segment=one, text="This is sentence number one, spoken otherwise.")
    segment_review(segment=other, status=ReviewStatus.REJECTED, reviewer=people.anna)
    segment_review(segment=late, status=ReviewStatus.APPROVED, reviewer=people.anna)
    return first, freeze(dataset, work)


def test_a_version_is_measured_when_it_is_frozen(dataset: Dataset, work: Any, page_for: Any) -> None:
    version = freeze(dataset, work)
    health = version_health(version=version)
    assert (health["clips"], health["clips_validation"], health["recordings"]) == (8, 2, 2)
    assert health["measures"]["seconds"]["median"] == 2.5
    assert health["text"]["statements"] == 8
    # Noise of a deviation of 0.05 is at -26 dBFS, and about as loud to the ear.
    assert health["measures"]["loudness"]["unit"] == "LUFS"
    assert -29 < health["measures"]["loudness"]["median"] < -20
    assert "q" in health["text"]["missing"]
    assert version.measured_at is not None
    html = page_for(dataset.owner).get(url("version-health", version.pk)).content.decode()
    assert health["summary"] in html
    assert "Length of clips" in html
    told = re.search(r'<script id="health-measures" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert told
    assert json.loads(told[1])["seconds"]["counts"] == health["measures"]["seconds"]["counts"]
    # Without scripts the tables say what the pictures do.
    assert re.search(r"2 to 3</th><td class=\"number\">8<", html)
    assert health["summary"] in page_for(dataset.owner).get(url("version-detail", version.pk)).content.decode()


def test_the_models_characters_are_asked_if_there_is_a_model(
    dataset: Dataset, work: Any, settings: Any, tmp_path: Any
) -> None:
    without = freeze(dataset, work)
    assert (without.health["bundle"], without.health["text"]["unknown"]) == ("", None)
    settings.MODELS_DIR, settings.XTTS_BUNDLE = tmp_path, "odd"
    (tmp_path / "odd").mkdir()
    vocabulary = {sign: place for place, sign in enumerate("abcdefghijklmnopqrstuvwxy")}
    (tmp_path / "odd" / "vocab.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
    segment_edit(segment=Segment.objects.filter(index=1).first(), text="A lazy dog.")  # type: ignore[arg-type]
    health = freeze(dataset, work).health
    assert health["bundle"] == "odd"
    assert health["text"]["unknown"] == {".": 8, "z": 1}
    assert health["findings"]["unknown"]["clips"] == 8


def test_an_older_version_is_measured_by_a_job_of_its_own(
    dataset: Dataset, work: Any, people: Any, page_for: Any, api_for: Any
) -> None:
    version = freeze(dataset, work)
    DatasetVersion.objects.filter(pk=version.pk).update(health={}, measured_at=None)
    page = page_for(people.anna)
    address = url("version-health", version.pk)
    assert "has not been measured yet" in page.get(address).content.decode()
    assert api_for(people.anna).get(f"{V1}/{version.pk}/health/").json() == {"measured_at": None, "health": None}
    assert page.post(url("version-measure", version.pk)).headers["Location"] == address
    waiting = Job.objects.get(kind="datasets.health")
    assert reverse("jobs:strip", args=[waiting.pk]) in page.get(address).content.decode()
    assert work() == ["succeeded"]
    version.refresh_from_db()
    assert version.health["clips"] == 8
    assert "Length of clips" in page.get(address).content.decode()
    # Twice gives the same figures, and asking twice while it waits is one job.
    before = version.health
    jobs = {api_for(people.anna).post(f"{V1}/{version.pk}/health/").json()["id"] for _ in range(2)}
    assert len(jobs) == 1
    assert work() == ["succeeded"]
    version.refresh_from_db()
    assert version.health == before


def test_a_health_that_another_release_wrote_is_not_shown(dataset: Dataset, work: Any, page_for: Any) -> None:
    version = freeze(dataset, work)
    DatasetVersion.objects.filter(pk=version.pk).update(health={"format": 0, "clips": "many"})
    html = page_for(dataset.owner).get(url("version-health", version.pk)).content.decode()
    assert "has not been measured yet" in html
    assert "not measured yet" in page_for(dataset.owner).get(url("version-detail", version.pk)).content.decode()


def test_measuring_can_be_cancelled_and_leaves_what_was_there(dataset: Dataset, work: Any, api_for: Any) -> None:
    version = freeze(dataset, work)
    before = version.health
    api_for(dataset.owner).post(f"{V1}/{version.pk}/health/")
    job_cancel(job=Job.objects.get(kind="datasets.health"))
    assert work() == []
    version.refresh_from_db()
    assert (version.health, version.state) == (before, VersionState.READY)


def test_a_version_that_is_not_ready_is_not_measured(people: Any, api_for: Any, page_for: Any) -> None:
    version = DatasetVersion.objects.create(dataset=DatasetFactory(owner=people.anna), number=1)
    answer = api_for(people.anna).post(f"{V1}/{version.pk}/health/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "version_not_ready")
    page = page_for(people.anna).post(url("version-measure", version.pk), follow=True)
    assert "only a ready one has a health" in page.content.decode()
    assert not Job.objects.exists()


def test_a_lost_manifest_fails_the_measuring_with_its_reason(dataset: Dataset, work: Any, api_for: Any) -> None:
    version = freeze(dataset, work)
    version.manifest_path.unlink()
    api_for(dataset.owner).post(f"{V1}/{version.pk}/health/")
    assert work() == ["failed"]
    assert Job.objects.get(kind="datasets.health").error_code == "manifest_missing"
    answer = api_for(dataset.owner).get(f"{V1}/{version.pk}/")
    assert answer.json()["error"]["code"] == "manifest_missing"


def test_two_versions_are_compared_on_their_page(two: Any, dataset: Dataset, page_for: Any) -> None:
    first, second = two
    page = page_for(dataset.owner)
    html = page.get(url("dataset-compare", dataset.pk)).content.decode()
    assert re.search(r"sentence number <del>1</del><ins>one, spoken otherwise</ins>\.", html)
    for label, count in (("Added", 1), ("Removed", 1), ("Re-worded", 1), ("Cut anew", 0)):
        assert re.search(rf'{label} <span class="form-text">{count}</span>', html), label
    assert url("dataset-compare", dataset.pk) in page.get(url("dataset-detail", dataset.pk)).content.decode()
    only = page.get(url("dataset-compare", dataset.pk), {"base": first.pk, "version": second.pk, "kind": "removed"})
    assert only.content.decode().count("<article") == 1
    # A removed clip is heard from the version that still has it.
    gone = second.dataset.sources.get(segments__index=6).segments.get(index=2)
    assert url("version-clip-audio", first.pk, f"segment-{gone.pk}") in only.content.decode()
    backwards = page.get(url("dataset-compare", dataset.pk), {"base": second.pk, "version": first.pk})
    assert re.search(r'Added <span class="form-text">1</span>', backwards.content.decode())


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"base": "nonsense"}, "is not a valid"),
        ({"kind": "stolen"}, "Select a valid choice"),
        ({"base": "same"}, "Choose two different versions"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused_in_words(
    two: Any, dataset: Dataset, page_for: Any, query: dict[str, str], said: str
) -> None:
    if query.get("base") == "same":
        query = {"base": str(two[1].pk), "version": str(two[1].pk)}
    answer = page_for(dataset.owner).get(url("dataset-compare", dataset.pk), query)
    assert answer.status_code == 400
    assert said in answer.content.decode()


def test_one_version_alone_is_nothing_to_compare(dataset: Dataset, work: Any, page_for: Any) -> None:
    freeze(dataset, work)
    html = page_for(dataset.owner).get(url("dataset-compare", dataset.pk)).content.decode()
    assert "Two frozen versions are needed" in html
    assert "Compare versions</a>" not in page_for(dataset.owner).get(url("dataset-detail", dataset.pk)).content.decode()


def test_the_api_tells_the_same_word_by_word(two: Any, dataset: Dataset, api_for: Any) -> None:
    first, second = two
    api = api_for(dataset.owner)
    answer = api.get(f"{V1}/{second.pk}/compare/", {"base": first.pk}).json()
    assert answer["counts"] == {"added": 1, "removed": 1, "reworded": 1, "moved": 0, "recut": 0}
    assert answer["count"] == 3
    assert answer["unchanged"] + answer["count"] - answer["counts"]["removed"] == second.clips
    reworded = api.get(f"{V1}/{second.pk}/compare/", {"base": first.pk, "kind": "reworded"}).json()["results"]
    runs = reworded[0]["words"]
    assert "".join(run["text"] for run in runs if run["sort"] != "new") == reworded[0]["before"]["raw"]
    assert "".join(run["text"] for run in runs if run["sort"] != "gone") == reworded[0]["after"]["raw"]
    assert [run["sort"] for run in runs].count("new") >= 1
    page = api.get(f"{V1}/{second.pk}/compare/", {"base": first.pk, "page_size": 1, "page": 2}).json()
    assert page["count"] == answer["count"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"base": "nonsense"}, 400, "invalid"),
        ({"base": "00000000-0000-0000-0000-000000000000"}, 404, "not_found"),
        ({"base": "first", "kind": "stolen"}, 400, "kind_unknown"),
        ({"base": "second"}, 400, "same_version"),
    ],
)
def test_the_api_refuses_bad_comparisons(
    two: Any, dataset: Dataset, api_for: Any, query: dict[str, str], status: int, code: str
) -> None:
    names = {"first": str(two[0].pk), "second": str(two[1].pk)}
    query = {key: names.get(value, value) for key, value in query.items()}
    answer = api_for(dataset.owner).get(f"{V1}/{two[1].pk}/compare/", query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_clips_are_heard_as_they_were_frozen(two: Any, dataset: Dataset, page_for: Any, api_for: Any) -> None:
    first = two[0]
    clip = json.loads(first.manifest_path.read_text().splitlines()[0])
    stored = (first.folder / clip["audio"]).read_bytes()
    page = page_for(dataset.owner)
    assert b"".join(page.get(url("version-clip-audio", first.pk, clip["id"])).streaming_content) == stored
    api = api_for(dataset.owner)
    heard = b"".join(api.get(f"{V1}/{first.pk}/clips/{clip['id']}/audio/").streaming_content)
    with wave.open(io.BytesIO(heard)) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (22_050, 1)
    part = api.get(f"{V1}/{first.pk}/clips/{clip['id']}/audio/", HTTP_RANGE="bytes=44-143")
    assert part.status_code == 206
    for wrong in ("segment-999999", "..", "..%2Fmanifest", "%2Fetc%2Fpasswd", "segment-1%00"):
        assert page.get(f"/dataset-versions/{first.pk}/clips/{wrong}/audio/").status_code == 404, wrong
        assert api.get(f"{V1}/{first.pk}/clips/{wrong}/audio/").status_code == 404, wrong


def test_what_is_private_is_not_there_for_others(
    two: Any, dataset: Dataset, people: Any, page_for: Any, api_for: Any, work: Any
) -> None:
    first, second = two
    clip = json.loads(first.manifest_path.read_text().splitlines()[0])["id"]
    for person in (people.ben, people.cora):
        page, api = page_for(person), api_for(person)
        for path in (
            url("version-health", first.pk),
            url("dataset-compare", dataset.pk),
            url("version-clip-audio", first.pk, clip),
            url("segment-place", int(clip.removeprefix("segment-"))),
        ):
            assert page.get(path).status_code == 404, path
        assert page.post(url("version-measure", first.pk)).status_code == 404
        assert api.get(f"{V1}/{first.pk}/health/").status_code == 404
        assert api.post(f"{V1}/{first.pk}/health/").status_code == 404
        assert api.get(f"{V1}/{second.pk}/compare/", {"base": first.pk}).status_code == 404
        assert api.get(f"{V1}/{first.pk}/clips/{clip}/audio/").status_code == 404
    # A version of one's own is not compared with another's.
    source = reviewed_source(people.ben)
    mine = freeze(DatasetFactory(owner=people.ben, speaker=source.speaker, sources=[source]), work)
    assert api_for(people.ben).get(f"{V1}/{mine.pk}/compare/", {"base": first.pk}).status_code == 404
    foreign = page_for(people.ben).get(url("dataset-compare", mine.dataset_id), {"base": first.pk, "version": mine.pk})
    assert "sentence" not in foreign.content.decode()


def test_what_is_shared_is_seen_by_all_and_measured_by_editors(
    two: Any, dataset: Dataset, people: Any, page_for: Any, api_for: Any
) -> None:
    dataset.visibility = "team"
    dataset.save()
    version = two[1]
    html = page_for(people.ben).get(url("version-health", version.pk)).content.decode()
    assert "Length of clips" in html
    assert url("version-measure", version.pk) not in html
    assert page_for(people.ben).post(url("version-measure", version.pk)).status_code == 403
    assert api_for(people.ben).post(f"{V1}/{version.pk}/health/").status_code == 403
    assert (
        url("version-measure", version.pk)
        in page_for(people.cora).get(url("version-health", version.pk)).content.decode()
    )
    assert api_for(people.cora).post(f"{V1}/{version.pk}/health/").status_code == 202
    # The clips' recordings are private: their names lead nowhere.
    listed = page_for(people.ben).get(url("version-detail", version.pk)).content.decode()
    assert "/segments/" not in listed
    assert "/segments/" in page_for(people.anna).get(url("version-detail", version.pk)).content.decode()


def test_a_clip_leads_to_its_segment_on_the_right_page(people: Any, page_for: Any) -> None:
    source = reviewed_source(people.anna, segments=60)
    segment = source.segments.get(index=57)
    answer = page_for(people.anna).get(url("segment-place", segment.pk), follow=True)
    place = answer.redirect_chain[-1][0]
    assert place.endswith(f"#segment-{segment.pk}")
    assert f'id="segment-{segment.pk}"' in answer.content.decode()


def test_pages_ask_the_database_no_more_for_many_clips(people: Any, page_for: Any, work: Any) -> None:
    page, counts = page_for(people.anna), []
    for segments in (4, 40):
        source = reviewed_source(people.anna, segments=segments)
        made = DatasetFactory(owner=people.anna, speaker=source.speaker, sources=[source])
        first = freeze(made, work)
        for segment in source.segments.filter(index__gt=2):
            segment_edit(segment=segment, text=f"Quite other words in place {segment.index}.")
        second = freeze(made, work)
        asked = []
        for path in (
            url("version-detail", second.pk),
            url("version-health", second.pk),
            f"{url('dataset-compare', made.pk)}?base={first.pk}&version={second.pk}",
            url("dataset-detail", made.pk),
        ):
            with CaptureQueriesContext(connection) as queries:
                assert page.get(path).status_code == 200
            asked.append(len(queries))
        counts.append(asked)
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 12


def test_lists_leave_the_health_in_the_database(two: Any, dataset: Dataset, api_for: Any, page_for: Any) -> None:
    for ask in (
        lambda: api_for(dataset.owner).get(f"{V1}/"),
        lambda: api_for(dataset.owner).get(f"/api/v1/datasets/{dataset.pk}/"),
        lambda: page_for(dataset.owner).get(url("dataset-detail", dataset.pk)),
    ):
        with CaptureQueriesContext(connection) as queries:
            assert ask().status_code == 200
        assert not [one["sql"] for one in queries if '"datasets_datasetversion"."health"' in one["sql"]]


def test_the_admin_shows_advice_and_leads_to_the_pages(two: Any, people: Any, page_for: Any, work: Any) -> None:
    first, second = two
    page, desk = page_for(people.root), "/admin/datasets/datasetversion/"
    html = page.get(desk).content.decode()
    todos = sum(1 for advice in first.health["advice"] if advice["todo"])
    assert f'href="{url("version-health", first.pk)}" title="{first.health["summary"]}">{todos} to do</a>' in html
    assert page.get(f"{desk}{first.pk}/change/").status_code == 200
    chosen = {"_selected_action": [str(second.pk), str(first.pk)]}
    compared = page.post(desk, {"action": "compare", **chosen})
    assert compared.headers["Location"].endswith(f"/compare/?base={first.pk}&version={second.pk}")
    refused = page.post(desk, {"action": "compare", "_selected_action": [str(first.pk)]}, follow=True)
    assert "Choose two versions of one dataset" in refused.content.decode()
    page.post(desk, {"action": "measure", **chosen})
    assert Job.objects.filter(kind="datasets.health").count() == 2
    assert work() == ["succeeded", "succeeded"]
