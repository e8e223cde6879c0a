"""A dataset comes in by page and API: whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from datasets.choices import ImportState, Origin, ReviewStatus, SourceState
from datasets.models import Dataset, DatasetImport, Segment, SourceVideo
from datasets.pipeline.screening.policy import Policy
from datasets.services.clip_measures import dataset_measure
from datasets.services.freezing import version_freeze
from datasets.services.retranscribing import segments_retranscribe, selection_retranscribe
from datasets.services.screening import screening_preview
from datasets.services.segments import segment_edit
from tests.datasets.factories import DatasetFactory
from tests.datasets.importing.given import files_below, given_in, upload
from tests.datasets.pipeline.given import SPOKEN, TEXTS, clip, ljspeech, zipped
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Silent

V1 = "/api/v1"


def test_a_zip_given_in_on_the_page_becomes_a_dataset_to_review(
    people: Any, page_for: Any, speaker: Any, archive: Path, work: Any, data_root: Path
) -> None:
    page = page_for(people.anna)
    body = {"file": upload(archive), "speaker": speaker.pk, "language": "en", "visibility": "private"}
    answer = page.post(reverse("datasets:import-add"), body, follow=True)
    importing = DatasetImport.objects.get()
    assert answer.redirect_chain == [(reverse("datasets:import-detail", args=[importing.pk]), 302)]
    assert "hx-get" in answer.content.decode()
    assert work() == ["succeeded"]
    importing.refresh_from_db()
    assert (importing.title, importing.state, importing.form) == ("my set", ImportState.READY, "ljspeech")
    assert (importing.clips, importing.approved, importing.problem_count) == (3, 0, 0)
    assert importing.seconds == pytest.approx(4.5, abs=0.01)

    source = SourceVideo.objects.get()
    assert (source.origin, source.state, source.imported) == (Origin.DATASET, SourceState.READY, importing)
    assert (source.audio_codec, source.sample_rate, source.channels) == ("pcm_s16le", 22_050, 1)
    segments = list(source.segments.order_by("index"))
    assert [segment.text for segment in segments] == list(TEXTS)
    assert [segment.original_name for segment in segments] == [f"LJ001-000{n}" for n in (1, 2, 3)]
    assert {segment.status for segment in segments} == {ReviewStatus.PENDING}
    assert all(segment.quality["snr_db"] > 0 for segment in segments)
    assert all("short" in segment.flags for segment in segments)
    dataset = Dataset.objects.get()
    assert (dataset.name, list(dataset.sources.all()), dataset.speaker) == ("my set", [source], speaker)
    # The masters hold all of it: the zip is not kept.
    assert files_below(data_root / "media") == [f"recordings/{source.pk}/master.wav"]

    html = page.get(reverse("datasets:import-detail", args=[importing.pk])).content.decode()
    assert reverse("datasets:dataset-detail", args=[dataset.pk]) in html
    assert reverse("datasets:source-detail", args=[source.pk]) in html
    assert "my_set.zip" in page.get(reverse("datasets:source-detail", args=[source.pk])).content.decode()
    assert page.get(reverse("datasets:segment-audio", args=[segments[0].pk])).status_code == 200


def test_clips_come_in_approved_by_choice_but_for_those_that_could_not_be_trained_on(
    people: Any, speaker: Any, tmp_path: Path, work: Any
) -> None:
    top = ljspeech(tmp_path / "given", (*TEXTS, "1 2 3 " * 90, "!!!"), (*SPOKEN, "", ""))
    importing, _job = given_in(people.anna, speaker, zipped(top, tmp_path / "x.zip"), approve=True)
    assert work() == ["succeeded"]
    importing.refresh_from_db()
    assert (importing.clips, importing.approved) == (5, 3)
    segments = Segment.objects.order_by("index")
    assert [segment.status for segment in segments] == ["approved"] * 3 + ["pending"] * 2
    assert {segment.reviewer for segment in segments[:3]} == {people.anna}
    assert all("unspeakable" in segment.flags for segment in segments[3:])
    version, _job = version_freeze(dataset=Dataset.objects.get(), owner=people.anna)
    assert work() == ["succeeded"]
    version.refresh_from_db()
    assert (version.clips, [row["code"] for row in version.left_out]) == (3, ["pending", "pending"])
    assert version.seconds == pytest.approx(4.5, abs=0.01)


def test_a_long_dataset_becomes_several_recordings_and_whole_ones_are_held_out(
    people: Any, speaker: Any, tmp_path: Path, work: Any, settings: Any
) -> None:
    settings.RECORDING_MAX_SECONDS = 4
    top = ljspeech(tmp_path / "given", [f"This is {n}." for n in range(8)], [""] * 8)
    importing, _job = given_in(people.anna, speaker, zipped(top, tmp_path / "x.zip"), approve=True, title="Long")
    assert work() == ["succeeded"]
    titles = [f"Long, part {n} of 4" for n in (1, 2, 3, 4)]
    assert sorted(SourceVideo.objects.values_list("title", flat=True)) == titles
    importing.refresh_from_db()
    version, _job = version_freeze(dataset=Dataset.objects.get(), owner=people.anna)
    assert work() == ["succeeded"]
    version.refresh_from_db()
    assert (version.clips_train, version.clips_validation) == (6, 2)


def test_no_machine_writes_over_the_transcripts_that_came_with_the_sound(
    people: Any, speaker: Any, archive: Path, work: Any
) -> None:
    given_in(people.anna, speaker, archive)
    work()
    with pytest.raises(DomainError) as caught:
        segments_retranscribe(source=SourceVideo.objects.get(), owner=people.anna)
    assert caught.value.code == "nothing_to_transcribe"
    assert "came with its dataset" in caught.value.message
    segments: Any = Segment.objects.all()
    with pytest.raises(DomainError):
        selection_retranscribe(segments=segments, owner=people.anna)
    assert not segments.untranscribed().exists()
    assert not any(segment.untouched for segment in segments)


def test_a_policy_judges_clips_that_came_with_their_text_until_a_person_corrects_them(
    people: Any, page_for: Any, speaker: Any, archive: Path, work: Any
) -> None:
    given_in(people.anna, speaker, archive)
    work()
    dataset = Dataset.objects.get()
    dataset_measure(dataset=dataset, editor=people.anna, progress=Silent())
    segment_edit(segment=Segment.objects.get(index=2), text="It was a cold day.")
    dataset_measure(dataset=dataset, editor=people.anna, progress=Silent())
    preview = screening_preview(dataset=dataset, policy=Policy(), editor=people.anna)
    assert (sum(preview.counts.values()), preview.kept, preview.unmeasured) == (2, 1, 0)
    address = reverse("datasets:source-detail", args=[SourceVideo.objects.get().pk])
    page = page_for(people.anna).get(address).content.decode()
    assert page.count("came with its dataset") == 2
    assert "Transcribe" not in page


def test_the_text_that_came_in_is_known_after_it_was_corrected(
    people: Any, speaker: Any, archive: Path, work: Any
) -> None:
    given_in(people.anna, speaker, archive)
    work()
    segment = Segment.objects.get(index=2)
    segment_edit(segment=segment, text="It was a cold day.")
    assert [(row.text, row.history_type) for row in segment.history.order_by("history_id")] == [
        ("It was a fine day.", "+"),
        ("It was a cold day.", "~"),
    ]
    assert segment.history.earliest().history_user == people.anna


def test_a_broken_dataset_lists_its_rows_and_leaves_nothing(
    people: Any, page_for: Any, api_for: Any, speaker: Any, broken: Path, work: Any, data_root: Path
) -> None:
    importing, job = given_in(people.anna, speaker, broken)
    assert work() == ["failed"]
    importing.refresh_from_db()
    assert (importing.state, importing.error_code) == (ImportState.FAILED, "rows_broken")
    assert "row 2 of metadata.csv" in importing.error
    assert "wavs/LJ001-0002.wav is not in the dataset" in importing.error
    assert not SourceVideo.objects.exists()
    assert not Dataset.objects.exists()
    assert files_below(data_root / "media") == []
    told = api_for(people.anna).get(f"{V1}/dataset-imports/{importing.pk}/").json()
    assert told["problem_count"] == 1
    assert [(row["row"], row["name"], row["code"]) for row in told["problems"]] == [(2, "LJ001-0002", "file_missing")]
    page = page_for(people.anna).get(reverse("datasets:import-detail", args=[importing.pk])).content.decode()
    assert "wavs/LJ001-0002.wav is not in the dataset." in page
    assert reverse("jobs:retry", args=[job.pk]) not in page
    retried = api_for(people.anna).post(f"{V1}/jobs/{job.pk}/retry/")
    assert (retried.status_code, retried.json()["error"]["code"]) == (400, "upload_gone")


def test_what_is_no_zip_is_refused_before_there_is_anything(
    people: Any, page_for: Any, speaker: Any, data_root: Path
) -> None:
    for content, words in ((b"", "is empty"), (b"no zip", "my.zip is not a zip archive")):
        body = {
            "file": SimpleUploadedFile("my.zip", content),
            "speaker": speaker.pk,
            "language": "en",
            "visibility": "private",
        }
        answer = page_for(people.anna).post(reverse("datasets:import-add"), body)
        assert answer.status_code == 400
        assert words in str(answer.context["form"].errors["file"])
    assert not DatasetImport.objects.exists()
    assert files_below(data_root) == []


def test_the_same_zip_is_taken_once_as_long_as_what_it_made_is_there(
    people: Any, api_for: Any, speaker: Any, archive: Path, work: Any
) -> None:
    api = api_for(people.anna)

    def give(title: str) -> Any:
        body = {"file": upload(archive), "speaker": speaker.pk, "language": "en", "title": title}
        return api.post(f"{V1}/dataset-imports/", body, format="multipart")

    assert give("First").status_code == 201
    waiting = give("Second")
    assert (waiting.status_code, waiting.json()["error"]["param"]) == (409, "file")
    assert "“First” (waiting)" in waiting.json()["error"]["message"]
    work()
    assert give("Second").status_code == 409
    SourceVideo.objects.all().delete()
    taken = give("First")
    assert (taken.status_code, taken.json()["error"]["param"]) == (409, "title")
    assert give("Second").status_code == 201
    assert work() == ["succeeded"]


def test_the_same_clips_in_another_zip_are_recognised(
    people: Any, speaker: Any, archive: Path, tmp_path: Path, work: Any, data_root: Path
) -> None:
    given_in(people.anna, speaker, archive)
    again, _job = given_in(people.anna, speaker, zipped(tmp_path / "given", tmp_path / "b.zip", under="set/"))
    assert work() == ["succeeded", "failed"]
    again.refresh_from_db()
    assert (again.state, again.error_code) == (ImportState.FAILED, "duplicate")
    assert "“my set”" in again.error
    assert len(files_below(data_root / "media")) == 1
    assert (SourceVideo.objects.count(), Dataset.objects.count()) == (1, 1)


def test_strangers_see_nothing_of_an_import(
    people: Any, page_for: Any, api_for: Any, speaker: Any, archive: Path, work: Any
) -> None:
    importing, _job = given_in(people.anna, speaker, archive, visibility="team")
    work()
    for stranger in (people.ben, people.cora):
        page, api = page_for(stranger), api_for(stranger)
        assert page.get(reverse("datasets:import-detail", args=[importing.pk])).status_code == 404
        assert page.post(reverse("datasets:import-delete", args=[importing.pk])).status_code == 404
        assert "my set" not in page.get(reverse("datasets:import-add")).content.decode()
        assert api.get(f"{V1}/dataset-imports/").json()["count"] == 0
        assert api.get(f"{V1}/dataset-imports/{importing.pk}/").status_code == 404
        assert api.delete(f"{V1}/dataset-imports/{importing.pk}/").status_code == 404
        assert api.get(f"{V1}/recordings/").json()["count"] == 1
    assert page_for(people.root).get(reverse("datasets:import-detail", args=[importing.pk])).status_code == 200
    body = {"file": upload(archive), "speaker": speaker.pk, "language": "en"}
    assert api_for(people.ben).post(f"{V1}/dataset-imports/", body, format="multipart").status_code == 400
    admin = reverse("admin:datasets_datasetimport_changelist")
    assert "my set" in page_for(people.root).get(admin).content.decode()


def test_two_datasets_of_one_name_are_told_apart_even_when_the_second_came_meanwhile(
    people: Any, speaker: Any, archive: Path, work: Any
) -> None:
    importing, _job = given_in(people.anna, speaker, archive)
    DatasetFactory(owner=people.anna, name="my set")
    assert work() == ["succeeded"]
    importing.refresh_from_db()
    assert importing.dataset is not None
    assert importing.dataset.name == "my set (2)"


def test_a_list_of_imports_asks_no_more_for_many(
    people: Any, api_for: Any, page_for: Any, speaker: Any, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        DatasetImport.objects.create(owner=people.anna, speaker=speaker, language="en", title=f"Set {number}")
    with django_assert_num_queries(3):
        assert len(api_for(people.anna).get(f"{V1}/dataset-imports/").json()["results"]) == 5


def test_clips_that_are_too_long_for_xtts_come_in_to_be_seen(
    people: Any, speaker: Any, tmp_path: Path, work: Any
) -> None:
    top = ljspeech(tmp_path / "given", TEXTS[:1], SPOKEN[:1])
    clip(top / "wavs" / "LJ001-0001.wav", seconds=20)
    importing, _job = given_in(people.anna, speaker, zipped(top, tmp_path / "x.zip"))
    assert work() == ["succeeded"]
    assert Segment.objects.get().seconds == pytest.approx(20, abs=0.01)
    importing.refresh_from_db()
    assert importing.clips == 1


def test_screening_says_which_clips_it_leaves_because_they_came_in_approved(
    people: Any, speaker: Any, archive: Path, work: Any, page_for: Any, api_for: Any
) -> None:
    given_in(people.anna, speaker, archive, approve=True)
    work()
    dataset = Dataset.objects.get()
    address = reverse("datasets:dataset-screening", args=[dataset.pk])
    page = page_for(people.anna)
    assert "3 of these came in approved with an imported dataset" in page.get(address).content.decode()
    segment_edit(segment=Segment.objects.get(index=1), text="It was somebody else who said so.")
    preview = api_for(people.anna).post(f"/api/v1/datasets/{dataset.pk}/preview/", {}).json()
    assert (preview["kept"], preview["imported"]) == (3, 2)
    for segment in Segment.objects.filter(index__gt=1):
        segment.review(ReviewStatus.PENDING, people.anna)
    assert "came in approved" not in page.get(address).content.decode()
