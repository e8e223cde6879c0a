"""Frozen versions: what is in them, what is not, and that they never change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datasets.choices import ReviewStatus, VersionState
from datasets.models import DatasetVersion, SourceVideo
from datasets.services import freezing
from datasets.services.clip_measures import dataset_measure_start
from datasets.services.datasets import dataset_create, dataset_delete
from datasets.services.freezing import version_build, version_freeze
from datasets.services.health import health_fields, version_measure
from datasets.services.segments import segment_edit
from datasets.services.sources import source_delete
from tests.datasets.factories import DatasetFactory, SourceFactory, SpeakerFactory, reviewed_source
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_cancel, job_retry
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Silent


@pytest.fixture
def speaker(people: Any) -> Any:
    return SpeakerFactory(owner=people.anna, name="Anna")


@pytest.fixture
def sources(people: Any, speaker: Any) -> list[SourceVideo]:
    return [reviewed_source(people.anna, speaker=speaker, segments=count) for count in (6, 2)]


@pytest.fixture
def dataset(people: Any, speaker: Any, sources: list[SourceVideo]) -> Any:
    return DatasetFactory(owner=people.anna, speaker=speaker, sources=sources, validation_share=0.25)


def freeze(dataset: Any, work: Any) -> DatasetVersion:
    version, _job = version_freeze(dataset=dataset, owner=dataset.owner)
    assert work() == ["succeeded"]
    version.refresh_from_db()
    return version


def test_whole_recordings_are_held_out_and_every_clip_is_there(dataset: Any, sources: Any, work: Any) -> None:
    version = freeze(dataset, work)
    assert (version.state, version.number) == (VersionState.READY, 1)
    assert (version.clips_train, version.clips_validation) == (6, 2)
    assert version.seconds_validation == pytest.approx(5.0, abs=0.01)
    rows = [json.loads(line) for line in version.manifest_path.read_text().splitlines()]
    ids = {f"segment-{segment.pk}" for segment in sources[1].segments.all()}
    assert {row["id"] for row in rows if row["split"] == "validation"} == ids
    for row in rows:
        clip = read_wav(version.folder / row["audio"])
        assert clip.sample_rate == 22_050
        assert clip.seconds == pytest.approx(row["seconds"], abs=0.001)
        assert (row["speaker"], row["language"]) == ("Anna", "en")
    # Texts as they are spoken: the number is a word; what was written stands beside it.
    assert all(row["raw"] != row["text"] and any(sign.isdigit() for sign in row["raw"]) for row in rows)
    assert {row["text"] for row in rows} >= {"This is sentence number one.", "This is sentence number six."}


def test_what_is_not_taken_is_listed_with_its_reason(dataset: Any, sources: Any, work: Any, people: Any) -> None:
    pending, rejected, empty, long = sources[0].segments.order_by("index")[:4]
    pending.review(ReviewStatus.PENDING, None)
    rejected.review(ReviewStatus.REJECTED, people.anna)
    type(empty).objects.filter(pk=empty.pk).update(text="  ")
    type(long).objects.filter(pk=long.pk).update(text="many words " * 40)
    version = freeze(dataset, work)
    left = {row["segment"]: (row["index"], row["code"]) for row in version.left_out}
    assert left == {
        pending.pk: (1, "pending"),
        rejected.pk: (2, "rejected"),
        empty.pk: (3, "text_empty"),
        long.pk: (4, "text_unusable"),
    }
    assert all(row["source"] == str(sources[0].pk) and row["reason"] for row in version.left_out)
    assert version.clips == 4


def test_a_recording_whose_language_was_changed_is_left_out(dataset: Any, sources: Any, work: Any) -> None:
    SourceVideo.objects.filter(pk=sources[1].pk).update(language="de")
    version = freeze(dataset, work)
    assert {row["code"] for row in version.left_out} == {"language"}
    assert version.clips == 6


def test_freezing_the_same_again_names_the_version_that_is_there(
    dataset: Any, work: Any, api_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = freeze(dataset, work)
    monkeypatch.setattr(freezing, "freeze", lambda *_, **__: pytest.fail("no clip is written a second time"))
    api = api_for(dataset.owner)
    answer = api.post(f"/api/v1/datasets/{dataset.pk}/freeze/")
    assert answer.status_code == 202
    assert work() == ["failed"]
    second = api.get(f"/api/v1/dataset-versions/{answer.json()['id']}/").json()
    assert (second["state"], second["error_code"]) == ("failed", "duplicate")
    assert second["duplicate_of"] == str(first.pk)
    assert "version 1" in second["error"]
    assert second["job"]["error_code"] == "duplicate"
    assert not DatasetVersion.objects.get(pk=second["id"]).folder.exists()
    # What has changed since can be frozen by trying that again.
    monkeypatch.undo()
    segment_edit(segment=dataset.sources.first().segments.first(), text="Now it says something else.")
    job_retry(job=Job.objects.get(pk=second["job"]["id"]), user=dataset.owner)
    assert work() == ["succeeded"]
    again = DatasetVersion.objects.get(pk=second["id"])
    assert (again.state, again.duplicate_of, again.error) == (VersionState.READY, None, "")


def test_the_request_looks_at_no_text(dataset: Any, api_for: Any, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        for name in ("normalise", "segment_refused"):
            patched.setattr(freezing, name, lambda *_: pytest.fail("clips are chosen by the job"))
        answer = api_for(dataset.owner).post(f"/api/v1/datasets/{dataset.pk}/freeze/")
        assert (answer.status_code, answer.json()["state"]) == (202, "freezing")
    assert work() == ["succeeded"]


def test_asking_twice_before_the_job_begins_makes_one_version(dataset: Any, api_for: Any, work: Any) -> None:
    api = api_for(dataset.owner)
    first, second = (api.post(f"/api/v1/datasets/{dataset.pk}/freeze/").json() for _ in range(2))
    assert (first["id"], first["job"]["id"]) == (second["id"], second["job"]["id"])
    assert work() == ["succeeded"]
    assert DatasetVersion.objects.count() == 1


def test_two_jobs_that_choose_the_same_write_one_version(dataset: Any, people: Any) -> None:
    first, _job = version_freeze(dataset=dataset, owner=dataset.owner)
    # Somebody else's job is not joined, since they could not follow it.
    second, _job = version_freeze(dataset=dataset, owner=people.root)
    assert second.number == 2
    refused: list[DomainError] = []

    def other_begins(_: float, message: str) -> None:
        if message == "writing clips" and not refused:
            with pytest.raises(DomainError) as caught:
                version_build(version=second, progress=Silent())
            refused.append(caught.value)

    version_build(version=first, progress=Callback(other_begins))
    assert [error.code for error in refused] == ["duplicate"]
    second.refresh_from_db()
    assert (first.state, second.state, second.duplicate_of) == (VersionState.READY, VersionState.FAILED, first)
    assert not second.folder.exists()


def test_choosing_is_told_and_can_be_cancelled(dataset: Any) -> None:
    version, _job = version_freeze(dataset=dataset, owner=dataset.owner)
    told: list[tuple[float, str]] = []
    watched = Callback(lambda fraction, message: told.append((fraction, message)), lambda: len(told) > 4)
    with pytest.raises(Cancelled):
        version_build(version=version, progress=watched)
    fraction, message = told[4]
    assert fraction == pytest.approx(0.05)
    assert message == "choosing clips: 4 of 8"
    assert not version.folder.exists()


def test_a_worker_that_dies_while_choosing_is_followed_by_another(
    dataset: Any, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the choice is recorded, and before: the version that it stands in is no duplicate of itself."""
    version, _job = version_freeze(dataset=dataset, owner=dataset.owner)
    for place in ("dataset_select", "freeze"):
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):

            def die(*_: Any, **__: Any) -> None:
                raise KeyboardInterrupt

            patched.setattr(freezing, place, die)
            version_build(version=version, progress=Silent())
        version.refresh_from_db()
        assert version.state == VersionState.FREEZING
    assert version.selection_hash
    assert work() == ["succeeded"]
    version.refresh_from_db()
    assert version.state == VersionState.READY


