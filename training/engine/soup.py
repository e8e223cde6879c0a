"""The average of several adapters of one run as one adapter (Wortsman et al. 2022, "Model soups", the uniform soup).

What acts in the model is the product ``B·A``, so that is what has to be averaged. The mean of the ``A`` times the mean
of the ``B`` is another matrix: of two adapters it is ``(B1+B2)(A1+A2)/4``, which has half of the wanted
``(B1·A1+B2·A2)/2``, and beside it the cross terms ``B1·A2`` and ``B2·A1``, which no checkpoint ever had. Set side by
side, though, factors multiply to the sum of the products, ``[B1 B2]·[A1; A2] = B1·A1 + B2·A2``: exact, for a rank that
is the sum of the ranks. A truncated singular value decomposition would keep the rank and give an approximation for it.
What is kept whole, a module beside the adapters or the GPT of full fine-tuning, acts as it is: its mean is the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.engine.checkpoint import Losses
from training.engine.dataset import read_dataset
from training.engine.features import prepare
from training.engine.fit import batch_losses
from training.engine.model import BundleAnalyser, open_base
from training.engine.precision import TYPES, resolve
from training.engine.spec import LoraSpec, TrainSpec
from training.engine.splits import HeldOut, Split
from training.engine.trained import Trained
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_directory, write_json
from xttsproject.lib.progress import Progress
from xttsproject.xtts.checkpoints import ADAPTER_CONFIG_FILE, ADAPTER_FILE, FULL_FILE, is_full
from xttsproject.xtts.weights import adapter_scale, adapter_settings, adapter_tensors

_ONLY_SCALE = ("r", "lora_alpha", "use_rslora")


def average_checkpoints(folders: Sequence[Path], target: Path) -> None:
    """Write the mean of the checkpoints in ``folders`` to the folder ``target``, whole or not at all.

    Its change of every layer is the mean of theirs. DomainErrors ``adapter_missing``, ``adapter_damaged``,
    ``adapter_mismatch`` (they are not of one kind).
    """
    whole = [is_full(folder) for folder in folders]
    if any(whole) and not all(whole):
        raise _no_average(folders[0], folders[whole.index(not whole[0])])
    mean, told = _mean_of_whole(folders) if all(whole) else _mean_of_adapters(folders)
    with atomic_directory(target) as folder:
        _save(mean, folder / (ADAPTER_FILE if told else FULL_FILE))
        if told:
            write_json(folder / ADAPTER_CONFIG_FILE, told)


def _mean_of_whole(folders: Sequence[Path]) -> tuple[dict[str, Tensor], None]:
    """Tensor by tensor, so that of all the models no more than one is in memory."""
    from safetensors import SafetensorError, safe_open

    mean: dict[str, Tensor] = {}
    with ExitStack() as stack:
        parts: list[Any] = []
        for folder in folders:
            try:
                parts.append(stack.enter_context(safe_open(folder / FULL_FILE, framework="pt")))
            except (OSError, SafetensorError) as error:
                raise DomainError(
                    "adapter_damaged", f"{FULL_FILE} in {folder.name} cannot be read ({error})."
                ) from error
        shapes = [{name: part.get_slice(name).get_shape() for name in part.keys()} for part in parts]  # noqa: SIM118
        for folder, found in zip(folders, shapes, strict=True):
            if found != shapes[0]:
                raise _no_average(folders[0], folder)
        for name in sorted(shapes[0]):
            total = parts[0].get_tensor(name).double()
            for part in parts[1:]:
                total += part.get_tensor(name)
            mean[name] = (total / len(parts)).float()
    return mean, None


def _mean_of_adapters(folders: Sequence[Path]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    settings = [adapter_settings(folder) for folder in folders]
    states = [adapter_tensors(folder) for folder in folders]
    for folder, state, told in zip(folders, states, settings, strict=True):
        kind = {key: value for key, value in told.items() if key not in _ONLY_SCALE}
        first = {key: value for key, value in settings[0].items() if key not in _ONLY_SCALE}
        if state.keys() != states[0].keys() or kind != first:
            raise _no_average(folders[0], folder)
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
    return mean, {**settings[0], "r": rank, "lora_alpha": rank, "use_rslora": False}


def _no_average(first: Path, other: Path) -> DomainError:
    return DomainError(
        "adapter_mismatch",
        f"The checkpoints {first.name} and {other.name} change different layers, so they have no average.",
    )


def measure_checkpoint(spec: TrainSpec, folder: Path, progress: Progress) -> Losses | None:
    """The validation losses of a checkpoint on the spec's dataset, taken as the run takes its own.

    None without validation clips. What is computed once per clip is found where the run left it.
    """
    base = open_base(spec.bundle)
    dataset = read_dataset(spec.manifest, spec.language, base.tokenizer.encode_sentence, base.limits, progress)
    if not dataset.validation:
        return None
    device = torch.device("cuda" if spec.device == "auto" and torch.cuda.is_available() else _plain(spec.device))
    gpt = base.load_gpt()
    # Not merged: in half precision a merged weight gives other sums than a weight and its adapter.
    Trained(gpt, spec if is_full(folder) else _as_adapted(spec, folder)).load(adapter_tensors(folder))
    gpt.to(device).eval()
    clips = (*dataset.validation, *dataset.train)
    features = prepare(clips, spec.features_folder, BundleAnalyser(base, device), progress, _nobody)
    count = len(dataset.validation)
    held_out = HeldOut(Split(dataset.validation, features[:count]), Split(dataset.train, features[count:]))
    sums = torch.zeros(2, dtype=torch.float64)
    batches = held_out.batches(spec.batch_size)
    with torch.no_grad(), _precision(spec, device):
        for number, indices in enumerate(batches):
            progress.check()
            progress.report(number / len(batches), "measuring the validation loss")
            references = held_out.references(indices)
            sums += batch_losses(gpt, held_out, indices, references, base.config.gpt.stop_audio_token, device)
    text, mel = (float(value) / count for value in sums)
    return Losses(spec.text_loss_weight * text + spec.mel_loss_weight * mel, text, mel)


def _as_adapted(spec: TrainSpec, folder: Path) -> TrainSpec:
    """The spec with the adapter's own rank: an average's is the sum of its members'."""
    settings = adapter_settings(folder)
    targets = tuple(sorted(settings["target_modules"]))
    return replace(spec, lora=LoraSpec(rank=settings["r"], alpha=settings["lora_alpha"], targets=targets))


def _nobody(done: int, total: int) -> None:
    """The features have been computed before; nobody waits for them."""


def _plain(device: str) -> str:
    return "cpu" if device == "auto" or (device.startswith("cuda") and not torch.cuda.is_available()) else device


def _precision(spec: TrainSpec, device: torch.device) -> Any:
    """The arithmetic that the run itself validated in."""
    kind = TYPES.get(resolve(spec.precision, device))
    return torch.autocast(device.type, dtype=kind, enabled=kind is not None)


def _save(state: dict[str, Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in state.items()}, path, metadata={"format": "pt"})
