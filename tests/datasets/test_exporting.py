"""Frozen versions as zips: read back by readers that are not ours, fetched in stretches, gone with their version."""

from __future__ import annotations

import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from datasets.choices import ExportState, ReviewStatus
from datasets.models import DatasetExport, DatasetVersion, Segment
from datasets.pipeline.exporting import write_export
from datasets.services import exporting as service
from datasets.services.datasets import dataset_delete
from datasets.services.exporting import export_build, export_start
from datasets.services.freezing import version_freeze, version_manifest
from datasets.services.importing import import_upload
from datasets.services.segments import segment_edit
from tests.datasets.audiofolder import read_audiofolder
from tests.datasets.factories import DatasetFactory, SpeakerFactory, reviewed_source
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_cancel
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Callback, Silent

V1 = "/api/v1"
TEXTS = ('"Well," he said, "it costs $5."', "Either | or, 50 %.", "Ça va: “naïve” café.")


@pytest.fixture
def version(people: Any, work: Any) -> DatasetVersion:
    """Of two recordings of Anna's team dataset, with texts that tables find hard."""
    speaker = SpeakerFactory(owner=people.anna, name="Anna")
    sources = [reviewed_source(people.anna, speaker=speaker, segments=count) for count in (5, 2)]
    for segment, text in zip(sources[0].segments.order_by("index"), TEXTS, strict=False):
        segment_edit(segment=segment, text=text)
    dataset = DatasetFactory(
        owner=people.anna, speaker=speaker, sources=sources, name="My set!", visibility="team", validation_share=0.25
    )
    made, _job = version_freeze(dataset=dataset, owner=people.anna)
    assert work() == ["succeeded"]
    made.refresh_from_db()
    return made


@pytest.fixture
def exported(people: Any, version: DatasetVersion, work: Any, tmp_path: Path) -> Any:
    """Export in a form and unpack as a user would; returns the folder inside."""

    def do(form: str) -> Path:
        export, _job = export_start(version=version, form=form, owner=people.anna)
        assert work() == ["succeeded"]
        export.refresh_from_db()
        assert export.state == ExportState.READY
        with zipfile.ZipFile(export.path) as archive:
            assert archive.testzip() is None
            archive.extractall(tmp_path / form)
        (top,) = (tmp_path / form).iterdir()
        assert top.name == f"my-set-v1-{form}"
        return top

    return do


def rows_of(version: DatasetVersion) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in version_manifest(version=version)}


def same_sound(path: Path, version: DatasetVersion, row: dict[str, Any]) -> bool:
    return bool(path.read_bytes() == (version.folder / row["audio"]).read_bytes())


def test_coqui_tts_reads_the_ljspeech_zip(version: DatasetVersion, exported: Any) -> None:
    from TTS.tts.datasets.formatters import ljspeech

    top, rows = exported("ljspeech"), rows_of(version)
    items = ljspeech(str(top), "metadata.csv")
    assert {Path(item["audio_file"]).stem for item in items} == set(rows)
    for item in items:
        path = Path(item["audio_file"])
        assert item["text"].strip() == rows[path.stem]["text"].replace("|", " ")
        assert same_sound(path, version, rows[path.stem])
    written = dict(line.split("|")[:2] for line in (top / "metadata.csv").read_text("utf-8").splitlines())
    assert sorted(written.values()) == sorted(" ".join(row["raw"].replace("|", " ").split()) for row in rows.values())


def test_coqui_tts_reads_the_coqui_zip_with_its_split(version: DatasetVersion, exported: Any) -> None:
    from TTS.tts.datasets.formatters import coqui

    top, rows = exported("coqui"), rows_of(version)
    for table, split, count in (("metadata_train.csv", "train", 5), ("metadata_eval.csv", "validation", 2)):
        items = coqui(str(top), table)
        assert len(items) == count
        for item in items:
            path = Path(item["audio_file"])
            assert (item["text"], item["speaker_name"]) == (rows[path.stem]["text"], "Anna")
            assert rows[path.stem]["split"] == split
            assert same_sound(path, version, rows[path.stem])


def test_a_reader_of_the_audiofolder_finds_every_clip_in_its_split(version: DatasetVersion, exported: Any) -> None:
    rows = rows_of(version)
    splits = read_audiofolder(exported("audiofolder"))
    assert {split: len(found) for split, found in splits.items()} == {"train": 5, "validation": 2}
    for split, found in splits.items():
        for each in found:
            row = rows[each["id"]]
            assert (each["text"], each["raw"], split) == (row["text"], row["raw"], row["split"])
            assert same_sound(each["audio"], version, row)
    raws = {each["raw"] for found in splits.values() for each in found}
    assert raws >= set(TEXTS)


