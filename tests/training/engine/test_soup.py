"""The average of checkpoints changes the model by the mean of their changes, and is measured as the run measures."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.engine.conftest import Finished
from training.engine.checkpoint import clear_leftovers, clear_leftovers_of
from training.engine.losses import Batch
from training.engine.soup import average_checkpoints, measure_checkpoint
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Silent
from xttsproject.xtts.weights import adapter_scale, adapter_settings, adapter_tensors, apply_adapter, read_state


def folders(finished: Finished, *epochs: int) -> list[Path]:
    return [finished.spec.run_dir / f"checkpoints/epoch-{epoch:04d}" for epoch in epochs]


def changes(finished: Finished, adapter: Path) -> dict[str, Tensor]:
    """What an adapter adds to every weight, in double precision: apply_adapter rounds what it adds to."""
    settings, tensors = adapter_settings(adapter), adapter_tensors(adapter)
    return {
        name.removesuffix(".lora_A.weight"): adapter_scale(settings, value.shape[0])
        * (tensors[name.replace("lora_A", "lora_B")].double() @ value.double())
        for name, value in tensors.items()
        if ".lora_A." in name
    }


def test_its_change_of_every_layer_is_the_mean_of_theirs(finished: Finished, tmp_path: Path) -> None:
    members = folders(finished, 1, 3, 5)
    average_checkpoints(members, tmp_path / "soup")
    found = changes(finished, tmp_path / "soup")
    theirs = [changes(finished, member) for member in members]
    assert found.keys() == theirs[0].keys()
    assert len(found) == 16
    for layer, change in found.items():
        mean = torch.stack([each[layer] for each in theirs]).mean(dim=0)
        assert float(mean.abs().max()) > 1e-4
        assert float((change - mean).abs().max()) < 1e-5
    base = read_state(finished.spec.bundle, "gpt")
    merged = [apply_adapter(base, member) for member in members]
    soup = apply_adapter(base, tmp_path / "soup")
    for name, value in soup.items():
        mean = torch.stack([each[name].double() for each in merged]).mean(dim=0)
        assert float((value.double() - mean).abs().max()) < 1e-5, name


def test_the_mean_of_the_factors_would_be_another_change(finished: Finished, tmp_path: Path) -> None:
    """Why the factors are set side by side: averaged apart they miss the mean by far more than rounding."""
    members = folders(finished, 1, 5)
    states, settings = [adapter_tensors(member) for member in members], adapter_settings(members[0])
    average_checkpoints(members, tmp_path / "soup")
    wanted = changes(finished, tmp_path / "soup")
    worst = 0.0
    for layer, change in wanted.items():
        a, b = (
            torch.stack([state[f"{layer}.lora_{part}.weight"].double() for state in states]).mean(dim=0)
            for part in "AB"
        )
        apart = adapter_scale(settings, 4) * (b @ a)
        worst = max(worst, float((apart - change).norm() / change.norm()))
    assert worst > 1e-3


def test_an_average_of_one_twice_is_that_one(finished: Finished, tmp_path: Path) -> None:
    (member,) = folders(finished, 2)
    average_checkpoints([member, member], tmp_path / "soup")
    found, own = changes(finished, tmp_path / "soup"), changes(finished, member)
    assert max(float((found[layer] - own[layer]).abs().max()) for layer in own) < 1e-7


def test_peft_reads_the_average(finished: Finished, tmp_path: Path) -> None:
    from peft import PeftModel

    from training.engine.model import open_base

    average_checkpoints(folders(finished, 4, 5), tmp_path / "soup")
    gpt = open_base(finished.spec.bundle).load_gpt()
    PeftModel.from_pretrained(gpt, str(tmp_path / "soup")).merge_and_unload()
    ours = apply_adapter(read_state(finished.spec.bundle, "gpt"), tmp_path / "soup")
    theirs = gpt.state_dict()
    checked = [name for name in ours if name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))]
    assert checked
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in checked)


def test_a_checkpoint_is_measured_as_the_run_measured_it(finished: Finished) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        losses = measure_checkpoint(finished.spec, folders(finished, 3)[0], Silent())
    finally:
        torch.set_num_threads(threads)
    told = finished.of("epoch")[2]
    assert losses is not None
    assert losses.total == pytest.approx(told["validation_loss"], abs=1e-5)
    assert losses.mel == pytest.approx(told["validation_loss_mel"], abs=1e-5)


def test_model_adapter_and_batches_are_measured_on_one_device(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a device that holds shapes alone: what is computed there is left out, where it would be is looked at."""
    seen: set[str] = set()
    count = 0

    def losses(gpt: torch.nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        nonlocal count
        tensors = (value for value in vars(batch).values() if isinstance(value, Tensor))
        seen.update(each.device.type for each in (*gpt.parameters(), *gpt.buffers(), *tensors))
        count += 1
        return torch.zeros(()), torch.ones(())

    monkeypatch.setattr("training.engine.soup._plain", lambda device: "meta")
    monkeypatch.setattr("training.engine.soup._precision", lambda spec, device: nullcontext())
    monkeypatch.setattr("training.engine.fit.forward_losses", losses)
    found = measure_checkpoint(replace(finished.spec, device="cuda:0"), folders(finished, 3)[0], Silent())
    assert (seen, count > 0) == ({"meta"}, True)
    assert found is not None
    assert (found.text, found.mel) == (0.0, 1.0)


def test_adapters_of_different_layers_have_no_average(finished: Finished, tmp_path: Path) -> None:
    first, second = folders(finished, 1, 2)
    other = Path(shutil.copytree(second, tmp_path / "other"))
    raw = json.loads((other / "adapter_config.json").read_text())
    (other / "adapter_config.json").write_text(json.dumps({**raw, "target_modules": ["c_fc"]}))
    with pytest.raises(DomainError) as caught:
        average_checkpoints([first, other], tmp_path / "soup")
    assert caught.value.code == "adapter_mismatch"
    (other / "adapter_model.safetensors").write_bytes(b"cut")
    (other / "adapter_config.json").write_text(json.dumps(raw))
    with pytest.raises(DomainError) as cut:
        average_checkpoints([first, other], tmp_path / "soup")
    assert cut.value.code == "adapter_damaged"
    assert not (tmp_path / "soup").exists()


def test_what_a_killed_process_left_is_cleared_by_whoever_makes_the_same_again(tmp_path: Path) -> None:
    """The run and an average of it may be at work at once: neither takes the other's half-written files away."""
    of_run = [".epoch-0002-x1", "epoch-0002/.prompt-0-x2.wav", "base/.prompt-0-x3.wav"]
    of_average = [".average-0001-0002-x4", "average-0001-0002/.prompt-0-x5.wav"]

    def write() -> None:
        for name in of_run + of_average:
            path = tmp_path / ("samples" if name.endswith(".wav") else "checkpoints") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"half")

    def left() -> set[str]:
        return {path.name for path in tmp_path.rglob(".*")}

    write()
    clear_leftovers(tmp_path)
    assert left() == {Path(name).name for name in of_average}
    write()
    clear_leftovers_of(tmp_path, "average-0001-0002")
    assert left() == {Path(name).name for name in of_run}
