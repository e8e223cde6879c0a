"""The average of several adapters of one run as one adapter (Wortsman et al. 2022, "Model soups", the uniform soup).

What acts in the model is the product ``B·A``, so that is what has to be averaged. The mean of the ``A`` times the mean
of the ``B`` is another matrix: of two adapters it is ``(B1+B2)(A1+A2)/4``, which has half of the wanted
``(B1·A1+B2·A2)/2``, and beside it the cross terms ``B1·A2`` and ``B2·A1``, which no checkpoint ever had. Set side by
side, though, factors multiply to the sum of the products, ``[B1 B2]·[A1; A2] = B1·A1 + B2·A2``: exact, for a rank that
is the sum of the ranks. A truncated singular value decomposition would keep the rank and give an approximation for it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.engine.batches import fixed_references, sequential_batches
from training.engine.checkpoint import Losses
from training.engine.dataset import read_dataset
from training.engine.features import prepare
from training.engine.fit import FRAMES_PER_SECOND, Split, batch_losses
from training.engine.launch import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from training.engine.lora import inject, load_adapter_state
from training.engine.model import BundleAnalyser, open_base
from training.engine.spec import LoraSpec, TrainSpec
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_directory, write_json
from xttsproject.lib.progress import Progress
from xttsproject.xtts.weights import adapter_scale, adapter_settings, adapter_tensors

_ONLY_SCALE = ("r", "lora_alpha", "use_rslora")


def average_adapters(folders: Sequence[Path], target: Path) -> None:
    """Write the mean of the adapters in ``folders`` to the folder ``target``, whole or not at all.

    Its change of every layer is the mean of theirs. DomainErrors ``adapter_missing``, ``adapter_damaged``,
    ``adapter_mismatch`` (they are not of one kind).
    """
    settings = [adapter_settings(folder) for folder in folders]
    states = [adapter_tensors(folder) for folder in folders]
    for folder, state, told in zip(folders, states, settings, strict=True):
        kind = {key: value for key, value in told.items() if key not in _ONLY_SCALE}
        first = {key: value for key, value in settings[0].items() if key not in _ONLY_SCALE}
        if state.keys() != states[0].keys() or kind != first:
            raise DomainError(
                "adapter_mismatch",
                f"The adapters {folders[0].name} and {folder.name} change different layers, so they have no average.",
            )
    mean: dict[str, Tensor] = {}
    rank = 0
    for name in sorted(states[0]):
        parts = [state[name].float() for state in states]
        if name.endswith(".lora_A.weight"):
            mean[name] = torch.cat(parts, dim=0)
            rank = mean[name].shape[0]
        elif name.endswith(".lora_B.weight"):
            scales = [
                adapter_scale(told, part.shape[1]) / len(folders) for told, part in zip(settings, parts, strict=True)
            ]
            mean[name] = torch.cat([part * scale for part, scale in zip(parts, scales, strict=True)], dim=1)
        else:
            # Tensors that are kept whole act as they are, so their mean is the mean.
            mean[name] = torch.stack(parts).mean(dim=0)
    # The scales are in the factors: alpha over rank is 1.
    told = {**settings[0], "r": rank, "lora_alpha": rank, "use_rslora": False}
    with atomic_directory(target) as folder:
        _save(mean, folder / ADAPTER_WEIGHTS)
        write_json(folder / ADAPTER_CONFIG, told)


def measure_adapter(spec: TrainSpec, adapter: Path, progress: Progress) -> Losses | None:
    """The validation losses of an adapter on the spec's dataset, taken as the run takes its checkpoints'.

    None without validation clips. What is computed once per clip is found where the run left it.
    """
    base = open_base(spec.bundle)
    dataset = read_dataset(spec.manifest, spec.language, base.tokenizer.encode_sentence, base.limits, progress)
    if not dataset.validation:
        return None
    device = torch.device("cuda" if spec.device == "auto" and torch.cuda.is_available() else _plain(spec.device))
    settings = json.loads((adapter / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    gpt = base.load_gpt()
    targets = tuple(sorted(settings["target_modules"]))
    inject(gpt, LoraSpec(rank=settings["r"], alpha=settings["lora_alpha"], targets=targets))
    load_adapter_state(gpt, adapter_tensors(adapter))
    gpt.to(device).eval()
    features = prepare(dataset.validation, spec.features_folder, BundleAnalyser(base, device), progress, _nobody)
    split = Split(dataset.validation, features)
    sums = torch.zeros(2, dtype=torch.float64)
    batches = sequential_batches([clip.samples for clip in split.clips], spec.batch_size)
    frames = [each.frames for each in features]
    with torch.no_grad(), _precision(spec, device):
        for number, indices in enumerate(batches):
            progress.check()
            progress.report(number / len(batches), "measuring the validation loss")
            references = fixed_references(indices, frames, FRAMES_PER_SECOND)
            sums += batch_losses(gpt, split, indices, references, base.config.gpt.stop_audio_token, device)
    text, mel = (float(value) / len(split.clips) for value in sums)
    return Losses(spec.text_loss_weight * text + spec.mel_loss_weight * mel, text, mel)


def _nobody(done: int, total: int) -> None:
    """The features have been computed before; nobody waits for them."""


def _plain(device: str) -> str:
    return "cpu" if device == "auto" or (device.startswith("cuda") and not torch.cuda.is_available()) else device


def _precision(spec: TrainSpec, device: torch.device) -> Any:
    """The arithmetic that the run itself validated in."""
    kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return torch.autocast(device.type, dtype=kinds.get(spec.precision), enabled=spec.precision in kinds)


def _save(state: dict[str, Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in state.items()}, path, metadata={"format": "pt"})
