"""The training benchmark: a step of both sides, and what it asks for."""

from __future__ import annotations

import time
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from training.engine.benchmark.compare import KINDS, figures, prepare, run
from training.engine.benchmark.job import Job
from training.engine.benchmark.material import TEXT_TOKENS, Size, size_named, write_clips
from training.engine.benchmark.overhead import adapter_mb, overhead, released_shape
from training.engine.events import read_events
from training.engine.launch import EVENTS
from xttsproject.lib.errors import DomainError


def test_both_sides_train_the_same_model_from_the_same_losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # In this process: what each imports for seconds is imported once.
    from TTS.tts.layers.xtts.trainer import dataset as coqui

    from training.engine.benchmark import ours, theirs

    monkeypatch.setattr(coqui, "load_audio", coqui.load_audio)
    job = prepare(Size(64, 1), tmp_path, steps=1, batch=2, threads=1, device="cpu")
    reference = theirs.main(job)
    found = {f"full {precision}": ours.main(replace(job, method="full", precision="fp32")) for precision in KINDS}
    measured = figures(reference, found)
    assert measured["loss_difference"] < 1e-4
    assert measured["full"]["as_run"] > 0
    assert measured["full"]["equal_precision"] > 0
    assert "memory_ratio" in measured["full"]
    assert measured["trained_parameters"]["full"] == measured["parameters"] > 2 * 64 * TEXT_TOKENS
    assert measured["default_precision"] == "fp32"


def test_the_end_of_an_epoch_is_timed_in_a_whole_run(random_bundle: Path, tmp_path: Path) -> None:
    from accelerate.state import AcceleratorState

    from training.engine.benchmark import epoch_end

    manifest = write_clips(tmp_path / "data", 2)
    job = Job(random_bundle, tmp_path, manifest, tmp_path, tmp_path, "lora", "fp32", "cpu", 2, 1, 1)
    began = time.perf_counter()
    try:
        result = epoch_end.main(job)
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    took = time.perf_counter() - began
    events = list(read_events(tmp_path / "run" / EVENTS))
    told = [event for event in events if event.kind == "sample"]
    assert [event.data["epoch"] for event in told] == [0] * 4 + [1] * 4
    assert result["spoken_seconds"] == pytest.approx(sum(event.data["seconds"] for event in told[-4:]), abs=0.06)
    checkpoint, checkpoint_cpu, samples, samples_cpu = result["cost"]
    assert min(checkpoint, checkpoint_cpu, samples, samples_cpu) > 0
    assert checkpoint + samples < took
    # By the events' own times, which are told to the millisecond, it is the same.
    last = [event for event in events if event.kind == "step"][-1].time
    assert checkpoint + samples == pytest.approx(told[-1].time - last, abs=0.05, rel=0.05)


def test_the_cost_is_held_against_five_minutes_of_every_thread() -> None:
    found = overhead([3.0, 4.0, 12.0, 26.0], threads=2)
    assert (found["epoch_overhead"], found["epoch_overhead_cpu"]) == (15 / 300, 30 / 600)
    assert (found["checkpoint_seconds"], found["samples_seconds"]) == (3.0, 12.0)


def test_a_side_that_breaks_says_what_it_said_last(tmp_path: Path) -> None:
    job = Job(*(tmp_path,) * 5, "full", "fp32", "cpu", 1, 1, 1)
    with pytest.raises(DomainError, match="No module named"):
        run("nobody", job, tmp_path)


def test_an_adapter_of_the_released_model_is_reckoned_from_its_shape() -> None:
    shape = released_shape()
    assert (shape.width, shape.layers, shape.heads, shape.text_tokens) == (1024, 30, 16, TEXT_TOKENS)
    # Rank 8, float32, thirty layers: (1024 + 3072) + (1024 + 1024) + 2 · (1024 + 4096) numbers for each of rank.
    assert adapter_mb() == pytest.approx(4 * 8 * 30 * 16384 / 1e6)


def test_a_size_is_named_by_width_and_layers() -> None:
    assert size_named("512x10") == Size(512, 10)
    for wrong in ("512", "500x10", "512x0", "x10", "32x4"):
        with pytest.raises(DomainError, match=wrong):
            size_named(wrong)
    with pytest.raises(CommandError, match="big"):
        call_command("benchmark", "training", "--sizes", "big", stdout=StringIO())
