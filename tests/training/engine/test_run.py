"""What a run leaves behind is what it says it leaves behind, and it speaks with the checkpoint it names."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.engine.conftest import EPOCHS, Finished, SpecMaker, execute
from training.engine.events import read_events
from training.engine.launch import EVENTS
from training.engine.precision import resolve
from training.engine.schedule import Schedule
from training.engine.spec import Prompt, TrainSpec
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.files import sha256_of
from xttsproject.lib.progress import Callback

STEPS = EPOCHS * 3


def copied(finished: Finished, target: Path, **changes: Any) -> TrainSpec:
    shutil.copytree(finished.spec.run_dir, target)
    return replace(finished.spec, run_dir=target, **changes)


def test_the_start_tells_what_will_be_done_and_what_is_left_out(finished: Finished) -> None:
    (started,) = finished.of("started")
    assert started["steps_total"] == STEPS
    assert (started["clips_train"], started["clips_validation"]) == (9, 2)
    assert started["left_out"] == [{"id": "vanished", "reason": "clips/none.wav is not there", "code": "clip_missing"}]
    assert started["resumed_from_epoch"] is None
    assert started["device"] == "cpu"
    assert started["precision"] == resolve("auto", torch.device("cpu"))
    assert started["speech_precision"] == "fp32"
    # Rank 4 on four blocks, 128 wide: c_attn 128+384, c_proj 128+128, c_fc 128+512, the MLP's c_proj 512+128.
    assert started["trainable_parameters"] == 4 * 4 * 2048


def test_events_come_in_the_order_of_the_work(finished: Finished) -> None:
    # How much memory is used is told by the clock, not by the work.
    kinds = [event.kind for event in finished.events if event.kind not in ("features", "usage")]
    assert kinds == ["started", "sample"] + (["step"] * 3 + ["epoch", "checkpoint", "sample"]) * EPOCHS + ["finished"]
    assert [event.seq for event in finished.events] == list(range(1, len(finished.events) + 1))
    assert finished.of("features")[-1] == {"done": 11, "total": 11}


def test_every_step_has_its_losses_and_the_schedules_rate(finished: Finished) -> None:
    steps, spec = finished.of("step"), finished.spec
    assert [step["step"] for step in steps] == list(range(1, STEPS + 1))
    schedule = Schedule(spec.schedule, spec.learning_rate, STEPS, spec.warmup_fraction)
    assert [step["learning_rate"] for step in steps] == [schedule.rate(step) for step in range(1, STEPS + 1)]
    assert all(step["loss"] == pytest.approx(0.01 * step["loss_text"] + step["loss_mel"]) for step in steps)


def test_training_lowers_training_and_validation_loss(finished: Finished) -> None:
    epochs = finished.of("epoch")
    facts = json.loads((finished.spec.run_dir / "checkpoints/epoch-0001/checkpoint.json").read_text())
    assert epochs[-1]["train_loss"] < epochs[0]["train_loss"]
    assert epochs[-1]["validation_loss"] < facts["base_validation"]["total"]
    (last,) = finished.of("finished")
    best = min(epochs, key=lambda epoch: epoch["validation_loss"])
    assert last["best_epoch"] == best["epoch"]


def test_every_checkpoint_told_of_is_the_file_that_is_there(finished: Finished) -> None:
    told = finished.of("checkpoint")
    folders = sorted(path.name for path in (finished.spec.run_dir / "checkpoints").iterdir())
    assert [checkpoint["path"] for checkpoint in told] == [f"checkpoints/{name}" for name in folders]
    for checkpoint, epoch in zip(told, finished.of("epoch"), strict=True):
        weights = finished.spec.run_dir / checkpoint["path"] / "adapter_model.safetensors"
        assert checkpoint["bytes"] == weights.stat().st_size
        assert checkpoint["sha256"] == sha256_of(weights)
        facts = json.loads((weights.parent / "checkpoint.json").read_text())
        assert facts["validation"]["total"] == checkpoint["validation_loss"] == epoch["validation_loss"]
        assert (facts["epoch"], facts["step"]) == (checkpoint["epoch"], checkpoint["step"])
    assert len({checkpoint["sha256"] for checkpoint in told}) == EPOCHS


def test_a_sample_is_what_users_synthesis_says_with_that_very_checkpoint(finished: Finished) -> None:
    from xttsproject.xtts.engine import XttsEngine
    from xttsproject.xtts.types import Sampling

    spec, prompt = finished.spec, finished.spec.sample_prompts[0]
    samples = {sample["epoch"]: read_wav(spec.run_dir / sample["path"]) for sample in finished.of("sample")}
    assert set(samples) == set(range(EPOCHS + 1))
    for epoch in (0, 1, EPOCHS):
        adapter = spec.run_dir / f"checkpoints/epoch-{epoch:04d}" if epoch else None
        engine = XttsEngine.load(spec.bundle, adapter=adapter)
        voice = engine.conditioning([read_wav(path) for path in spec.reference_clips])
        spoken = engine.speak(prompt.text, prompt.language, voice, Sampling(seed=prompt.seed)).audio
        assert samples[epoch].sample_rate == spoken.sample_rate == 24000
        # 16-bit steps: half of one is lost by writing, and a scale of 32767 is read back with 32768.
        assert np.abs(samples[epoch].samples - np.clip(spoken.samples, -1, 1)).max() < 1e-4
    for epoch in range(1, EPOCHS + 1):
        assert not np.array_equal(samples[epoch].samples, samples[0].samples), epoch


def test_tensorboard_has_every_curve(finished: Finished) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(finished.spec.run_dir / "tensorboard"))
    board.Reload()
    for name, key in (("train/loss", "loss"), ("train/loss_mel", "loss_mel"), ("train/learning_rate", "learning_rate")):
        points = board.Scalars(name)
        assert [point.step for point in points] == list(range(1, STEPS + 1))
        assert [point.value for point in points] == pytest.approx([step[key] for step in finished.of("step")])
    assert [point.step for point in board.Scalars("validation/loss")] == list(range(0, STEPS + 1, 3))


def test_a_finished_run_started_again_does_nothing_twice(finished: Finished, tmp_path: Path) -> None:
    again = execute(copied(finished, tmp_path / "again"))
    assert [event.kind for event in again.events if event.kind != "features"] == ["started", "finished"]
    assert again.of("started")[0]["resumed_from_epoch"] == EPOCHS
    assert again.of("finished") == finished.of("finished")
    assert again.events[0].seq == finished.events[-1].seq + 1


def test_a_sample_that_was_lost_is_spoken_again_and_is_the_same(finished: Finished, tmp_path: Path) -> None:
    spec = copied(finished, tmp_path / "again")
    sample = spec.run_dir / finished.of("sample")[-1]["path"]
    before = sample.read_bytes()
    sample.unlink()
    again = execute(spec)
    assert again.of("sample") == [finished.of("sample")[-1]]
    assert sample.read_bytes() == before


def test_a_run_may_be_given_more_epochs(finished: Finished, tmp_path: Path) -> None:
    more = execute(copied(finished, tmp_path / "more", epochs=EPOCHS + 1))
    assert [step["step"] for step in more.of("step")] == [STEPS + 1, STEPS + 2, STEPS + 3]
    assert (more.spec.run_dir / f"checkpoints/epoch-{EPOCHS + 1:04d}/adapter_model.safetensors").exists()


@pytest.mark.parametrize(("changes", "field"), [({"learning_rate": 1e-3}, "learning_rate"), ({"seed": 2}, "seed")])
def test_a_run_does_not_go_on_as_another(
    finished: Finished, tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(DomainError) as caught:
        execute(copied(finished, tmp_path / "other", **changes))
    assert (caught.value.code, caught.value.field) == ("resume_mismatch", field)


def test_a_damaged_state_is_refused_in_words(finished: Finished, tmp_path: Path) -> None:
    spec = copied(finished, tmp_path / "damaged")
    state = spec.run_dir / "state/resume.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(DomainError) as caught:
        execute(spec)
    assert caught.value.code == "state_damaged"


def test_leftovers_of_a_killed_process_are_cleared_away(finished: Finished, tmp_path: Path) -> None:
    spec = copied(finished, tmp_path / "again")
    (spec.run_dir / "checkpoints/.epoch-0009-xyz").mkdir()
    (spec.run_dir / "state/.resume-xyz.safetensors").write_bytes(b"half")
    (spec.run_dir / "samples/base/.prompt-0-xyz.wav").write_bytes(b"half")
    execute(spec)
    assert not [path for path in spec.run_dir.rglob(".*") if path.name != ".lock"]


def test_a_cancel_is_heard_while_the_base_model_speaks(make_spec: SpecMaker, tmp_path: Path) -> None:
    said: list[str] = []
    progress = Callback(lambda fraction, message: said.append(message), lambda: "speaking" in said)
    spec = make_spec(tmp_path / "run")
    with pytest.raises(Cancelled):
        execute(spec, progress)
    assert not list((spec.run_dir / "samples").rglob("*.wav"))


def test_a_cancel_before_the_validation_loses_no_step(finished: Finished, make_spec: SpecMaker, tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "run", sample_prompts=())
    events = spec.run_dir / "events.jsonl"
    progress = Callback(should_stop=lambda: sum(event.kind == "step" for event in read_events(events)) == 3)
    with pytest.raises(Cancelled):
        execute(spec, progress)
    assert not (spec.run_dir / "checkpoints").exists()
    rest = execute(spec)
    assert rest.of("step")[0]["step"] == 4
    for ours, theirs in zip(rest.of("epoch"), finished.of("epoch"), strict=True):
        assert (ours["train_loss"], ours["validation_loss"]) == (theirs["train_loss"], theirs["validation_loss"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"bundle": Path("no/such/model")}, "model_missing"),
        ({"manifest": Path("no/such/manifest.jsonl")}, "manifest_missing"),
        ({"language": "klingon"}, "language_unsupported"),
        ({"sample_prompts": (Prompt("Qapla.", "tlh"),)}, "language_unsupported"),
        ({"reference_clips": (Path("no/such/clip.wav"),)}, "reference_unreadable"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_computed(
    make_spec: SpecMaker, tmp_path: Path, changes: dict[str, Any], code: str
) -> None:
    spec = make_spec(tmp_path / "run", **changes)
    with pytest.raises(DomainError) as caught:
        execute(spec)
    assert caught.value.code == code
    assert not (spec.run_dir / "checkpoints").exists()


def test_a_precision_of_samples_that_the_device_lacks_is_said_before_anything_is_computed(
    make_spec: SpecMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xttsproject.xtts.projections._engines", lambda: ["none"])
    spec = make_spec(tmp_path / "run", speech_precision="int8")
    with pytest.raises(DomainError, match="speaks its samples in int8") as caught:
        execute(spec)
    assert caught.value.code == "precision_unsupported"
    assert not list(spec.run_dir.glob("*/*"))
    assert not [event for event in read_events(spec.run_dir / EVENTS) if event.kind == "started"]


@pytest.mark.shared_data
def test_real_recordings_are_learnt_from(make_spec: SpecMaker, shared_data: Path, tmp_path: Path) -> None:
    rows = [
        line.split("|") for line in (shared_data / "lj/metadata.csv").read_text(encoding="utf-8").splitlines() if line
    ]
    lines = []
    for number, (name, _, text) in enumerate(rows):
        shutil.copy(shared_data / f"lj/{name}.wav", tmp_path / f"{name}.wav")
        split = "validation" if number == 3 else "train"
        lines.append(
            {"id": name, "audio": f"{name}.wav", "text": text, "language": "en", "split": split, "speaker": "lj"}
        )
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    clip = tmp_path / f"{rows[1][0]}.wav"
    spec = make_spec(tmp_path / "run", manifest=manifest, epochs=3, batch_size=2, reference_clips=(clip,))
    run = execute(spec)
    (started,) = run.of("started")
    assert (started["clips_train"], started["clips_validation"], started["left_out"]) == (7, 1, [])
    losses = [epoch["train_loss"] for epoch in run.of("epoch")]
    assert losses[2] < losses[1] < losses[0]
    assert run.of("epoch")[-1]["validation_loss"] < run.of("epoch")[0]["validation_loss"]
