"""An import that is cancelled, killed or deleted leaves nothing half done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from datasets.choices import ImportState
from datasets.models import Dataset, DatasetImport, Segment, SourceVideo
from datasets.pipeline.importing import read_dataset
from datasets.services import importing as service
from datasets.services.importing import import_delete, import_run
from datasets.services.speakers import speaker_delete
from tests.datasets.importing.given import files_below, given_in
from xttsproject import storage
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_cancel
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Callback, Silent

V1 = "/api/v1"


def test_deleting_the_record_leaves_what_came_in(
    people: Any, page_for: Any, speaker: Any, archive: Path, work: Any
) -> None:
    importing, _job = given_in(people.anna, speaker, archive)
    work()
    answer = page_for(people.anna).post(reverse("datasets:import-delete", args=[importing.pk]))
    assert answer.headers["Location"] == reverse("datasets:import-add")
    assert not DatasetImport.objects.exists()
    source = SourceVideo.objects.get()
    assert (source.imported, source.master_path.is_file(), source.segments.count()) == (None, True, 3)


def test_a_speaker_whose_dataset_is_being_imported_stays(people: Any, speaker: Any, archive: Path) -> None:
    given_in(people.anna, speaker, archive)
    with pytest.raises(DomainError) as caught:
        speaker_delete(speaker=speaker)
    assert caught.value.code == "in_use"


def test_an_import_that_waits_is_cancelled_and_tried_again(
    people: Any, api_for: Any, speaker: Any, archive: Path, work: Any
) -> None:
    importing, job = given_in(people.anna, speaker, archive)
    job_cancel(job=job)
    importing.refresh_from_db()
    assert importing.state == ImportState.CANCELLED
    assert api_for(people.anna).post(f"{V1}/jobs/{job.pk}/retry/").status_code == 200
    assert work() == ["succeeded"]
    importing.refresh_from_db()
    assert (importing.state, importing.clips) == (ImportState.READY, 3)


def test_a_cancel_while_it_reads_leaves_only_the_zip(
    people: Any, speaker: Any, archive: Path, work: Any, data_root: Path, monkeypatch: Any
) -> None:
    importing, job = given_in(people.anna, speaker, archive)
    monkeypatch.setattr("xttsproject.jobs.context.CHECK_SECONDS", 0.0)
    monkeypatch.setattr("xttsproject.jobs.context.REPORT_SECONDS", 0.0)
    original = read_dataset

    def cancelled_meanwhile(*args: Any, **options: Any) -> Any:
        job_cancel(job=Job.objects.get(pk=job.pk))
        return original(*args, **options)

    monkeypatch.setattr(service, "read_dataset", cancelled_meanwhile)
    assert work() == ["cancelled"]
    importing.refresh_from_db()
    assert importing.state == ImportState.CANCELLED
    assert files_below(data_root / "media") == [f"imports/{importing.pk}/dataset.zip"]
    assert not SourceVideo.objects.exists()


class Killed(BaseException):
    """What no handler of ours catches."""


@pytest.mark.parametrize("moment", ["bulk_create", "dataset_create", "advance"])
def test_a_kill_at_any_moment_leaves_no_row_and_the_next_try_brings_all_of_it_in(
    people: Any, speaker: Any, archive: Path, data_root: Path, monkeypatch: Any, moment: str
) -> None:
    importing, _job = given_in(people.anna, speaker, archive)

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        # A process that is killed cleans nothing up: neither its folders nor its parts.
        patch.setattr(storage, "remove_tree", lambda _folder: None)
        if moment == "bulk_create":
            patch.setattr("django.db.models.query.QuerySet.bulk_create", killed)
        elif moment == "dataset_create":
            patch.setattr(service, "dataset_create", killed)
        else:
            importing.advance(ImportState.READING, since=(ImportState.WAITING,))
            patch.setattr(service, "_take_in", killed)
        with pytest.raises(Killed):
            import_run(importing=importing, progress=Silent())
    assert not SourceVideo.objects.exists()
    assert not Segment.objects.exists()
    assert not Dataset.objects.exists()
    importing = DatasetImport.objects.get(pk=importing.pk)
    import_run(importing=importing, progress=Silent())
    source = SourceVideo.objects.get()
    assert source.segments.count() == 3
    assert files_below(data_root / "media") == [f"recordings/{source.pk}/master.wav"]
    # Delivered once more after it was done, it changes nothing.
    import_run(importing=importing, progress=Silent())
    assert files_below(data_root / "media") == [f"recordings/{source.pk}/master.wav"]


def test_what_a_killed_try_left_goes_when_the_job_is_given_up(
    people: Any, speaker: Any, archive: Path, data_root: Path, monkeypatch: Any
) -> None:
    importing, _job = given_in(people.anna, speaker, archive)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "remove_tree", lambda _folder: None)
        patch.setattr(service, "dataset_create", lambda **_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            import_run(importing=importing, progress=Silent())
    assert any(name.startswith("recordings/") for name in files_below(data_root / "media"))
    service.import_ended(importing=importing, ending=Ending(JobState.FAILED, "worker_lost", "The worker died."))
    importing.refresh_from_db()
    assert (importing.state, importing.error) == (ImportState.FAILED, "The worker died.")
    assert files_below(data_root / "media") == [f"imports/{importing.pk}/dataset.zip"]


def test_an_import_deleted_while_it_reads_leaves_no_file(
    people: Any, speaker: Any, archive: Path, data_root: Path, django_capture_on_commit_callbacks: Any
) -> None:
    importing, _job = given_in(people.anna, speaker, archive)
    deleted: list[str] = []

    def delete_once(_: float, message: str) -> None:
        if not deleted:
            deleted.append(message)
            with django_capture_on_commit_callbacks(execute=True):
                import_delete(importing=DatasetImport.objects.get(pk=importing.pk))

    with pytest.raises((DomainError, OSError)):
        import_run(importing=importing, progress=Callback(delete_once))
    assert deleted
    assert not SourceVideo.objects.exists()
    assert files_below(data_root / "media") == []
