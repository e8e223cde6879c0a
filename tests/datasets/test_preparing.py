"""Cutting a recording: all of it or nothing, and never over a person's work."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from datasets.choices import Origin, SourceState
from datasets.models import Segment, SourceVideo
from datasets.services.preparing import source_prepare
from datasets.services.sources import files_follow_row, source_delete
from tests.datasets.factories import SourceFactory
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_cancel, job_start
from xttsproject.jobs.tasks import run
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Silent


@pytest.fixture
def source(people: Any, talk: Path) -> SourceVideo:
    made: SourceVideo = SourceFactory(
        owner=people.anna, state=SourceState.WAITING, original="original.mp4", origin=Origin.UPLOAD, seconds=0
    )
    made.folder.mkdir(parents=True)
    shutil.copy(talk, made.original_path)
    return made


def test_segments_come_with_measures_and_start_transcription(source: SourceVideo, people: Any) -> None:
    job = source_prepare(source=source, owner=people.anna, progress=Silent())
    assert job is not None
    assert (job.kind, job.queue, job.state) == ("datasets.transcribe", "gpu", JobState.QUEUED)
    source.refresh_from_db()
    assert source.state == SourceState.SEGMENTED
    assert source.seconds == pytest.approx(20, abs=0.2)
    assert source.has_video
    segments = list(source.segments.all())
    assert [segment.index for segment in segments] == list(range(1, len(segments) + 1))
    for before, after in zip(segments, segments[1:], strict=False):
        assert before.end <= after.start
    for segment in segments:
        assert segment.quality["seconds"] == pytest.approx(segment.seconds, abs=0.01)
        assert segment.quality["snr_db"] > 10
        assert segment.text == ""


def test_a_second_delivery_changes_nothing_that_people_have_done(source: SourceVideo, people: Any) -> None:
    source_prepare(source=source, owner=people.anna, progress=Silent())
    first = source.segments.first()
    assert first is not None
    first.set_text("Corrected.")
    before = list(Segment.objects.values_list("pk", "start", "text"))
    source_prepare(source=source, owner=people.anna, progress=Silent())
    assert list(Segment.objects.values_list("pk", "start", "text")) == before
    assert Job.objects.filter(kind="datasets.transcribe").count() == 1


def test_a_worker_that_died_in_the_middle_is_followed_by_a_full_run(source: SourceVideo, people: Any) -> None:
    source.advance(SourceState.PREPARING, since=(SourceState.WAITING,))
    source.master_path.write_bytes(b"half a master")
    source_prepare(source=source, owner=people.anna, progress=Silent())
    assert source.state == SourceState.SEGMENTED
    assert source.master_path.stat().st_size > 900_000


def test_cancelling_leaves_the_original_alone(source: SourceVideo, people: Any) -> None:
    progress = Callback(should_stop=lambda: source.master_path.exists())
    with pytest.raises(Cancelled):
        source_prepare(source=source, owner=people.anna, progress=progress)
    assert [path.name for path in source.folder.iterdir()] == [source.original]
    assert not source.segments.exists()


def test_a_cancelled_job_is_shown_on_the_recording(source: SourceVideo, people: Any) -> None:
    job = job_start(kind="datasets.prepare", title="Prepare", owner=people.anna, subject=source)
    job_cancel(job=job)
    source.refresh_from_db()
    assert source.state == SourceState.CANCELLED


def test_a_recording_deleted_while_it_is_cut_leaves_no_file(
    source: SourceVideo, people: Any, data_root: Path, django_capture_on_commit_callbacks: Any
) -> None:
    job = job_start(kind="datasets.prepare", title="Prepare", owner=people.anna, subject=source)
    deleted: list[str] = []

    def delete_once(fraction: float, message: str) -> None:
        if not deleted:
            deleted.append(message)
            with django_capture_on_commit_callbacks(execute=True):
                source_delete(source=SourceVideo.objects.get(pk=source.pk))

    with pytest.raises(DomainError) as caught, files_follow_row(source):
        source_prepare(source=source, owner=people.anna, progress=Callback(on_report=delete_once))
    assert deleted
    assert caught.value.code == "subject_gone"
    assert list((data_root / "media" / "recordings").iterdir()) == []
    assert not Segment.objects.exists()
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert run(str(job.pk)) == "not mine"