def test_each_zip_says_what_it_is_and_by_which_right(version: DatasetVersion, exported: Any) -> None:
    about = (exported("coqui") / "README.md").read_text("utf-8")
    for words in (
        "My set! v1",
        "7 clips",
        version.content_hash,
        "I agree that my voice may be cloned.",
        "metadata_eval",
    ):
        assert words in about


@pytest.mark.parametrize("form", ["ljspeech", "coqui"])
def test_what_went_out_comes_in_again_with_the_same_clips_and_texts(
    people: Any, version: DatasetVersion, work: Any, form: str
) -> None:
    export, _job = export_start(version=version, form=form, owner=people.anna)
    assert work() == ["succeeded"]
    upload = SimpleUploadedFile("back.zip", export.path.read_bytes())
    importing, _job = import_upload(
        owner=people.anna, speaker=version.dataset.speaker, language="en", file=upload, approve=True
    )
    assert work() == ["succeeded"]
    importing.refresh_from_db()
    assert (importing.clips, importing.approved, importing.respoken) == (7, 7, 0)
    assert importing.dataset is not None
    back, _job = version_freeze(dataset=importing.dataset, owner=people.anna)
    assert work() == ["succeeded"]
    back.refresh_from_db()
    names = {
        f"segment-{pk}": Path(name).stem for pk, name in Segment.objects.values_list("pk", "original_name") if name
    }
    first, second = rows_of(version), {names[key]: row for key, row in rows_of(back).items()}
    assert first.keys() == second.keys()
    for key, row in first.items():
        other = second[key]
        raw = row["raw"] if form == "coqui" else " ".join(row["raw"].replace("|", " ").split())
        assert (raw, row["text"]) == (other["raw"], other["text"])
        # Through the master's 24 kHz and back: the same number of samples, the same sound but for rounding and the
        # top of the band.
        one, two = read_wav(version.folder / row["audio"]), read_wav(back.folder / other["audio"])
        assert abs(len(one.samples) - len(two.samples)) <= 1
        count = min(len(one.samples), len(two.samples))
        assert np.corrcoef(one.samples[:count], two.samples[:count])[0, 1] > 0.995


def test_the_same_version_makes_the_same_zip(people: Any, version: DatasetVersion, exported: Any, work: Any) -> None:
    exported("ljspeech")
    first = DatasetExport.objects.get()
    service.export_delete(export=first)
    second, _job = export_start(version=version, form="ljspeech", owner=people.anna)
    assert work() == ["succeeded"]
    second.refresh_from_db()
    assert (second.sha256, second.bytes) == (first.sha256, first.bytes)


