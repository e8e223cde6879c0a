"""Runs are checked before they start, stop when told to, and leave nothing behind when deleted."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from datasets.choices import VersionState
from tests.training.factories import CheckpointFactory, RunFactory, VersionFactory, frozen_version
from training.choices import RunState
from training.engine.spec import LoraSpec, TrainSpec
from training.models import Checkpoint, EpochSample, TrainingRun
from training.services import (
    RunValues,
    run_cancel,
    run_create,
    run_delete,
    run_ended,
    run_log_tail,
    run_preflight,
    run_resume,
)
from training.services.execution import PROCESS, _fraction, end_previous, process_started
from training.services.spec import spec_of
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_retry
from xttsproject.lib import memory
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import write_json
from xttsproject.xtts.config import read_config

pytestmark = pytest.mark.django_db


def refused(call: Any, **arguments: Any) -> DomainError:
    with pytest.raises(DomainError) as caught:
        call(**arguments)
    return caught.value


# --- starting -----------------------------------------------------------------------------------------------------


def test_a_run_waits_on_the_gpu_queue_with_its_checked_values(tiny: Path, people: Any) -> None:
    version = frozen_version(people.tom)
    run = run_create(owner=people.tom, version=version, name=" Evening ", values=RunValues(epochs=4, batch_size=2))
    assert (run.name, run.state, run.bundle, run.epochs_total) == ("Evening", RunState.QUEUED, "tiny", 4)
    assert run.job is not None
    assert (run.job.kind, run.job.queue, run.job.state) == ("training.run", "gpu", JobState.QUEUED)
    assert run.spec["epochs"] == 4
    assert run.spec["sample_prompts"][0]["language"] == "en"
    # Paths belong to the machine, not to the row.
    assert str(version.folder) not in str(run.spec)
    spec = spec_of(run=run)
    assert spec.run_dir == run.folder
    assert spec.manifest == version.manifest_path
    assert spec.bundle == tiny
    assert all(clip.is_file() for clip in spec.reference_clips)


def test_the_preflight_says_what_the_run_will_do(tiny: Path, people: Any) -> None:
    version = frozen_version(people.tom, clips=7)
    found = run_preflight(owner=people.tom, version=version, values=RunValues(epochs=3, batch_size=2, accumulation=2))
    assert (found.clips_train, found.clips_validation) == (version.clips_train, version.clips_validation)
    # Six training clips: three batches, two steps.
    assert version.clips_train == 6
    assert (found.steps_per_epoch, found.steps_total) == (2, 6)
    assert Job.objects.count() == 0


def test_the_preflight_of_full_fine_tuning_says_what_it_takes(tiny: Path, people: Any) -> None:
    from xttsproject.xtts.shapes import gpt_shapes

    shape = read_config(tiny).gpt
    parameters = sum(math.prod(size) for size in gpt_shapes(shape).values())
    version = frozen_version(people.tom, clips=4)
    values = RunValues(method="full", epochs=5, keep_best=1, learning_rate=1e-5)
    found = run_preflight(owner=people.tom, version=version, values=values)
    assert (found.trained_parameters, found.checkpoint_bytes) == (parameters, 4 * parameters)
    # Three checkpoints while one is exchanged, and the file to go on from, thrice as large, twice while it is replaced.
    assert found.disk_bytes - found.features_bytes == (3 + 2 * 3) * 4 * parameters
    assert found.remarks == ()
    adapters = run_preflight(owner=people.tom, version=version, values=RunValues())
    assert adapters.checkpoint_bytes < found.checkpoint_bytes / 10
    hasty = run_preflight(owner=people.tom, version=version, values=RunValues(method="full"))
    assert "0.0002" in hasty.remarks[0]


def test_time_and_memory_are_told_as_the_last_run_alike_took_them(tiny: Path, people: Any) -> None:
    version = frozen_version(people.tom, clips=7)
    values = RunValues(epochs=10, batch_size=2, precision="fp32")
    first = run_preflight(owner=people.tom, version=version, values=values).outlook
    assert (first.seconds, first.memory_seen) == (None, None)
    assert first.memory_total is not None
    assert first.memory_free is not None
    # A run of 30 clips and 3 epochs in 9 steps of 2 seconds: 10 clips to a step, 5 a second.
    usage = {"device": "cpu", "used": 10**8, "peak": 2 * 10**8, "total": 10**10}
    facts = {"clips_train": 30, "usage": usage}
    common = {"owner": people.ben, "bundle": tiny.name, "seconds_per_step": 2.0, "facts": facts}
    RunFactory(**common, spec={"precision": "fp32"})
    found = run_preflight(owner=people.tom, version=version, values=values).outlook
    assert found.seconds == pytest.approx(6 * 10 / 5)
    assert found.memory_seen == 2 * 10**8
    full = run_preflight(owner=people.tom, version=version, values=RunValues(method="full", precision="fp32")).outlook
    assert (full.seconds, full.memory_seen) == (None, None)
    assert full.memory_least > 2 * found.memory_least


def test_a_run_that_no_memory_here_holds_is_refused(
    tiny: Path, people: Any, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("10000000")
    # The machine has more, but the container may not use it.
    monkeypatch.setattr(memory, "GROUPS", ((limit, tmp_path / "memory.current"),))
    version = frozen_version(people.tom, clips=2)
    error = refused(run_create, owner=people.tom, version=version, name="Run", values=RunValues(method="full"))
    assert (error.code, error.field) == ("memory_short", "method")
    assert "there are 10.0 MB; take LoRA" in error.message
    assert not TrainingRun.objects.exists()
    # A worker may have a GPU that this process does not see: then it is told what there is here, and no more.
    settings.DEVICE = "auto"
    told = run_preflight(owner=people.tom, version=version, values=RunValues(method="full")).outlook
    assert (told.memory_total, told.memory_device) == (10_000_000, "")
    assert told.memory_free is not None
    # The last run shows that there is none.
    usage = {"device": "cpu", "used": 10**8, "peak": 2 * 10**8, "total": 10**10}
    common = {"owner": people.ben, "bundle": tiny.name, "seconds_per_step": 2.0, "facts": {"usage": usage}}
    RunFactory(**common, spec={"precision": RunValues().precision, "method": "full"})
    error = refused(run_create, owner=people.tom, version=version, name="Run", values=RunValues(method="full"))
    assert error.code == "memory_short"


def test_altered_references_take_room(tiny: Path, people: Any) -> None:
    version = frozen_version(people.tom, clips=4)
    plain = run_preflight(owner=people.tom, version=version, values=RunValues())
    altered = run_preflight(owner=people.tom, version=version, values=RunValues(augment_conditioning=True))
    assert altered.disk_bytes - plain.disk_bytes == altered.features_bytes - plain.features_bytes
    # Four recordings of half the bytes, of the training clips alone.
    assert altered.features_bytes > 2 * plain.features_bytes


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"epochs": 0}, "epochs"),
        ({"batch_size": -1}, "batch_size"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"lora_rank": 0}, "lora_rank"),
        ({"lora_alpha": 0.0}, "lora_alpha"),
        ({"precision": "fp8"}, "precision"),
        ({"seed": -1}, "seed"),
        ({"schedule": "sawtooth"}, "schedule"),
        ({"method": "half"}, "method"),
        ({"lora_targets": ()}, "lora_targets"),
        ({"max_grad_norm": 0.0}, "max_grad_norm"),
    ],
)
def test_a_wrong_value_is_refused_by_its_field(tiny: Path, people: Any, values: dict[str, Any], field: str) -> None:
    version = frozen_version(people.tom, clips=2)
    error = refused(run_create, owner=people.tom, version=version, name="Run", values=RunValues(**values))
    assert (error.code, error.field) == ("spec_invalid", field)
    assert repr(values[field]) in error.message
    assert not TrainingRun.objects.exists()


def test_half_precision_on_a_processor_is_refused_before_anything_starts(tiny: Path, people: Any) -> None:
    version = frozen_version(people.tom, clips=2)
    error = refused(run_create, owner=people.tom, version=version, name="Run", values=RunValues(precision="fp16"))
    assert (error.code, error.field) == ("precision_unsupported", "precision")
    assert "fp32 or bf16" in error.message


def test_samples_in_int8_on_a_gpu_are_refused_before_anything_starts(tiny: Path, people: Any, settings: Any) -> None:
    version = frozen_version(people.tom, clips=2)
    settings.SPEECH_PRECISION, settings.DEVICE = "int8", "cuda"
    for step in (run_preflight, run_create):
        named = {"name": "Run"} if step is run_create else {}
        error = refused(step, owner=people.tom, version=version, values=RunValues(), **named)
        assert error.code == "precision_unsupported"
        assert "SPEECH_PRECISION is int8, which the device cuda lacks" in error.message
    assert not TrainingRun.objects.exists()
    settings.DEVICE = "cpu"
    assert run_preflight(owner=people.tom, version=version, values=RunValues()).steps_total


def test_a_run_takes_as_many_devices_as_there_may_be(tiny: Path, people: Any, settings: Any) -> None:
    version = frozen_version(people.tom, clips=7)
    error = refused(run_create, owner=people.tom, version=version, name="Run", values=RunValues(devices=2))
    assert (error.code, error.field) == ("device_missing", "devices")
    assert error.message == "A run takes one GPU here, and 2 were asked for."
    settings.TRAINING_DEVICES = 4
    error = refused(run_create, owner=people.tom, version=version, name="Run", values=RunValues(devices=5))
    assert error.message == "A run may take 4 GPUs here, and 5 were asked for."
    assert refused(run_create, owner=people.tom, version=version, name="Run", values=RunValues(devices=0)).field == (
        "devices"
    )
    assert not TrainingRun.objects.exists()

    one = run_preflight(owner=people.tom, version=version, values=RunValues(batch_size=3))
    four = run_preflight(owner=people.tom, version=version, values=RunValues(batch_size=3, devices=4))
    assert four.steps_total == one.steps_total
    # On a processor they share its memory.
    assert four.outlook.memory_least == 4 * one.outlook.memory_least
    assert (one.remarks, four.remarks) == (
        (),
        ("A batch of 3 clips keeps 3 of the 4 GPUs busy; take a larger batch, or fewer GPUs.",),
    )
    run = run_create(owner=people.tom, version=version, name="Run", values=RunValues(devices=4))
    assert (run.spec["devices"], spec_of(run=run).devices) == (4, 4)
    # A machine that lost two of them goes on with the others.
    settings.TRAINING_DEVICES = 2
    assert spec_of(run=run).devices == 2


def test_only_trainers_start_runs(tiny: Path, people: Any) -> None:
    version = frozen_version(people.anna, clips=2)
    assert refused(run_create, owner=people.anna, version=version, name="Run").code == "forbidden"
    assert run_create(owner=people.root, version=version, name="Run").owner == people.root


def test_what_is_not_chosen_is_as_the_engine_presets_it(tiny: Path, people: Any) -> None:
    run = run_create(owner=people.tom, version=frozen_version(people.tom, clips=2), name="Run")
    preset = {item.name: item.default for item in fields(TrainSpec)}
    chosen = {item.name for item in fields(RunValues)} & set(preset)
    assert {name: run.spec[name] for name in chosen} == {name: preset[name] for name in chosen}
    assert spec_of(run=run).lora == LoraSpec()


def test_a_name_is_taken_once_per_person(tiny: Path, people: Any) -> None:
    version = frozen_version(people.tom, clips=2)
    run_create(owner=people.tom, version=version, name="Evening")
    error = refused(run_create, owner=people.tom, version=version, name=" Evening ")
    assert (error.code, error.field) == ("duplicate", "name")
    assert "“Evening”" in error.message
    assert TrainingRun.objects.count() == Job.objects.count() == 1
    assert run_create(owner=people.root, version=version, name="Evening").owner == people.root


def test_a_version_must_be_visible_ready_and_whole(tiny: Path, people: Any) -> None:
    hidden = frozen_version(people.ben, clips=2)
    error = refused(run_create, owner=people.tom, version=hidden, name="Run")
    assert (error.code, error.field) == ("version_unknown", "version")
    freezing = VersionFactory(owner=people.tom, state=VersionState.FREEZING)
    assert refused(run_create, owner=people.tom, version=freezing, name="Run").code == "version_not_ready"
    vanished = VersionFactory(owner=people.tom)
    assert refused(run_create, owner=people.tom, version=vanished, name="Run").code == "version_damaged"
    changed = frozen_version(people.tom, clips=2)
    changed.manifest_path.chmod(0o644)
    changed.manifest_path.write_text(changed.manifest_path.read_text().replace("boat", "goat"))
    error = refused(run_create, owner=people.tom, version=changed, name="Run")
    assert (error.code, error.field) == ("version_damaged", "version")
    assert "is not the one that was frozen" in error.message


def test_a_model_must_be_there_and_speak_the_language(tiny: Path, people: Any) -> None:
    version = frozen_version(people.tom, clips=2)
    assert refused(run_create, owner=people.tom, version=version, name="R", bundle="gone").code == "model_missing"
    error = refused(run_create, owner=people.tom, version=version, name="R", bundle="../tiny")
    assert (error.code, error.field) == ("bundle_unsuitable", "bundle")


def test_a_language_that_the_model_lacks_is_refused(tiny: Path, people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from xttsproject.xtts.config import read_config

    version = frozen_version(people.tom, clips=2)
    config = replace(read_config(tiny), languages=("de",))
    monkeypatch.setattr("training.services.spec.read_config", lambda path: config)
    error = refused(run_create, owner=people.tom, version=version, name="Run")
    assert (error.code, error.field) == ("language_unsupported", "version")


def test_a_run_needs_a_name(tiny: Path, people: Any) -> None:
    version = frozen_version(people.tom, clips=2)
    assert refused(run_create, owner=people.tom, version=version, name="  ").field == "name"


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