def test_approved_clips_of_which_none_can_be_taken_are_told_by_the_job(dataset: Any, work: Any) -> None:
    SourceVideo.objects.update(language="de")
    version, _job = version_freeze(dataset=dataset, owner=dataset.owner)
    assert work() == ["failed"]
    version.refresh_from_db()
    assert (version.state, version.error_code) == (VersionState.FAILED, "dataset_empty")
    assert "8 left out, the first because it is" in version.error
    assert len(version.left_out) == 8


def test_a_correction_makes_a_new_version_and_leaves_the_old_one_as_it_was(
    dataset: Any, sources: Any, work: Any
) -> None:
    first = freeze(dataset, work)
    before = first.manifest_path.read_bytes()
    segment_edit(segment=sources[0].segments.first(), text="Now it says something else.")
    second = freeze(dataset, work)
    assert second.number == 2
    assert second.content_hash != first.content_hash
    first.refresh_from_db()
    assert first.manifest_path.read_bytes() == before


def test_undoing_a_correction_before_the_job_runs_is_found_out_by_the_content(
    dataset: Any, sources: Any, work: Any
) -> None:
    freeze(dataset, work)
    segment = sources[0].segments.first()
    original = segment.text
    segment_edit(segment=segment, text="Different.")
    version, job = version_freeze(dataset=dataset, owner=dataset.owner)
    segment_edit(segment=segment, text=original)
    assert work() == ["failed"]
    version.refresh_from_db()
    assert (version.state, version.error_code) == (VersionState.FAILED, "duplicate")
    assert "version 1" in version.error
    assert version.duplicate_of == dataset.versions.get(number=1)
    assert not version.folder.exists()


