"""What is minimised is what Coqui's forward pass minimises, and what is not asked for is not computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.training.engine.material import made_up_clips, own_references, small_gpt
from training.engine import lora, objective
from training.engine.losses import IGNORED, Batch, collate, forward_losses
from training.engine.precision import resolve
from training.engine.spec import LoraSpec
from training.engine.style import style_of

STOP = 33


def a_batch(folder: Path) -> Batch:
    clips, features = made_up_clips(folder, (1.3, 2.1, 1.7))
    return collate([0, 1, 2], own_references([0, 1, 2], 40), clips, features, STOP, mask_references=True)


def coquis(gpt: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    text, _, logits = gpt(
        batch.text, batch.text_lengths, batch.codes.clone(), batch.wav_lengths, cond_mels=batch.cond_mels
    )
    return text, functional.cross_entropy(logits, batch.mel_targets, ignore_index=IGNORED)


def gradients(gpt: Any, losses: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    gpt.zero_grad()
    (0.3 * losses[0] + losses[1]).backward()
    return {name: value.grad for name, value in gpt.named_parameters() if value.grad is not None}


def test_losses_and_gradients_of_every_weight_are_coquis(tmp_path: Path) -> None:
    gpt, batch = small_gpt().requires_grad_(True), a_batch(tmp_path)
    with torch.no_grad():
        # They begin at 0, which would hide what comes before them.
        for block in gpt.conditioning_encoder.attn:
            block.proj_out.weight.normal_(std=0.1)
    theirs, ours = coquis(gpt, batch), forward_losses(gpt, batch)
    for mine, coqui in zip(ours, theirs, strict=True):
        assert mine.item() == pytest.approx(coqui.item(), abs=1e-5)
    wanted, found = gradients(gpt, theirs), gradients(gpt, ours)
    assert wanted.keys() == found.keys()
    for name, gradient in wanted.items():
        assert float((found[name] - gradient).abs().max()) < 1e-5, name


def test_attention_in_one_call_is_attention_clip_by_clip() -> None:
    torch.manual_seed(0)
    where = objective.packed([5, 9, 2], torch.device("cpu"))
    qkv = torch.randn(16, 3 * 8, requires_grad=True)
    one, padded = objective._attend_one_by_one(qkv, where, 2), objective._attend_padded(qkv, where, 2)
    assert torch.allclose(one, padded, atol=1e-6)
    weights = torch.randn_like(one)
    (a,) = torch.autograd.grad((one * weights).sum(), qkv)
    (b,) = torch.autograd.grad((padded * weights).sum(), qkv)
    assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_bf16_goes_where_fp32_goes(tmp_path: Path, method: str) -> None:
    gpt, batch = small_gpt(), a_batch(tmp_path)
    torch.manual_seed(0)
    if method == "full":
        gpt.requires_grad_(True)
    else:
        lora.inject(gpt, LoraSpec(rank=4))
        with torch.no_grad():
            for name, value in gpt.named_parameters():
                if "lora_B" in name:
                    value.normal_(std=0.05)
    plain = gradients(gpt, forward_losses(gpt, batch))
    objective.settle(gpt, torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = forward_losses(gpt, batch)
    half = gradients(gpt, losses)
    assert half.keys() == plain.keys()
    assert all(value.dtype == torch.float32 for value in half.values())
    one, other = (torch.cat([value.flatten() for value in each.values()]) for each in (plain, half))
    assert float(functional.cosine_similarity(one, other, dim=0)) > 0.99


def test_frozen_weights_are_kept_in_the_type_they_are_used_in_and_trained_ones_are_not() -> None:
    gpt = small_gpt()
    lora.inject(gpt, LoraSpec(rank=4, targets=("c_attn",)))
    objective.settle(gpt, torch.bfloat16)
    layer = gpt.gpt.h[0].attn.c_attn
    assert layer.base_layer.weight.dtype == torch.bfloat16
    assert gpt.gpt.h[0].mlp.c_fc.weight.dtype == torch.bfloat16
    assert layer.lora_A["default"].weight.dtype == torch.float32
    whole = small_gpt().requires_grad_(True)
    objective.settle(whole, torch.bfloat16)
    assert {value.dtype for value in whole.parameters()} == {torch.float32}


def test_the_reference_has_a_graph_only_where_its_networks_are_trained(tmp_path: Path) -> None:
    gpt, batch = small_gpt(), a_batch(tmp_path)
    lora.inject(gpt, LoraSpec(rank=4))
    assert not style_of(gpt, batch.cond_mels, torch.float32).requires_grad
    gpt.conditioning_perceiver.requires_grad_(True)
    assert style_of(gpt, batch.cond_mels, torch.float32).requires_grad


def test_the_machine_decides_only_where_nobody_else_did(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for able, wanted in (({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx2": True}, "fp32")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able)
        assert resolve("auto", cpu) == wanted
        assert resolve("fp32", cpu) == "fp32"
        assert resolve("bf16", cpu) == "bf16"


def test_a_tenth_is_dropped_by_the_seed_alone_and_the_rest_makes_up_for_it() -> None:
    x = torch.ones(1001, 7, requires_grad=True)
    torch.manual_seed(3)
    one = objective.dropped(x, 0.1)
    torch.manual_seed(3)
    assert torch.equal(one, objective.dropped(x, 0.1))
    assert not torch.equal(one, objective.dropped(x, 0.1))
    assert 0.08 < (one == 0).float().mean().item() < 0.12
    assert one.mean().item() == pytest.approx(1, abs=0.02)
    (gradient,) = torch.autograd.grad(one.sum(), x)
    assert torch.equal(gradient, one.detach())
    assert objective.dropped(x, 0.0) is x


def test_dropout_is_for_training_alone(tmp_path: Path) -> None:
    gpt, batch = small_gpt(), a_batch(tmp_path)
    dropping = objective.Objective(gpt, 0.1)
    still = [loss.item() for loss in forward_losses(gpt, batch)]
    assert [loss.item() for loss in forward_losses(dropping.eval(), batch)] == still
    assert [loss.item() for loss in forward_losses(dropping.train(), batch)] != still
