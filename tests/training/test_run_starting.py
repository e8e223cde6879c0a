"""Runs are checked before they start: what they would do, take and lack is said first."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from datasets.choices import VersionState
from tests.training.factories import RunFactory, VersionFactory, frozen_version
from tests.training.refusing import refused
from training.choices import RunState
from training.engine.spec import LoraSpec, TrainSpec
from training.models import TrainingRun
from training.services import (
    RunValues,
    run_create,
    run_preflight,
)
from training.services.spec import spec_of
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.lib import memory
from xttsproject.xtts.config import read_config

pytestmark = pytest.mark.django_db


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


def test_half_precision_is_warned_of_where_no_gpu_is_known(tiny: Path, people: Any, settings: Any) -> None:
    settings.DEVICE = "auto"
    version = frozen_version(people.tom, clips=2)

    def remarks(precision: str = "fp16") -> tuple[str, ...]:
        return run_preflight(owner=people.tom, version=version, values=RunValues(precision=precision)).remarks

    (unknown,) = remarks()
    assert "no run has shown yet whether there is one: without one the run is refused when it starts" in unknown
    RunFactory(owner=people.ben, facts={"usage": {"device": "cpu"}})
    # One that broke before it said what it runs on.
    RunFactory(owner=people.ben)
    (known,) = remarks()
    assert "the last run trained on a processor" in known
    assert remarks("bf16") == ()
    RunFactory(owner=people.ben, facts={"usage": {"device": "cuda:0"}})
    assert remarks() == ()


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
