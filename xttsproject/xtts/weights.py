"""Reading a bundle's weights, and what was fine-tuned upon them: a LoRA adapter that is merged, or a whole GPT.

Only safetensors: no file here can run code.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open
from torch import Tensor

from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import sha256_of
from xttsproject.xtts.checkpoints import ADAPTER_CONFIG_FILE, ADAPTER_FILE, FULL_FILE, files_of, is_full
from xttsproject.xtts.studio import SPEAKERS_FILE as SPEAKERS_FILE

MODEL_FILE = "model.safetensors"
DVAE_FILE = "dvae.safetensors"

Part = Literal["gpt", "decoder", "mel_stats", "dvae"]
State = dict[str, Tensor]

_WHERE: dict[Part, tuple[str, str]] = {
    "gpt": (MODEL_FILE, "gpt."),
    "decoder": (MODEL_FILE, "hifigan_decoder."),
    "mel_stats": (MODEL_FILE, "mel_stats"),
    "dvae": (DVAE_FILE, ""),
}


def read_state(bundle_path: Path, part: Part, device: str = "cpu") -> State:
    """The tensors of one part, named as that part's own network names them.

    ``mel_stats`` is one tensor of shape ``(80,)`` under its own name. Raises :class:`DomainError`
    ``model_missing`` or ``model_damaged``.
    """
    file, prefix = _WHERE[part]
    state = read_tensors(bundle_path / file, prefix, device)
    if not state:
        raise DomainError("model_damaged", f"The model {bundle_path.name} has no {part} weights in {file}.")
    return state if part == "mel_stats" else {name[len(prefix) :]: value for name, value in state.items()}


def read_tensors(path: Path, prefix: str = "", device: str = "cpu") -> State:
    """Every tensor of a safetensors file whose name starts with ``prefix``, names unchanged."""
    try:
        with safe_open(str(path), framework="pt", device=device) as handle:
            return {name: handle.get_tensor(name) for name in handle.keys() if name.startswith(prefix)}  # noqa: SIM118
    except FileNotFoundError:
        raise DomainError(
            "model_missing", f"{path.parent.name} has no {path.name}. Build or download the model."
        ) from None
    except (SafetensorError, OSError) as error:
        raise DomainError("model_damaged", f"{path.name} in {path.parent.name} cannot be read ({error}).") from error


def apply_adapter(gpt_state: State, adapter_path: Path) -> State:
    """A copy of the GPT's state with what was fine-tuned upon it put in.

    ``adapter_path`` is a folder with ``adapter_config.json`` and ``adapter_model.safetensors``: tensors that it holds
    whole (peft's ``modules_to_save``) take the place of the model's; the others change by ``scale · B·A`` (Hu et al.,
    2021, https://arxiv.org/abs/2106.09685), computed in float32. Or it is a folder with ``gpt.safetensors``, of full
    fine-tuning: every tensor takes the place of the model's. Raises :class:`DomainError` ``adapter_missing``,
    ``adapter_damaged``, or ``adapter_mismatch`` when it was made for another model.
    """
    if is_full(adapter_path):
        return _whole(gpt_state, adapter_path)
    settings = adapter_settings(adapter_path)
    factors: dict[str, dict[str, Tensor]] = {}
    merged = dict(gpt_state)
    tensors = adapter_tensors(adapter_path)
    for name, value in tensors.items():
        target, factor = _split_name(name)
        if factor:
            factors.setdefault(target, {})[factor] = value
        else:
            _require_shape(adapter_path, gpt_state, target, value.shape)
            merged[target] = value.to(gpt_state[target].dtype)
    for target, pair in factors.items():
        if set(pair) != {"A", "B"}:
            raise DomainError("adapter_damaged", f"The adapter {adapter_path.name} has only half of {target}.")
        delta = pair["B"].float() @ pair["A"].float() * adapter_scale(settings, pair["A"].shape[0])
        # GPT-2's projections are stored [in, out]; LoRA's product is [out, in].
        delta = delta.T if settings.get("fan_in_fan_out") else delta
        weight = f"{target}.weight"
        _require_shape(adapter_path, gpt_state, weight, delta.shape)
        merged[weight] = (gpt_state[weight].float() + delta).to(gpt_state[weight].dtype)
    if not tensors:
        raise DomainError("adapter_damaged", f"The adapter {adapter_path.name} holds no weights.")
    return merged


def _whole(gpt_state: State, adapter_path: Path) -> State:
    """The GPT of full fine-tuning, found to be of the same shapes, each tensor of the type that the model has it in."""
    tensors = adapter_tensors(adapter_path)
    for name in sorted(tensors.keys() | gpt_state.keys()):
        if name not in tensors:
            raise DomainError("adapter_damaged", f"The checkpoint {adapter_path.name} lacks {name}.")
        _require_shape(adapter_path, gpt_state, name, tensors[name].shape)
    return {name: tensors[name].to(value.dtype) for name, value in gpt_state.items()}


def adapter_tensors(adapter_path: Path) -> State:
    """Every tensor of an adapter under peft's names, or of a whole GPT under its own.

    DomainError ``adapter_missing`` or ``adapter_damaged``.
    """
    try:
        return read_tensors(adapter_path / (FULL_FILE if is_full(adapter_path) else ADAPTER_FILE))
    except DomainError as error:
        raise DomainError(error.code.replace("model", "adapter"), error.message) from error


def model_key(bundle_path: Path, adapter: Path | None) -> str:
    """A key of the content that speaks: hashes of the model, its config and tokenizer, and what was fine-tuned."""
    parts = [_recorded_hash(bundle_path, name) for name in (MODEL_FILE, "config.json", "vocab.json")]
    if adapter is not None:
        parts += [sha256_of(file) for file in files_of(adapter)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def weights_stamp(bundle_path: Path) -> str:
    """Size and time of change of the weights: where they were replaced and the manifest still has the old hash."""
    facts = (bundle_path / MODEL_FILE).stat()
    return f"{facts.st_size} {facts.st_mtime_ns}"


def _recorded_hash(bundle_path: Path, name: str) -> str:
    """The hash in the manifest; hashing two gigabytes at each load would take longer than loading them."""
    try:
        manifest = json.loads((bundle_path / "manifest.json").read_text(encoding="utf-8"))
        return str(manifest["files"][name]["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return sha256_of(bundle_path / name)


def adapter_settings(adapter_path: Path) -> dict[str, Any]:
    """The content of ``adapter_config.json``. DomainErrors as :func:`apply_adapter`'s."""
    try:
        settings: dict[str, Any] = json.loads((adapter_path / ADAPTER_CONFIG_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DomainError("adapter_missing", f"{adapter_path.name} has no {ADAPTER_CONFIG_FILE}.") from None
    except (OSError, ValueError) as error:
        raise DomainError("adapter_damaged", f"{ADAPTER_CONFIG_FILE} cannot be read ({error}).") from error
    unsupported = [key for key in ("use_dora", "rank_pattern", "alpha_pattern") if settings.get(key)]
    if settings.get("peft_type") != "LORA" or settings.get("bias", "none") != "none" or unsupported:
        reason = ", ".join(unsupported) or f"type {settings.get('peft_type')}, bias {settings.get('bias')}"
        raise DomainError("adapter_mismatch", f"The adapter {adapter_path.name} is no plain LoRA adapter ({reason}).")
    return settings


def adapter_scale(settings: dict[str, Any], rank: int) -> float:
    """What ``B·A`` is multiplied with."""
    alpha = float(settings["lora_alpha"])
    return alpha / math.sqrt(rank) if settings.get("use_rslora") else alpha / rank


def _split_name(name: str) -> tuple[str, Literal["A", "B", ""]]:
    """``base_model.model.gpt.h.0.attn.c_attn.lora_A.weight`` → (``gpt.h.0.attn.c_attn``, ``A``)."""
    bare = name.removeprefix("base_model.model.")
    if bare.endswith(".lora_A.weight"):
        return bare.removesuffix(".lora_A.weight"), "A"
    if bare.endswith(".lora_B.weight"):
        return bare.removesuffix(".lora_B.weight"), "B"
    return bare, ""


def _require_shape(adapter_path: Path, state: State, name: str, shape: tuple[int, ...]) -> None:
    if name not in state or state[name].shape != shape:
        there = tuple(state[name].shape) if name in state else "nothing"
        raise DomainError(
            "adapter_mismatch",
            f"The checkpoint {adapter_path.name} is for another model: {name} is {tuple(shape)} there, {there} here.",
        )
