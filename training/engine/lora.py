"""Low-rank adapters on XTTS's GPT: putting them in, reading them out, writing them as peft does.

Beside them whole modules can be trained; a file holds those as they are, as peft's ``modules_to_save``.

Method: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"; layers and file format are peft's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.engine.spec import LoraSpec
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path, write_json
from xttsproject.xtts.checkpoints import ADAPTER_CONFIG_FILE, ADAPTER_FILE

WEIGHTS, CONFIG = ADAPTER_FILE, ADAPTER_CONFIG_FILE

KEY_PREFIX = "base_model.model."
"""What peft puts in front of a module's own names in an adapter file."""

ADAPTER = "default"


def inject(gpt: nn.Module, spec: LoraSpec, whole: Sequence[str] = ()) -> Any:
    """Freeze Coqui's ``GPT`` but for the modules named in ``whole``, and put an adapter on every targeted layer.

    Returns peft's ``LoraConfig``. A target that no layer matched is an ``adapter_mismatch``: such a run would train
    nothing there without saying so.
    """
    from peft import LoraConfig, inject_adapter_in_model

    wanted = [name for name, _ in gpt.named_modules() if name.rsplit(".", 1)[-1] in spec.targets]
    for target in spec.targets:
        if not any(name.rsplit(".", 1)[-1] == target for name in wanted):
            raise DomainError(
                "adapter_mismatch", f"The model has no layer {target!r} to put an adapter on.", field="lora"
            )
    gpt.requires_grad_(False)
    config = LoraConfig(
        r=spec.rank,
        lora_alpha=spec.alpha,  # type: ignore[arg-type]  # peft only multiplies with it
        lora_dropout=spec.dropout,
        target_modules=sorted(set(spec.targets)),
        # GPT-2's Conv1D keeps its weight as (inputs, outputs).
        fan_in_fan_out=True,
        bias="none",
    )
    inject_adapter_in_model(config, gpt, adapter_name=ADAPTER)
    adapted = {name.split(".lora_A.")[0] for name, _ in gpt.named_parameters() if ".lora_A." in name}
    if adapted != set(wanted):
        missing = ", ".join(sorted(set(wanted) ^ adapted))
        raise DomainError("adapter_mismatch", f"These layers did not get the adapter they should have: {missing}.")
    # peft would train a copy of each, which takes memory; there is nothing to go back to here.
    for name in whole:
        gpt.get_submodule(name).requires_grad_(True)
    config.modules_to_save = sorted(whole) or None
    return config


def trainable(gpt: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that training moves, by name, in the model's own order."""
    return {name: parameter for name, parameter in gpt.named_parameters() if parameter.requires_grad}


def adapter_state(gpt: nn.Module, *, copy: bool = True) -> dict[str, Tensor]:
    """What is trained, on the CPU and named as in peft's files: ``base_model.model.gpt.h.0.attn.c_attn.lora_A.weight``
    …, a module that is trained whole without ``lora_…``. Without ``copy`` tensors may be the model's own memory."""
    return {
        _key(name): parameter.detach().to("cpu", torch.float32, copy=copy).contiguous()
        for name, parameter in trainable(gpt).items()
    }


def load_adapter_state(gpt: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put what :func:`adapter_state` gave back in place; names and shapes must be the same."""
    own = {_key(name): parameter for name, parameter in trainable(gpt).items()}
    if own.keys() != state.keys() or any(own[key].shape != state[key].shape for key in own):
        raise DomainError("adapter_mismatch", "The saved adapter does not fit this model and these LoRA settings.")
    with torch.no_grad():
        for key, parameter in own.items():
            parameter.copy_(state[key])


def _key(name: str) -> str:
    return KEY_PREFIX + name.replace(f".{ADAPTER}.", ".")


def save_adapter(folder: Path, gpt: nn.Module, config: Any) -> None:
    """Write ``adapter_model.safetensors`` and ``adapter_config.json`` as ``PeftModel.from_pretrained`` reads them."""
    from safetensors.torch import save_file

    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(adapter_state(gpt, copy=False), temporary, metadata={"format": "pt"})
    # peft keeps the targets as a set, whose order changes from process to process; sorted, equal runs write the same.
    values = {key: sorted(value) if isinstance(value, set) else value for key, value in config.to_dict().items()}
    write_json(folder / CONFIG, json.loads(json.dumps(values, default=str)))
