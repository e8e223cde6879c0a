"""What goes wrong in a run: memory runs out, the disk is full, losses are no numbers, epochs bring nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState

from tests.training.engine.conftest import SpecMaker, execute
from tests.training.engine.test_fit import a_fit, a_spec, train
from training.engine import checkpoint as keep
from training.engine import fit as fitting
from training.engine import lora
from training.engine.events import read_events
from training.engine.launch import EVENTS
from training.engine.losses import Batch, forward_losses
from training.engine.spec import LoraSpec, TrainSpec
from training.engine.stopping import patience_ran_out
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.memory import is_out_of_memory
from xttsproject.lib.progress import Callback, Silent

REAL = forward_losses


class Device:
    """Holds ``clips`` at once from the ``after``-th forward pass on, as a device with that little memory would."""

    def __init__(self, clips: int, after: int = 0):
        self.clips, self.after, self.passes = clips, after, 0

    def __call__(self, gpt: Any, batch: Batch) -> Any:
        self.passes += 1
        if self.passes > self.after and len(batch.ids) > self.clips:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return REAL(gpt, batch)


def without_dropout(gpt: torch.nn.Module) -> None:
    """Chance falls elsewhere in batches of another size; all else must be the same."""
    for module in gpt.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def test_what_torch_says_when_memory_is_out_is_known() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**55)
    assert is_out_of_memory(refused.value)
    assert not is_out_of_memory(RuntimeError("size mismatch"))
    # Of CUDA itself and of its libraries: torch's own allocator has not been asked there.
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert is_out_of_memory(RuntimeError("CUDA failed with error out of memory"))


def test_a_batch_that_does_not_fit_is_halved_and_the_step_stays_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = a_spec(batch_size=4, lora=LoraSpec(rank=4))
    lengths = (1.0,) * 8  # of one length, so that means of means are means
    plain, gpt = a_fit(tmp_path, spec, lengths)
    without_dropout(gpt)
    whole = train(plain, 2)
    expected = lora.adapter_state(gpt)
    AcceleratorState._reset_state(reset_partial_state=True)

    smaller: list[int] = []
    fit, gpt = a_fit(tmp_path, spec, lengths)
    without_dropout(gpt)
    fit._on_smaller = lambda: smaller.append(fit.batch_size)
    monkeypatch.setattr(fitting, "forward_losses", Device(clips=1))
    divided = train(fit, 2)
    assert smaller == [2, 1]
    assert (fit.batch_size, fit.accumulation) == (1, 4)
    assert [(fact.step, fact.learning_rate) for fact in divided] == [(fact.step, fact.learning_rate) for fact in whole]
    # The text loss is a mean over tokens, of which clips have different numbers; the codes of all are equally many.
    assert [fact.loss_mel for fact in divided] == pytest.approx([fact.loss_mel for fact in whole], abs=2e-3)
    found = lora.adapter_state(gpt)
    assert max(float((found[key] - expected[key]).abs().max()) for key in found) < 2e-2


def test_memory_that_runs_out_in_the_middle_loses_no_step_and_is_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = []
    for _ in range(2):
        fit, _gpt = a_fit(tmp_path, a_spec(batch_size=2))
        monkeypatch.setattr(fitting, "forward_losses", Device(clips=1, after=2))
        curves.append([fact.loss for fact in train(fit, 2)])
        assert fit.pieces == 2
        AcceleratorState._reset_state(reset_partial_state=True)
    assert curves[0] == curves[1]
    assert len(curves[0]) == 6


def test_one_clip_that_does_not_fit_ends_the_run_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, _ = a_fit(tmp_path, a_spec(batch_size=2))
    monkeypatch.setattr(fitting, "forward_losses", Device(clips=0))
    with pytest.raises(DomainError) as caught:
        train(fit, 1)
    assert caught.value.code == "out_of_memory"
    assert "one clip at a time" in caught.value.message


def test_validation_too_is_done_in_smaller_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, _ = a_fit(tmp_path, a_spec(batch_size=2))
    whole = fit.validate(Silent())
    monkeypatch.setattr(fitting, "forward_losses", Device(clips=1))
    divided = fit.validate(Silent())
    assert fit.pieces == 2
    assert whole is not None
    assert divided is not None
    assert divided.total == pytest.approx(whole.total, rel=0.02)


def test_a_run_tells_of_it_and_a_resumed_one_goes_on_in_small_batches_to_the_same_end(
    make_spec: SpecMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def a_run(name: str) -> TrainSpec:
        return make_spec(tmp_path / name, epochs=2, sample_prompts=())

    monkeypatch.setattr(fitting, "forward_losses", Device(clips=2))
    whole = execute(a_run("whole"))
    (told,) = whole.of("memory")
    assert told == {"epoch": 1, "step": 1, "batch_size": 2, "accumulation": 2}
    stopped = a_run("stopped")
    path = stopped.run_dir / EVENTS
    with pytest.raises(Cancelled):
        execute(stopped, Callback(should_stop=lambda: sum(e.kind == "step" for e in read_events(path)) == 4))
    rest = execute(stopped)
    assert rest.of("memory") == [{"epoch": 2, "step": 5, "batch_size": 2, "accumulation": 2}]
    losses = {step["step"]: step["loss"] for step in whole.of("step")}
    assert [step["step"] for step in rest.of("step")] == [5, 6]
    assert all(step["loss"] == pytest.approx(losses[step["step"]], abs=1e-5) for step in rest.of("step"))


def test_a_disk_without_room_stops_the_run_before_a_file_is_begun(
    make_spec: SpecMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(tmp_path / "run", epochs=2, sample_prompts=())
    free = 10**12

    def look(path: Path) -> int:
        return free

    monkeypatch.setattr("xttsproject.lib.disk.free_bytes", look)

    def should_stop() -> bool:
        nonlocal free
        if any(event.kind == "checkpoint" for event in read_events(spec.run_dir / EVENTS)):
            free = 1_000_000
        return False

    with pytest.raises(DomainError) as caught:
        execute(spec, Callback(should_stop=should_stop))
    assert caught.value.code == "disk_full"
    assert "The checkpoint of epoch 2 needs" in caught.value.message
    assert "1.0 MB (1000000 bytes) left" in caught.value.message
    assert [path.name for path in (spec.run_dir / "checkpoints").iterdir()] == ["epoch-0001"]
    keep.read_checkpoint(spec.run_dir, 1)
    free = 10**12
    rest = execute(spec)
    assert [step["step"] for step in rest.of("step")] == [4, 5, 6]


def test_a_disk_that_fills_up_while_a_checkpoint_is_written_leaves_no_half_of_it(
    make_spec: SpecMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(tmp_path / "run", epochs=1, sample_prompts=())

    def fill_up(folder: Path, *_: Any) -> None:
        (folder / "adapter_model.safetensors").write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(lora, "save_adapter", fill_up)
        with pytest.raises(DomainError) as caught:
            execute(spec)
    assert caught.value.code == "disk_full"
    assert "The checkpoint of epoch 1 needs" in caught.value.message
    assert not [path for path in spec.run_dir.rglob("*.safetensors") if "state" not in path.parts]
    rest = execute(spec)
    assert [row["epoch"] for row in rest.of("checkpoint")] == [1]


def test_a_loss_that_is_no_number_keeps_the_last_good_checkpoint_and_names_the_clips(
    make_spec: SpecMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(tmp_path / "run", sample_prompts=())
    ids: list[str] = []

    def poisoned(gpt: Any, batch: Batch) -> Any:
        text, mel = REAL(gpt, batch)
        steps = sum(event.kind == "step" for event in read_events(spec.run_dir / EVENTS))
        if gpt.training and steps == 4:
            ids[:] = batch.ids
            mel = mel * float("nan")
        return text, mel

    monkeypatch.setattr(fitting, "forward_losses", poisoned)
    with pytest.raises(DomainError) as caught:
        execute(spec)
    assert caught.value.code == "loss_not_finite"
    assert "step 5 in epoch 2" in caught.value.message
    assert ids
    assert all(clip in caught.value.message for clip in ids)
    kept = keep.read_checkpoint(spec.run_dir, 1)
    assert kept.validation is not None
    assert not keep.checkpoint_folder(spec.run_dir, 2).exists()


@pytest.mark.parametrize(
    ("losses", "patience", "least", "stops"),
    [
        ([5.0, 4.0, 4.1, 4.2], 2, 0.0, True),
        ([5.0, 4.0, 4.1, 3.9], 2, 0.0, False),
        ([5.0, 4.0, 4.0, 4.0], 2, 0.0, True),
        # Each epoch is better, but by less than what counts.
        ([5.0, 4.99, 4.98], 2, 0.1, True),
        # A slow fall counts once it has gone far enough.
        ([5.0, 4.95, 4.89, 4.85, 4.78], 2, 0.1, False),
        ([5.0], 1, 0.0, False),
        ([], 1, 0.0, False),
    ],
)
def test_patience_runs_out_when_nothing_gets_better(
    losses: list[float], patience: int, least: float, stops: bool
) -> None:
    assert patience_ran_out(losses, patience, least) is stops


def test_a_run_stops_early_says_so_and_does_not_go_on_when_started_again(make_spec: SpecMaker, tmp_path: Path) -> None:
    # No epoch can be that much better than the first.
    changes = {"early_stopping_patience": 1, "early_stopping_min_delta": 50.0}
    spec = make_spec(tmp_path / "run", sample_prompts=(), **changes)
    run = execute(spec)
    (end,) = run.of("finished")
    assert end["stopped_early_at"] == 2
    assert [epoch["epoch"] for epoch in run.of("epoch")] == [1, 2]
    again = execute(spec)
    assert again.of("step") == []
    assert again.of("finished") == [end]


def test_early_stopping_without_validation_clips_is_refused_before_the_model_is_loaded(
    make_spec: SpecMaker, dataset_dir: Path, tmp_path: Path
) -> None:
    lines = (dataset_dir / "manifest.jsonl").read_text().splitlines()
    manifest = dataset_dir / "train-only.jsonl"
    manifest.write_text("\n".join(line for line in lines if '"validation"' not in line) + "\n")
    spec = make_spec(tmp_path / "run", manifest=manifest, early_stopping_patience=2)
    with pytest.raises(DomainError) as caught:
        execute(spec)
    assert (caught.value.code, caught.value.field) == ("validation_missing", "early_stopping_patience")


def test_what_is_kept_to_save_time_makes_room_before_a_batch_is_halved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, _ = a_fit(tmp_path, a_spec(batch_size=2))
    smaller: list[int] = []
    kept = [True]
    device = Device(clips=1)

    def spare() -> bool:
        # With the room that this makes, both clips fit.
        device.clips = 2
        return kept.pop() if kept else False

    fit._on_smaller, fit._spare = (lambda: smaller.append(fit.pieces)), spare
    monkeypatch.setattr(fitting, "forward_losses", device)
    assert [fact.step for fact in train(fit, 1)] == [1, 2, 3]
    assert (fit.pieces, smaller, kept) == (1, [], [])
    # The next time there is nothing left to spare.
    device.clips = 1
    monkeypatch.setattr(fit, "_spare", lambda: False)
    train(fit, 1)
    assert (fit.pieces, smaller) == (2, [2])
