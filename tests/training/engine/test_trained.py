"""What a run trains is what it keeps: adapters, modules beside them, or the whole GPT; each speaks, and comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.training.engine.material import made_up_clips, own_references, small_config, small_gpt
from training.engine.losses import collate, forward_losses
from training.engine.optimizer import build_optimizer
from training.engine.sizes import CONDITIONING, HEADS, checkpoint_bytes, trained_parameters
from training.engine.spec import LoraSpec, TrainSpec
from training.engine.trained import Trained
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.checkpoints import FULL_FILE, weights_file
from xttsproject.xtts.shapes import gpt_shapes
from xttsproject.xtts.weights import apply_adapter

STOP = 33

LORA: dict[str, Any] = {"lora": LoraSpec(rank=4, alpha=8.0)}
WAYS: dict[str, dict[str, Any]] = {
    "full": {"method": "full"},
    "conditioning": {**LORA, "train_conditioning": True},
    "heads": {**LORA, "train_heads": True},
    "both": {**LORA, "train_conditioning": True, "train_heads": True},
}


def a_spec(**changes: Any) -> TrainSpec:
    return TrainSpec(Path("run"), Path("bundle"), Path("manifest"), "en", **changes)


def stirred(way: str) -> tuple[Any, Trained]:
    """A model whose every trained weight has moved."""
    gpt = small_gpt()
    trained = Trained(gpt, a_spec(**WAYS[way]))
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in trained.parameters.values():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return gpt, trained


def loss(gpt: Any, folder: Path) -> torch.Tensor:
    clips, features = made_up_clips(folder, (1.3, 1.7))
    batch = collate([0, 1], own_references([0, 1], 30), clips, features, STOP, mask_references=True)
    text, mel = forward_losses(gpt, batch)
    return text + mel


@pytest.mark.parametrize("way", WAYS)
def test_gradients_reach_all_that_is_trained_and_nothing_else(way: str, tmp_path: Path) -> None:
    gpt, trained = stirred(way)
    torch.autograd.backward(loss(gpt.eval(), tmp_path))
    for name, parameter in gpt.named_parameters():
        if name in trained.parameters:
            assert parameter.grad is not None, name
        else:
            assert parameter.grad is None, name
    moved = {name.partition(".")[0] for name in trained.parameters if ".lora_" not in name}
    everything = {name.partition(".")[0] for name in gpt_shapes(small_config().gpt)}
    named = {"conditioning": {*CONDITIONING}, "heads": {*HEADS}, "both": {*CONDITIONING, *HEADS}, "full": everything}
    assert moved == named[way]


@pytest.mark.parametrize("way", WAYS)
def test_a_checkpoint_put_into_the_model_by_the_loader_answers_as_what_was_trained(way: str, tmp_path: Path) -> None:
    gpt, trained = stirred(way)
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    trained.save(folder)
    loaded = small_gpt()
    loaded.load_state_dict(apply_adapter(small_gpt().state_dict(), folder))
    with torch.no_grad():
        ours, theirs, before = loss(gpt, tmp_path), loss(loaded, tmp_path), loss(small_gpt(), tmp_path)
    assert abs(float(ours - before)) > 1e-2
    assert float(ours) == pytest.approx(float(theirs), abs=1e-4)
    assert (weights_file(folder).name == FULL_FILE) == (way == "full")


@pytest.mark.parametrize("way", WAYS)
def test_what_was_taken_out_goes_back_in_and_is_as_large_as_was_reckoned(way: str) -> None:
    gpt, trained = stirred(way)
    state = trained.state()
    other = Trained(small_gpt(), a_spec(**WAYS[way]))
    other.load(state)
    assert all(torch.equal(value, state[name]) for name, value in other.state().items())
    spec, shape = a_spec(**WAYS[way]), small_config().gpt
    assert sum(value.numel() for value in state.values()) == trained_parameters(shape, spec)
    assert sum(value.nbytes for value in state.values()) == checkpoint_bytes(shape, spec)
    cut = dict(state)
    cut.popitem()
    with pytest.raises(DomainError, match="fit"):
        other.load(cut)


def test_peft_loads_modules_that_were_trained_whole(tmp_path: Path) -> None:
    from peft import PeftModel

    gpt, trained = stirred("both")
    trained.save(tmp_path)
    loaded = PeftModel.from_pretrained(small_gpt(), str(tmp_path)).eval()
    with torch.no_grad():
        assert float(loss(loaded.base_model.model, tmp_path)) == pytest.approx(float(loss(gpt, tmp_path)), abs=1e-5)


def test_a_whole_gpt_has_every_tensor_of_the_model_and_a_foreign_or_cut_one_is_refused(tmp_path: Path) -> None:
    _, trained = stirred("full")
    trained.save(tmp_path)
    tensors = load_file(tmp_path / FULL_FILE)
    assert {name: tuple(value.shape) for name, value in tensors.items()} == gpt_shapes(small_config().gpt)
    base = small_gpt().state_dict()
    save_file({name: value for name, value in tensors.items() if name != "mel_head.bias"}, tmp_path / FULL_FILE)
    with pytest.raises(DomainError, match=r"lacks mel_head\.bias") as lacking:
        apply_adapter(base, tmp_path)
    assert lacking.value.code == "adapter_damaged"
    save_file({**tensors, "mel_head.bias": torch.zeros(7)}, tmp_path / FULL_FILE)
    with pytest.raises(DomainError, match=r"\(7,\) there") as foreign:
        apply_adapter(base, tmp_path)
    assert foreign.value.code == "adapter_mismatch"
    whole = (tmp_path / FULL_FILE).read_bytes()
    (tmp_path / FULL_FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DomainError, match="cannot be read") as short:
        apply_adapter(base, tmp_path)
    assert short.value.code == "adapter_damaged"


def test_weight_decay_spares_norms_biases_and_embeddings_of_all_that_full_fine_tuning_moves() -> None:
    gpt = small_gpt()
    trained = Trained(gpt, a_spec(method="full"))
    decayed, spared = build_optimizer(gpt, 1e-3, 0.25).param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.25, 0.0)
    names = {id(parameter): name for name, parameter in trained.parameters.items()}
    of = [{names[id(parameter)] for parameter in group["params"]} for group in (decayed, spared)]
    assert of[0] | of[1] == set(trained.parameters)
    assert not of[0] & of[1]
    words = ("bias", "ln_", "norm", "embedding", "latents")
    wrong = {name for name in of[0] if any(word in name for word in words)}
    assert not wrong
    assert {name for name in of[1] if not any(word in name for word in words)} == set()
