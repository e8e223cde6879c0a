"""The adapter sits on every layer it should, learns in all of them, and is a file that peft reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.engine.material import made_up_clips, own_references, small_gpt
from training.engine import lora
from training.engine.losses import Batch, collate, forward_losses
from training.engine.optimizer import build_optimizer, decays
from training.engine.spec import LoraSpec
from xttsproject.lib.errors import DomainError

STOP = 33


def a_batch(folder: Path) -> Batch:
    clips, features = made_up_clips(folder, (1.3, 1.7))
    return collate([0, 1], own_references([0, 1], 30), clips, features, STOP, mask_references=True)


def adapted(spec: LoraSpec | None = None) -> tuple[Any, Any]:
    gpt = small_gpt()
    torch.manual_seed(5)
    return gpt, lora.inject(gpt, spec or LoraSpec(rank=4, alpha=8.0))


def stirred(gpt: Any) -> Any:
    """A trained-looking adapter: B starts as zeros, so an untouched one would change nothing."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in lora.trainable(gpt).values():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return gpt


def test_every_projection_of_every_block_is_adapted_and_nothing_else_is_trained() -> None:
    gpt, _ = adapted()
    layers = {name.split(".lora_")[0] for name in lora.trainable(gpt)}
    per_block = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    assert layers == {f"gpt.h.{block}.{layer}" for block in range(2) for layer in per_block}
    assert all(".lora_A." in name or ".lora_B." in name for name in lora.trainable(gpt))


def test_chosen_targets_alone_are_adapted() -> None:
    gpt, _ = adapted(LoraSpec(rank=2, targets=("c_fc",)))
    assert {name.split(".lora_")[0] for name in lora.trainable(gpt)} == {"gpt.h.0.mlp.c_fc", "gpt.h.1.mlp.c_fc"}


def test_a_model_without_the_layer_is_refused() -> None:
    gpt = small_gpt()
    for block in gpt.gpt.h:
        block.mlp.gate = block.mlp.c_fc
        del block.mlp.c_fc
    with pytest.raises(DomainError, match="'c_fc'") as caught:
        lora.inject(gpt, LoraSpec())
    assert caught.value.code == "adapter_mismatch"


def test_gradients_reach_every_adapter_and_only_the_adapters(tmp_path: Path) -> None:
    gpt, _ = adapted()
    stirred(gpt).train()
    text, mel = forward_losses(gpt, a_batch(tmp_path))
    torch.autograd.backward(0.01 * text + mel)
    for name, parameter in gpt.named_parameters():
        if ".lora_" in name:
            assert parameter.grad is not None, name
            assert float(parameter.grad.abs().max()) > 0, name
        else:
            assert parameter.grad is None, name


def test_a_fresh_adapter_changes_nothing_and_a_step_lowers_the_loss(tmp_path: Path) -> None:
    batch, gpt = a_batch(tmp_path), small_gpt()
    with torch.no_grad():
        before = float(forward_losses(gpt, batch)[1])
    torch.manual_seed(5)
    lora.inject(gpt, LoraSpec(rank=4))
    optimizer = build_optimizer(gpt, 1e-2, 0.0)
    losses = []
    for _ in range(8):
        _, mel = forward_losses(gpt, batch)
        losses.append(float(mel.detach()))
        torch.autograd.backward(mel)
        optimizer.step()
        optimizer.zero_grad()
    assert losses[0] == pytest.approx(before, abs=1e-5)
    assert losses[-1] < losses[0] - 0.1


def test_peft_loads_what_was_written_and_the_model_answers_the_same(tmp_path: Path) -> None:
    from peft import PeftModel

    gpt, config = adapted()
    stirred(gpt)
    lora.save_adapter(tmp_path / "adapter", gpt, config)
    batch = a_batch(tmp_path)
    with torch.no_grad():
        plain, ours = forward_losses(small_gpt(), batch), forward_losses(gpt, batch)
        loaded = PeftModel.from_pretrained(small_gpt(), str(tmp_path / "adapter")).eval()
        theirs = forward_losses(loaded.base_model.model, batch)
    assert abs(float(ours[1] - plain[1])) > 1e-3
    assert float(ours[1]) == pytest.approx(float(theirs[1]), abs=1e-6)
    assert float(ours[0]) == pytest.approx(float(theirs[0]), abs=1e-6)


def test_merged_into_the_weights_it_answers_the_same(tmp_path: Path) -> None:
    from xttsproject.xtts.weights import apply_adapter

    gpt, config = adapted()
    stirred(gpt)
    lora.save_adapter(tmp_path / "adapter", gpt, config)
    merged = small_gpt()
    merged.load_state_dict(apply_adapter(small_gpt().state_dict(), tmp_path / "adapter"))
    batch = a_batch(tmp_path)
    with torch.no_grad():
        assert float(forward_losses(gpt, batch)[1]) == pytest.approx(float(forward_losses(merged, batch)[1]), abs=1e-4)


def test_equal_adapters_are_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        gpt, config = adapted()
        lora.save_adapter(tmp_path / name, gpt, config)
    for file in (lora.WEIGHTS, lora.CONFIG):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    settings = json.loads((tmp_path / "a" / lora.CONFIG).read_text())
    assert settings["target_modules"] == ["c_attn", "c_fc", "c_proj"]
    assert (settings["r"], settings["fan_in_fan_out"], settings["peft_type"]) == (4, True, "LORA")


def test_an_adapter_taken_out_goes_back_in() -> None:
    state = lora.adapter_state(stirred(adapted()[0]))
    gpt, _ = adapted()
    lora.load_adapter_state(gpt, state)
    assert all(torch.equal(value, state[key]) for key, value in lora.adapter_state(gpt).items())
    with pytest.raises(DomainError, match="does not fit"):
        lora.load_adapter_state(adapted(LoraSpec(rank=2))[0], state)


def test_matrices_decay_and_norms_biases_and_embeddings_do_not() -> None:
    gpt = small_gpt().requires_grad_(True)
    decided = {
        f"{place}.{name}": decays(name, module, parameter)
        for place, module in gpt.named_modules()
        for name, parameter in module.named_parameters(recurse=False)
    }
    assert decided["gpt.h.0.attn.c_attn.weight"]
    assert decided["mel_head.weight"]
    for name in ("gpt.h.0.attn.c_attn.bias", "gpt.h.0.ln_1.weight", "final_norm.bias", "text_embedding.weight"):
        assert not decided[name], name
    groups = build_optimizer(gpt, 1e-3, 0.25).param_groups
    assert [group["weight_decay"] for group in groups] == [0.25, 0.0]
    assert sum(len(group["params"]) for group in groups) == len(list(gpt.parameters()))
