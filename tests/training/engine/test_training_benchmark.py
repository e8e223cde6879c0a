"""The training benchmark: a step of both sides, and what it asks for."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from training.engine.benchmark.compare import KINDS, figures, prepare, run
from training.engine.benchmark.job import Job
from training.engine.benchmark.material import TEXT_TOKENS, Size, size_named
from training.engine.benchmark.overhead import adapter_mb, released_shape
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
