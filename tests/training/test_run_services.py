"""Runs stop when told to, go on where they were, and leave nothing behind when deleted."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from tests.training.factories import CheckpointFactory, RunFactory, frozen_version
from tests.training.refusing import refused
from training.choices import RunState
from training.models import Checkpoint, EpochSample, TrainingRun
from training.services import (
    run_cancel,
    run_create,
    run_delete,
    run_ended,
    run_log_tail,
    run_resume,
)
from training.services.execution import PROCESS, _fraction, end_previous, process_started
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_retry
from xttsproject.lib.files import write_json

pytestmark = pytest.mark.django_db


# --- stopping and going on ----------------------------------------------------------------------------------------


def test_a_waiting_run_is_cancelled_at_once_and_can_be_resumed(tiny: Path, people: Any) -> None:
    run = run_create(owner=people.tom, version=frozen_version(people.tom, clips=2), name="Run")
    first = run.job
    run_cancel(run=run)
    assert run.state == RunState.CANCELLED
    assert refused(run_cancel, run=run).code == "run_ended"
    job = run_resume(run=run, user=people.tom)
    assert (run.state, run.job, job == first) == (RunState.QUEUED, job, False)
    assert refused(run_resume, run=run, user=people.tom).code == "run_not_resumable"


@pytest.fixture(params=[RunState.QUEUED, RunState.RUNNING])
def abandoned(request: Any, tiny: Path, people: Any) -> TrainingRun:
    """A run that waits or trains by its state, but whose job was deleted."""
    run = run_create(owner=people.tom, version=frozen_version(people.tom, clips=2), name="Run")
    Job.objects.all().delete()
    TrainingRun.objects.update(state=request.param)
    run.refresh_from_db()
    assert run.is_abandoned
    return run


def test_a_run_whose_job_is_gone_can_be_cancelled(abandoned: TrainingRun) -> None:
    run_cancel(run=abandoned)
    assert abandoned.state == RunState.CANCELLED
    assert refused(run_cancel, run=abandoned).code == "run_ended"


def test_a_run_whose_job_is_gone_can_be_resumed(abandoned: TrainingRun, people: Any) -> None:
    job = run_resume(run=abandoned, user=people.tom)
    assert (abandoned.state, abandoned.job, job.state) == (RunState.QUEUED, job, JobState.QUEUED)
    assert not abandoned.is_abandoned


def test_a_run_whose_job_is_gone_can_be_deleted(abandoned: TrainingRun, people: Any) -> None:
    run_delete(run=abandoned, user=people.tom)
    assert not TrainingRun.objects.exists()


def test_the_job_of_a_run_is_tried_again_by_trainers_only(tiny: Path, people: Any) -> None:
    run = run_create(owner=people.tom, version=frozen_version(people.tom, clips=2), name="Run")
    run_cancel(run=run)
    job = Job.objects.get()
    people.tom.groups.clear()
    person = get_user_model().objects.get(pk=people.tom.pk)
    assert refused(job_retry, job=job, user=person).code == "forbidden"
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    job_retry(job=job, user=people.root)
    assert job.state == JobState.QUEUED


def test_resuming_is_for_trainers(people: Any) -> None:
    run = RunFactory(owner=people.anna, state=RunState.FAILED)
    assert refused(run_resume, run=run, user=people.anna).code == "forbidden"
    assert run.state == RunState.FAILED


def test_a_job_that_ended_badly_ends_its_run(people: Any) -> None:
    run = RunFactory(owner=people.tom, state=RunState.RUNNING)
    run_ended(run, Ending("failed", "worker_lost", "The worker was lost."))
    assert (run.state, run.error_code, run.error) == (RunState.FAILED, "worker_lost", "The worker was lost.")
    # A run that has said how it ended keeps its word.
    run_ended(run, Ending("failed", "unexpected", "Something else."))
    assert (run.error_code, run.error) == ("worker_lost", "The worker was lost.")


def test_a_run_that_finished_before_its_worker_died_is_not_trained_again(tiny: Path, people: Any, work: Any) -> None:
    run = run_create(owner=people.tom, version=frozen_version(people.tom, clips=2), name="Run")
    TrainingRun.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED)
    assert work() == ["succeeded"]
    assert not (run.folder / "spec.json").exists()


def test_a_version_that_vanished_fails_the_run_with_the_cause(tiny: Path, people: Any, work: Any) -> None:
    version = frozen_version(people.tom, clips=2)
    run = run_create(owner=people.tom, version=version, name="Run")
    version.manifest_path.unlink()
    assert work() == ["failed"]
    run.refresh_from_db()
    assert (run.state, run.error_code) == (RunState.FAILED, "version_damaged")
    assert run.job is not None
    assert run.job.error == run.error


def test_the_jobs_progress_and_expected_time_follow_the_steps(people: Any) -> None:
    """Half a minute of start-up, then 2 s a step: after 10 of 30 steps 50 s are behind the job and 40 s ahead."""
    run = RunFactory(owner=people.tom, state=RunState.RUNNING, steps_total=30, step=10)
    run.timed_from, run.timed_from_step, run.seconds_per_step = 1032.0, 1, 2.0
    assert _fraction(run, began=1000.0) == pytest.approx(50 / 90)
    # Resumed: what earlier attempts did is not this one's.
    run.timed_from_step, run.step, run.seconds_per_step = 20, 21, 2.0
    assert _fraction(run, began=1000.0) == pytest.approx(34 / 52)
    run.step = 30
    assert _fraction(run, began=1000.0) == 0.99
    run.timed_from = run.seconds_per_step = None
    run.facts = {"features": {"done": 5, "total": 10}}
    assert 0 < _fraction(run, began=1000.0) < 0.03


# --- deleting -----------------------------------------------------------------------------------------------------


def test_deleting_takes_rows_and_files(people: Any, django_capture_on_commit_callbacks: Any) -> None:
    run = RunFactory(owner=people.tom)
    CheckpointFactory(run=run).folder.mkdir(parents=True)
    folder = run.folder
    with django_capture_on_commit_callbacks(execute=True):
        run_delete(run=run, user=people.tom)
    assert not TrainingRun.objects.exists()
    assert not Checkpoint.objects.exists()
    assert not EpochSample.objects.exists()
    assert not folder.exists()


def test_a_run_at_work_is_not_deleted(tiny: Path, people: Any) -> None:
    run = run_create(owner=people.tom, version=frozen_version(people.tom, clips=2), name="Run")
    assert refused(run_delete, run=run, user=people.tom).code == "run_active"


def test_a_run_whose_checkpoint_speaks_is_not_deleted(people: Any) -> None:
    run = RunFactory(owner=people.tom)
    run.folder.mkdir(parents=True)
    checkpoint = CheckpointFactory(run=run)
    # The voices stand above this app; all it knows of them is that rows point at its checkpoints.
    voice: Any = Checkpoint._meta.get_field("voices").related_model
    speaker = run.version.dataset.speaker
    fields = {"speaker": speaker, "checkpoint": checkpoint, "bundle": "tiny", "language": "en"}
    voice.objects.create(owner=people.tom, name="Grandfather", **fields)
    voice.objects.create(owner=people.ben, name="Hidden", **fields)
    error = refused(run_delete, run=run, user=people.tom)
    assert error.code == "in_use"
    assert "Grandfather" in error.message
    assert "Hidden" not in error.message
    assert Checkpoint.objects.filter(pk=checkpoint.pk).exists()
    assert run.folder.exists()


# --- the process --------------------------------------------------------------------------------------------------


def test_a_process_of_an_earlier_attempt_is_ended(tmp_path: Path) -> None:
    import socket

    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        kept = {"host": socket.gethostname(), "pid": process.pid, "started": process_started(process.pid)}
        # One whose number was given to another process meanwhile is left alone.
        write_json(tmp_path / PROCESS, {**kept, "started": "1"})
        end_previous(tmp_path)
        assert process.poll() is None
        write_json(tmp_path / PROCESS, kept)
        end_previous(tmp_path)
        time.sleep(0.05)
        assert process.poll() is not None
        assert not (tmp_path / PROCESS).exists()
    finally:
        process.kill()
        process.wait()


def test_the_log_tail_begins_with_a_whole_line(people: Any) -> None:
    run = RunFactory(owner=people.tom)
    assert run_log_tail(run=run) == ""
    run.folder.mkdir(parents=True)
    lines = [f"line {number}" for number in range(2000)]
    (run.folder / "train.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tail = run_log_tail(run=run).splitlines()
    assert tail == lines[-len(tail) :]
    assert 100 < len(tail) < 2000
