"""Full fine-tuning, modules trained whole and altered references: whole runs that resume, average and speak."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.engine.conftest import Finished, SpecMaker, execute
from training.engine.events import read_events
from training.engine.sizes import checkpoint_bytes, gpt_parameters, state_bytes
from training.engine.soup import average_checkpoints, measure_checkpoint
from training.engine.spec import Prompt, TrainSpec
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.files import sha256_of
from xttsproject.lib.progress import Callback, Silent
from xttsproject.xtts.checkpoints import FULL_FILE, weights_file
from xttsproject.xtts.config import read_config
from xttsproject.xtts.weights import apply_adapter, read_state, read_tensors

EPOCHS = 3
STEPS = EPOCHS * 3
FULL: dict[str, Any] = {
    "method": "full",
    "augment_conditioning": True,
    "learning_rate": 5e-4,
    "epochs": EPOCHS,
    "warmup_fraction": 0.3,
    "sample_prompts": (),
}


def checkpoint(spec: TrainSpec, epoch: int) -> Path:
    return spec.run_dir / f"checkpoints/epoch-{epoch:04d}"


@pytest.fixture(scope="module")
def full(make_spec: SpecMaker, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    spec = make_spec(tmp_path_factory.mktemp("runs") / "full", **FULL)
    return execute(replace(spec, sample_prompts=(Prompt("A short line.", "en", 3),)))


def test_every_weight_is_trained_and_the_losses_fall(full: Finished) -> None:
    shape = read_config(full.spec.bundle).gpt
    assert full.of("started")[0]["trainable_parameters"] == gpt_parameters(shape)
    losses = [epoch["train_loss"] for epoch in full.of("epoch")]
    assert losses == sorted(losses, reverse=True)
    before = read_state(full.spec.bundle, "gpt")
    after = apply_adapter(before, checkpoint(full.spec, EPOCHS))
    # Rows of tokens that never occur keep their place; every tensor has moved somewhere.
    assert [name for name in before if torch.equal(before[name], after[name])] == []


def test_the_logged_rate_rises_and_falls_as_cosine_with_warm_up_does(full: Finished) -> None:
    rates = [step["learning_rate"] for step in full.of("step")]
    peak, warm = full.spec.learning_rate, 3  # a third of nine steps, rounded up
    falls = [peak * (1 + math.cos(math.pi * step / (STEPS - warm))) / 2 for step in range(STEPS - warm)]
    assert rates == pytest.approx([peak / 3, 2 * peak / 3, peak, *falls])


@pytest.mark.parametrize("schedule", ["linear", "constant"])
def test_the_other_schedules_reach_the_optimizer_too(make_spec: SpecMaker, tmp_path: Path, schedule: str) -> None:
    spec = make_spec(tmp_path / "run", epochs=1, schedule=schedule, warmup_fraction=0.0, sample_prompts=())
    peak = spec.learning_rate
    expected = {"linear": [peak, peak * 2 / 3, peak / 3], "constant": [peak] * 3}[schedule]
    assert [step["learning_rate"] for step in execute(spec).of("step")] == pytest.approx(expected)


def test_files_are_as_large_as_was_reckoned_and_are_those_told_of(full: Finished) -> None:
    shape = read_config(full.spec.bundle).gpt
    names = 12_000  # the header of a safetensors file
    for told in full.of("checkpoint"):
        weights = weights_file(full.spec.run_dir / told["path"])
        assert (weights.name, weights.stat().st_size, sha256_of(weights)) == (FULL_FILE, told["bytes"], told["sha256"])
        assert 0 <= told["bytes"] - checkpoint_bytes(shape, full.spec) < names
    state = (full.spec.run_dir / "state/resume.safetensors").stat().st_size
    assert 0 <= state - state_bytes(shape, full.spec) < 5 * names


def test_it_speaks_as_users_will_hear_it_and_unlike_the_base_model(full: Finished) -> None:
    from xttsproject.xtts.engine import XttsEngine
    from xttsproject.xtts.types import Sampling

    prompt = full.spec.sample_prompts[0]
    samples = {sample["epoch"]: read_wav(full.spec.run_dir / sample["path"]).samples for sample in full.of("sample")}
    engine = XttsEngine.load(full.spec.bundle, adapter=checkpoint(full.spec, EPOCHS))
    voice = engine.conditioning([read_wav(path) for path in full.spec.reference_clips])
    spoken = engine.speak(prompt.text, prompt.language, voice, Sampling(seed=prompt.seed)).audio.samples
    assert abs(samples[EPOCHS] - spoken.clip(-1, 1)).max() < 1e-4
    assert samples[EPOCHS].shape != samples[0].shape or (samples[EPOCHS] != samples[0]).any()


WAYS: dict[str, dict[str, Any]] = {
    "full": FULL,
    "whole modules": {"train_heads": True, "train_conditioning": True, "epochs": EPOCHS, "sample_prompts": ()},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_resumed_run_ends_as_the_uninterrupted_one_to_the_last_bit(
    full: Finished, make_spec: SpecMaker, tmp_path: Path, way: str
) -> None:
    whole = full if way == "full" else execute(make_spec(tmp_path / "whole", **WAYS[way]))
    spec = make_spec(tmp_path / "run", **WAYS[way])
    events = spec.run_dir / "events.jsonl"
    # In the middle of the second epoch.
    stop = Callback(should_stop=lambda: sum(event.kind == "step" for event in read_events(events)) == 4)
    with pytest.raises(Cancelled):
        execute(spec, stop)
    rest = execute(spec)
    assert rest.of("step")[0]["step"] == 5
    for ours, theirs in zip(rest.of("step"), whole.of("step")[4:], strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-5)
    for ours, theirs in zip(rest.of("epoch"), whole.of("epoch")[1:], strict=True):
        assert ours["validation_loss"] == pytest.approx(theirs["validation_loss"], abs=1e-5)
    hashes = [sha256_of(weights_file(checkpoint(run, EPOCHS))) for run in (spec, whole.spec)]
    assert hashes[0] == hashes[1]


def test_a_state_too_large_for_a_cancels_seconds_stays_as_it_was_saved_last(
    make_spec: SpecMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.engine.run.CANCEL_BYTES", 1000)
    spec = make_spec(tmp_path / "run", epochs=2, sample_prompts=())
    events = spec.run_dir / "events.jsonl"
    stop = Callback(should_stop=lambda: sum(event.kind == "step" for event in read_events(events)) == 5)
    with pytest.raises(Cancelled):
        execute(spec, stop)
    assert execute(spec).of("step")[0]["step"] == 4


def test_altered_references_are_another_training_and_the_same_validation(
    full: Finished, make_spec: SpecMaker, tmp_path: Path
) -> None:
    plain = execute(make_spec(tmp_path / "run", **{**FULL, "augment_conditioning": False, "epochs": 1}))
    assert plain.of("step")[0]["loss"] != full.of("step")[0]["loss"]
    assert full.of("features")[-1] == {"done": 20, "total": 20}  # eleven clips, nine of them altered
    told = [json.loads((checkpoint(run.spec, 1) / "checkpoint.json").read_text()) for run in (plain, full)]
    assert told[0]["base_validation"] == told[1]["base_validation"]
    with pytest.raises(DomainError) as caught:
        execute(replace(plain.spec, augment_conditioning=True))
    assert (caught.value.code, caught.value.field) == ("resume_mismatch", "augment_conditioning")


def test_the_average_of_whole_gpts_is_the_mean_of_their_tensors_and_is_measured_alike(
    full: Finished, finished: Finished, tmp_path: Path
) -> None:
    members = [checkpoint(full.spec, epoch) for epoch in (1, 3)]
    average_checkpoints(members, tmp_path / "soup")
    found = read_tensors(tmp_path / "soup" / FULL_FILE)
    theirs = [read_tensors(member / FULL_FILE) for member in members]
    for name, value in found.items():
        assert torch.allclose(value, (theirs[0][name] + theirs[1][name]) / 2, atol=1e-7), name
    assert not any(torch.equal(found["mel_head.weight"], each["mel_head.weight"]) for each in theirs)
    losses = measure_checkpoint(full.spec, members[1], Silent())
    assert losses is not None
    assert losses.total == pytest.approx(full.of("epoch")[2]["validation_loss"], abs=1e-5)
    with pytest.raises(DomainError, match="change different layers") as caught:
        average_checkpoints([members[0], checkpoint(finished.spec, 1)], tmp_path / "mixed")
    assert caught.value.code == "adapter_mismatch"
    assert not (tmp_path / "mixed").exists()