def test_a_version_outlives_the_recordings_it_was_made_from(
    dataset: Any, sources: Any, work: Any, django_capture_on_commit_callbacks: Any, data_root: Path
) -> None:
    version = freeze(dataset, work)
    with django_capture_on_commit_callbacks(execute=True):
        for source in sources:
            source_delete(source=source)
    assert list((data_root / "media" / "recordings").iterdir()) == []
    assert len(list((version.folder / "clips").iterdir())) == 8


def test_a_lost_master_fails_the_job_and_leaves_no_folder(dataset: Any, sources: Any, work: Any) -> None:
    version, job = version_freeze(dataset=dataset, owner=dataset.owner)
    sources[1].master_path.unlink()
    assert work() == ["failed"]
    version.refresh_from_db()
    assert (version.state, version.error_code) == (VersionState.FAILED, "clip_missing")
    assert not version.folder.exists()
    # A failed version does not stand in the way of another try.
    assert version_freeze(dataset=dataset, owner=dataset.owner)[0].number == 2


def test_a_cancelled_freeze_is_told_on_the_version(dataset: Any) -> None:
    version, job = version_freeze(dataset=dataset, owner=dataset.owner)
    job_cancel(job=job)
    version.refresh_from_db()
    assert (version.state, version.error_code) == (VersionState.FAILED, "cancelled")


def test_nothing_approved_is_nothing_to_freeze(people: Any, speaker: Any, api_for: Any) -> None:
    source = reviewed_source(people.anna, speaker=speaker, status=ReviewStatus.PENDING)
    dataset = DatasetFactory(owner=people.anna, speaker=speaker, sources=[source])
    answer = api_for(people.anna).post(f"/api/v1/datasets/{dataset.pk}/freeze/")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "dataset_empty"
    assert f"none of its {source.segments.count()} is approved" in answer.json()["error"]["message"]
    assert not DatasetVersion.objects.exists()
    assert not Job.objects.exists()


def test_a_dataset_holds_one_voice_in_one_language(people: Any, speaker: Any) -> None:
    mine = SourceFactory(owner=people.anna, speaker=speaker)
    for other, code in (
        (SourceFactory(owner=people.anna), "speaker_mismatch"),
        (SourceFactory(owner=people.anna, speaker=speaker, language="pt"), "language_mismatch"),
    ):
        with pytest.raises(DomainError) as caught:
            dataset_create(owner=people.anna, name="Mixed", speaker=speaker, language="en", sources=[mine, other])
        assert caught.value.code == code
        assert other.title in caught.value.message


def test_deleting_a_dataset_removes_its_clips(dataset: Any, work: Any, django_capture_on_commit_callbacks: Any) -> None:
    version = freeze(dataset, work)
    assert version.folder.is_dir()
    with django_capture_on_commit_callbacks(execute=True):
        dataset_delete(dataset=dataset)
    assert not version.folder.exists()


@pytest.mark.parametrize("moment", ["choosing clips", "writing clips"])
def test_a_dataset_deleted_while_it_is_frozen_leaves_no_file(
    moment: str, dataset: Any, django_capture_on_commit_callbacks: Any, data_root: Path
) -> None:
    version, job = version_freeze(dataset=dataset, owner=dataset.owner)
    deleted: list[str] = []

    def delete_once(_: float, message: str) -> None:
        if message == moment and not deleted:
            deleted.append(message)
            with django_capture_on_commit_callbacks(execute=True):
                dataset_delete(dataset=type(dataset).objects.get(pk=dataset.pk))

    with pytest.raises(DomainError) as caught:
        version_build(version=version, progress=Callback(delete_once))
    assert deleted
    assert caught.value.code == "subject_gone"
    assert list((data_root / "media" / "datasets").glob("*")) == []
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


def test_a_worker_that_comes_last_leaves_the_files_of_the_one_that_finished(
    dataset: Any, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, _job = version_freeze(dataset=dataset, owner=dataset.owner)
    late = DatasetVersion.objects.get(pk=version.pk)
    measured = health_fields

    def while_another_finishes(**given: Any) -> dict[str, Any]:
        monkeypatch.setattr(freezing, "health_fields", measured)
        version_build(version=version, progress=Silent())
        return measured(**given)

    monkeypatch.setattr(freezing, "health_fields", while_another_finishes)
    # Silent until its last step: the job that took over is not noticed before.
    DatasetVersion.objects.filter(pk=version.pk).update(state=VersionState.FREEZING)
    version_build(version=late, progress=Silent())
    version.refresh_from_db()
    assert version.state == VersionState.READY
    version_measure(version=version, progress=Silent())
    assert "damaged" not in version.health["findings"]


def test_deleting_a_dataset_stops_what_works_on_it(dataset: Any) -> None:
    job = dataset_measure_start(dataset=dataset, owner=dataset.owner)
    dataset_delete(dataset=dataset)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
