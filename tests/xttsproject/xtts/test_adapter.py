"""A LoRA adapter merged into the weights acts as peft's own; one that does not fit is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.config import read_config
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.networks import load_gpt
from xttsproject.xtts.types import Sampling
from xttsproject.xtts.weights import apply_adapter, read_state

TARGETS = ["c_attn", "c_proj", "c_fc"]


@pytest.fixture(scope="module")
def trained(random_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A peft model whose adapter is not at its start (where it does nothing), and the folder it was saved to."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    gpt = load_gpt(random_bundle, read_config(random_bundle))
    lora = LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS, fan_in_fan_out=True)
    model = get_peft_model(gpt, lora)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn_like(parameter) * 0.05
    folder = tmp_path_factory.mktemp("adapter")
    model.save_pretrained(str(folder))
    return model.eval(), folder


def test_merging_equals_pefts_own_merge(random_bundle: Path, trained: tuple[Any, Path]) -> None:
    model, folder = trained
    before = read_state(random_bundle, "gpt")
    ours = apply_adapter(before, folder)
    import copy

    theirs = copy.deepcopy(model).merge_and_unload().state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in ours)
    changed = {name.split(".")[-2] for name in ours if not torch.equal(ours[name], before[name])}
    assert changed == set(TARGETS)


def test_an_adapter_changes_what_is_spoken_and_the_models_key(
    random_bundle: Path, engine: XttsEngine, voice: Conditioning, trained: tuple[Any, Path]
) -> None:
    adapted = XttsEngine.load(random_bundle, adapter=trained[1])
    assert adapted.model_key != engine.model_key
    said = [one.speak("The same text.", "en", voice, Sampling(seed=1)).audio.samples for one in (engine, adapted)]
    assert said[0].shape != said[1].shape or (said[0] != said[1]).any()


def test_an_adapter_for_another_model_is_refused(trained: tuple[Any, Path], random_bundle: Path) -> None:
    state = read_state(random_bundle, "gpt")
    state["gpt.h.0.attn.c_attn.weight"] = torch.zeros(7, 21)
    with pytest.raises(DomainError) as caught:
        apply_adapter(state, trained[1])
    assert caught.value.code == "adapter_mismatch"
    assert "(7, 21)" in caught.value.message


def test_a_folder_without_an_adapter_or_with_another_kind_is_refused(trained: tuple[Any, Path], tmp_path: Path) -> None:
    with pytest.raises(DomainError) as missing:
        apply_adapter({}, tmp_path)
    settings = json.loads((trained[1] / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**settings, "use_dora": True}))
    with pytest.raises(DomainError) as other:
        apply_adapter({}, tmp_path)
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    with pytest.raises(DomainError) as empty:
        apply_adapter({}, tmp_path)
    assert (missing.value.code, other.value.code, empty.value.code) == (
        "adapter_missing",
        "adapter_mismatch",
        "adapter_missing",
    )