def test_an_export_is_asked_for_watched_fetched_and_deleted_over_the_api(
    people: Any, version: DatasetVersion, api_for: Any, work: Any, django_capture_on_commit_callbacks: Any
) -> None:
    api = api_for(people.anna)
    made = api.post(f"{V1}/dataset-exports/", {"version": str(version.pk), "form": "ljspeech"})
    assert (made.status_code, made.json()["state"], made.json()["job"]["state"]) == (202, "waiting", "queued")
    url = f"{V1}/dataset-exports/{made.json()['id']}/"
    assert api.get(f"{url}file/").status_code == 404
    again = api.post(f"{V1}/dataset-exports/", {"version": str(version.pk), "form": "ljspeech"}).json()
    assert (again["id"], again["job"]["id"]) == (made.json()["id"], made.json()["job"]["id"])
    assert work() == ["succeeded"]
    told = api.get(url).json()
    assert told["state"] == "ready"
    whole = api.get(told["file"], HTTP_ACCEPT="application/zip")
    content = b"".join(whole.streaming_content)
    assert (whole.status_code, whole["Content-Type"], len(content)) == (200, "application/zip", told["bytes"])
    assert "my-set-v1-ljspeech.zip" in whole["Content-Disposition"]
    part = api.get(told["file"], HTTP_RANGE="bytes=100-199")
    assert (part.status_code, b"".join(part.streaming_content)) == (206, content[100:200])
    assert api.post(f"{V1}/dataset-exports/", {"version": str(version.pk), "form": "ljspeech"}).json()["job"] is None
    wrong = api.post(f"{V1}/dataset-exports/", {"version": str(version.pk), "form": "tape"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "form")
    assert api.get(f"{V1}/dataset-exports/", {"version": str(version.pk)}).json()["count"] == 1
    path = DatasetExport.objects.get().path
    assert path.is_file()
    with django_capture_on_commit_callbacks(execute=True):
        assert api.delete(url).status_code == 204
    assert not path.exists()


def test_the_versions_page_offers_each_form_and_shows_what_becomes_of_it(
    people: Any, version: DatasetVersion, page_for: Any, work: Any
) -> None:
    page, url = page_for(people.anna), reverse("datasets:version-detail", args=[version.pk])
    html = page.get(url).content.decode()
    assert html.count("not made yet") == 3
    answer = page.post(reverse("datasets:export-add", args=[version.pk]), {"form": "coqui"})
    assert answer.headers["Location"] == url
    assert reverse("jobs:strip", args=[Job.objects.get(kind="datasets.export").pk]) in page.get(url).content.decode()
    assert work() == ["succeeded"]
    export = DatasetExport.objects.get()
    html = page.get(url).content.decode()
    assert reverse("datasets:export-file", args=[export.pk]) in html
    assert export.sha256[:12] in html
    fetched = page.get(reverse("datasets:export-file", args=[export.pk]))
    assert len(b"".join(fetched.streaming_content)) == export.bytes
    assert page.post(reverse("datasets:export-delete", args=[export.pk])).headers["Location"] == url
    assert not DatasetExport.objects.exists()
    refused = page.post(reverse("datasets:export-add", args=[version.pk]), {"form": "tape"}, follow=True)
    assert "“tape” is no form of export" in refused.content.decode()


def test_exports_are_for_those_who_may_change_the_dataset(
    people: Any, version: DatasetVersion, page_for: Any, api_for: Any, exported: Any, work: Any
) -> None:
    exported("ljspeech")
    export = DatasetExport.objects.get()
    file, add = (
        reverse("datasets:export-file", args=[export.pk]),
        reverse("datasets:export-add", args=[version.pk]),
    )
    # Ben sees the shared version, but neither exports nor their files.
    ben = page_for(people.ben)
    assert "Exports" not in ben.get(reverse("datasets:version-detail", args=[version.pk])).content.decode()
    assert ben.get(file).status_code == 404
    assert ben.post(add, {"form": "coqui"}).status_code == 403
    assert ben.post(reverse("datasets:export-delete", args=[export.pk])).status_code == 404
    api = api_for(people.ben)
    assert api.get(f"{V1}/dataset-exports/").json()["count"] == 0
    assert api.get(f"{V1}/dataset-exports/{export.pk}/file/").status_code == 404
    assert api.post(f"{V1}/dataset-exports/", {"version": str(version.pk), "form": "coqui"}).status_code == 403
    assert api.delete(f"{V1}/dataset-exports/{export.pk}/").status_code == 404
    # A curator may change what is shared; what becomes private again is not theirs any more.
    cora = page_for(people.cora)
    assert cora.get(file).status_code == 200
    assert cora.post(add, {"form": "coqui"}).status_code == 302
    job = Job.objects.get(owner=people.cora)
    job_cancel(job=job)
    version.dataset.visibility = "private"
    version.dataset.save()
    assert cora.get(file).status_code == 404
    assert api_for(people.cora).post(f"{V1}/jobs/{job.pk}/retry/").status_code == 403
    assert cora.post(add, {"form": "coqui"}).status_code == 404


def test_the_admin_starts_shows_and_deletes_exports(
    people: Any, version: DatasetVersion, page_for: Any, work: Any
) -> None:
    page = page_for(people.root)
    versions = reverse("admin:datasets_datasetversion_changelist")
    answer = page.post(versions, {"action": "export_audiofolder", "_selected_action": [str(version.pk)]}, follow=True)
    assert "is being written" in answer.content.decode()
    assert work() == ["succeeded"]
    export = DatasetExport.objects.get()
    exports = reverse("admin:datasets_datasetexport_changelist")
    assert reverse("datasets:export-file", args=[export.pk]) in page.get(exports).content.decode()
    page.post(reverse("admin:datasets_datasetexport_delete", args=[export.pk]), {"post": "yes"})
    assert not DatasetExport.objects.exists()


def test_only_what_is_frozen_goes_out(people: Any, api_for: Any) -> None:
    source = reviewed_source(people.anna, status=ReviewStatus.APPROVED)
    dataset = DatasetFactory(owner=people.anna, speaker=source.speaker, sources=[source])
    version, _job = version_freeze(dataset=dataset, owner=people.anna)
    refused = api_for(people.anna).post(f"{V1}/dataset-exports/", {"version": str(version.pk), "form": "coqui"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "version_not_ready")
    assert not DatasetExport.objects.exists()


def test_a_cancelled_export_leaves_no_file_and_is_tried_again(
    people: Any, version: DatasetVersion, work: Any, monkeypatch: Any, api_for: Any
) -> None:
    export, job = export_start(version=version, form="ljspeech", owner=people.anna)
    assert job is not None
    monkeypatch.setattr("xttsproject.jobs.context.CHECK_SECONDS", 0.0)
    original = write_export

    def cancelled_meanwhile(*args: Any, **options: Any) -> None:
        job_cancel(job=Job.objects.get(pk=job.pk))
        original(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(service, "write_export", cancelled_meanwhile)
        assert work() == ["cancelled"]
    export.refresh_from_db()
    assert export.state == ExportState.CANCELLED
    assert list(export.path.parent.iterdir()) == []
    assert api_for(people.anna).post(f"{V1}/jobs/{job.pk}/retry/").status_code == 200
    assert work() == ["succeeded"]
    assert export.path.is_file()


def test_a_kill_leaves_nothing_that_the_next_try_does_not_put_right(
    people: Any, version: DatasetVersion, work: Any
) -> None:
    export, _job = export_start(version=version, form="ljspeech", owner=people.anna)
    export.path.parent.mkdir(parents=True)
    half = export.path.with_name(".ljspeech-abc123.zip")
    half.write_bytes(b"PK half of it")
    assert work() == ["succeeded"]
    assert [path.name for path in export.path.parent.iterdir()] == ["ljspeech.zip"]
    # Delivered once more, it is not written again.
    export.refresh_from_db()
    before = export.path.stat().st_mtime_ns
    export_build(export=export, progress=Silent())
    assert export.path.stat().st_mtime_ns == before


def test_a_lost_clip_fails_the_export_and_says_which(people: Any, version: DatasetVersion, work: Any) -> None:
    export, _job = export_start(version=version, form="coqui", owner=people.anna)
    row = next(iter(rows_of(version).values()))
    (version.folder / row["audio"]).unlink()
    assert work() == ["failed"]
    export.refresh_from_db()
    assert (export.state, export.error_code) == (ExportState.FAILED, "clip_missing")
    assert row["id"] in export.error
    assert list(export.path.parent.iterdir()) == []


def test_a_file_that_was_lost_is_made_again(people: Any, version: DatasetVersion, exported: Any, work: Any) -> None:
    exported("coqui")
    export = DatasetExport.objects.get()
    export.path.unlink()
    again, job = export_start(version=version, form="coqui", owner=people.anna)
    assert (again, job is not None) == (export, True)
    assert work() == ["succeeded"]
    assert export.path.is_file()


def test_exports_go_with_their_version(
    people: Any, version: DatasetVersion, exported: Any, data_root: Path, django_capture_on_commit_callbacks: Any
) -> None:
    exported("coqui")
    waiting, job = export_start(version=version, form="ljspeech", owner=people.anna)
    assert job is not None
    with django_capture_on_commit_callbacks(execute=True):
        dataset_delete(dataset=version.dataset)
    assert not DatasetExport.objects.exists()
    assert list((data_root / "media" / "exports").iterdir()) == []
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


def test_a_version_deleted_while_it_is_exported_leaves_no_file(
    people: Any, version: DatasetVersion, data_root: Path, django_capture_on_commit_callbacks: Any
) -> None:
    export, _job = export_start(version=version, form="coqui", owner=people.anna)
    deleted: list[str] = []

    def delete_once(_: float, message: str) -> None:
        if not deleted:
            deleted.append(message)
            with django_capture_on_commit_callbacks(execute=True):
                dataset_delete(dataset=version.dataset)

    with pytest.raises((DomainError, OSError)):
        export_build(export=export, progress=Callback(delete_once))
    assert deleted
    assert list((data_root / "media" / "exports").iterdir()) == []


def test_memory_does_not_grow_with_the_number_of_clips(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        folder = tmp_path / str(count)
        (folder / "clips").mkdir(parents=True, exist_ok=True)
        with open(folder / "manifest.jsonl", "w") as lines:
            for number in range(count):
                (folder / "clips" / f"{number}.wav").write_bytes(bytes(200_000))
                row = {"id": str(number), "audio": f"clips/{number}.wav", "text": "A text.", "raw": "A text."}
                row |= {"split": "train", "speaker": "x", "language": "en", "seconds": "4.5"}
                lines.write(json.dumps(row) + "\n")
        tracemalloc.start()
        write_export(folder, "ljspeech", tmp_path / f"{count}.zip", name="x", about="x")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(3)
    assert peak(203) - peak(3) < 200 * 2_000
