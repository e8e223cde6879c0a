"""Between a run's row and the engine's TrainSpec: the row keeps the values, the paths are this installation's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from django.conf import settings

from datasets.models import DatasetVersion
from datasets.services.freezing import version_manifest
from training.engine.spec import LORA_TARGETS, LoraSpec, Prompt, TrainSpec
from training.models import TrainingRun
from training.prompts import FIXED_PROMPTS, prompts_for
from xttsproject import storage
from xttsproject.bundles.manifest import Bundle, open_bundle
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.config import read_config
from xttsproject.xtts.languages import language_names
from xttsproject.xtts.types import ConditioningSettings

# Seconds of the speaker's own clips that condition the epoch samples, and by default the voices made of the
# checkpoints: as much as the model listens to.
REFERENCE_SECONDS = ConditioningSettings().gpt_seconds

# Fields of TrainSpec that belong to the machine and are filled in when the run starts.
_MACHINE = ("run_dir", "bundle", "manifest", "reference_clips", "features_dir", "packed_dir", "device", "threads")

_LORA = "lora_"

# How the engine names an input, and how forms and the API do.
_FIELDS = {
    "lora.rank": "lora_rank",
    "lora.alpha": "lora_alpha",
    "lora.dropout": "lora_dropout",
    "lora.targets": "lora_targets",
    "sample_prompts": "prompts",
    "sample_prompts.text": "prompts",
    "sample_prompts.language": "prompts",
    "sample_prompts.seed": "seed",
    "language": "version",
    "reference_clips": "version",
}


@dataclass(frozen=True)
class RunValues:
    """What a person chooses, named and preset as in TrainSpec; ``lora_…`` as in LoraSpec.

    ``keep_best`` None: every checkpoint keeps its weights. ``prompts``: sentences that every checkpoint speaks, besides
    the language's fixed ones unless those are left out.
    """

    epochs: int = TrainSpec.epochs
    batch_size: int = TrainSpec.batch_size
    accumulation: int = TrainSpec.accumulation
    learning_rate: float = TrainSpec.learning_rate
    schedule: str = TrainSpec.schedule
    warmup_fraction: float = TrainSpec.warmup_fraction
    weight_decay: float = TrainSpec.weight_decay
    max_grad_norm: float = TrainSpec.max_grad_norm
    method: str = TrainSpec.method
    lora_rank: int = LoraSpec.rank
    lora_alpha: float = LoraSpec.alpha
    lora_dropout: float = LoraSpec.dropout
    lora_targets: Sequence[str] = LORA_TARGETS
    train_conditioning: bool = TrainSpec.train_conditioning
    train_heads: bool = TrainSpec.train_heads
    augment_conditioning: bool = TrainSpec.augment_conditioning
    seed: int = TrainSpec.seed
    keep_best: int | None = TrainSpec.keep_best
    early_stopping_patience: int | None = TrainSpec.early_stopping_patience
    early_stopping_min_delta: float = TrainSpec.early_stopping_min_delta
    early_stopping_on: str = TrainSpec.early_stopping_on
    precision: str = TrainSpec.precision
    devices: int = TrainSpec.devices
    prompts: Sequence[str] = ()
    fixed_prompts: bool = True


def bundle_open(*, name: str) -> Bundle:
    """The XTTS bundle of that name. DomainError ``model_missing``, ``model_damaged`` or ``bundle_unsuitable``."""
    if not name or Path(name).name != name or name.startswith("."):
        raise DomainError(
            "bundle_unsuitable", f"A model is named by its folder's name, not by “{name}”.", field="bundle"
        )
    bundle = open_bundle(storage.bundle_dir(name))
    if bundle.kind != "xtts":
        raise DomainError(
            "bundle_unsuitable", f"The model “{name}” does not speak, so it cannot be fine-tuned.", field="bundle"
        )
    return bundle


def spec_build(*, version: DatasetVersion, bundle: Bundle, values: RunValues) -> TrainSpec:
    """The spec of a run that is yet to be made; DomainErrors name the form's and the API's fields.

    Besides what the spec checks itself: the model speaks the dataset's language (``language_unsupported``), and the
    version's files are there (``version_damaged``).
    """
    language = version.dataset.language
    if isinstance(values.devices, int) and values.devices > settings.TRAINING_DEVICES:
        raise DomainError(
            "device_missing",
            f"A run may take {settings.TRAINING_DEVICES} GPUs here, and {values.devices} were asked for."
            if settings.TRAINING_DEVICES > 1
            else f"A run takes one GPU here, and {values.devices} were asked for.",
            field="devices",
        )
    try:
        own = [text.strip() for text in values.prompts if text.strip()]
        texts = prompts_for(language, own, fixed=values.fixed_prompts)
        chosen = {item.name: getattr(values, item.name) for item in fields(values) if "prompts" not in item.name}
        lora = {name.removeprefix(_LORA): chosen.pop(name) for name in list(chosen) if name.startswith(_LORA)}
        lora["targets"] = tuple(lora["targets"])
        spec = TrainSpec(
            run_dir=storage.run_dir(version.pk),
            bundle=bundle.path,
            manifest=version.manifest_path,
            language=language,
            device=settings.DEVICE,
            **chosen,
            lora=LoraSpec(**lora),
            sample_prompts=tuple(Prompt(text, language, values.seed) for text in texts),
            reference_clips=references_require(version=version),
            speech_precision=settings.SPEECH_PRECISION,
        )
    except DomainError as error:
        field = _FIELDS.get(error.field or "", error.field)
        message = error.message
        if error.code == "spec_invalid" and error.field and field:
            # It begins with the engine's name of the value.
            message = message.replace(error.field, field, 1)
        raise DomainError(error.code, message, permanent=error.permanent, field=field) from error
    if spec.speech_precision == "int8" and spec.device.startswith("cuda"):
        raise DomainError(
            "precision_unsupported",
            f"The samples of a run are spoken as speech is, and SPEECH_PRECISION is int8, which the device "
            f"{spec.device} lacks; ask an administrator to set it to auto, fp16 or bf16.",
        )
    validation_require(spec=spec, version=version, clips=version.clips_validation)
    speaks = read_config(bundle.path).languages
    if language not in speaks:
        raise DomainError(
            "language_unsupported",
            f"The model “{bundle.path.name}” does not speak {language_names([language])}, the language of {version}; "
            f"it speaks {language_names(speaks)}.",
            field="version",
        )
    return spec


def validation_require(*, spec: TrainSpec, version: DatasetVersion, clips: int) -> None:
    """DomainError ``validation_missing`` where early stopping has no validation ``clips`` to decide by."""
    if spec.early_stopping_patience is not None and not clips:
        has = "has none that can be used" if version.clips_validation else "has no validation clips"
        raise DomainError(
            "validation_missing",
            f"Early stopping is decided by validation clips, and {version} {has}; leave the "
            "patience empty, or freeze the dataset with a validation share.",
            field="early_stopping_patience",
        )


def spec_values(spec: TrainSpec) -> dict[str, Any]:
    """What the row keeps of a spec."""
    return {name: value for name, value in spec.to_dict().items() if name not in _MACHINE}


def values_of(*, run: TrainingRun) -> RunValues:
    """What was chosen for a run, to choose it again."""
    kept: dict[str, Any] = dict(run.spec)
    kept |= {f"{_LORA}{name}": value for name, value in (kept.get("lora") or {}).items()}
    texts = [str(prompt["text"]) for prompt in kept.get("sample_prompts", ())]
    fixed = list(FIXED_PROMPTS.get(kept.get("language", ""), ()))
    spoken = bool(fixed) and all(text in texts for text in fixed)
    kept["fixed_prompts"] = spoken
    kept["prompts"] = tuple(text for text in texts if not spoken or text not in fixed)
    return RunValues(**{item.name: kept[item.name] for item in fields(RunValues) if item.name in kept})


def spec_of(*, run: TrainingRun) -> TrainSpec:
    """The spec as this machine executes it. DomainErrors as above, where something vanished since the run was made."""
    spec = TrainSpec.from_dict(
        {
            **run.spec,
            "run_dir": run.folder,
            "bundle": bundle_open(name=run.bundle).path,
            "manifest": run.version.manifest_path,
            "reference_clips": references_require(version=run.version),
            "features_dir": storage.features_dir(),
            "packed_dir": storage.packed_dir(),
            "device": settings.DEVICE,
        }
    )
    # A run that was begun on more devices than it may take now goes on on fewer, in the same steps.
    devices = min(spec.devices, settings.TRAINING_DEVICES)
    return replace(spec, threads=settings.TRAINING_THREADS or None, devices=devices)


def references_choose(*, version: DatasetVersion) -> tuple[Path, ...]:
    """The longest training clips of the version, until REFERENCE_SECONDS are reached.

    Long clips show most of how a person speaks. Equal lengths are ordered by name, so that the same version always
    gives the same clips: what a checkpoint is judged by is then how its voice will speak.
    """
    try:
        rows = version_manifest(version=version)
        clips = sorted((-float(row["seconds"]), str(row["audio"])) for row in rows if row["split"] == "train")
    except DomainError as error:
        raise DomainError("version_damaged", error.message, field="version") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DomainError(
            "version_damaged",
            f"The files of {version} cannot be read ({type(error).__name__}); freeze the dataset again.",
            field="version",
        ) from error
    chosen: list[Path] = []
    seconds = 0.0
    for negative, audio in clips:
        if seconds >= REFERENCE_SECONDS:
            break
        chosen.append(version.folder / audio)
        seconds -= negative
    return tuple(chosen)


def references_require(*, version: DatasetVersion) -> tuple[Path, ...]:
    """The same, all of them there; DomainError ``version_damaged`` also for one that is gone from the disk."""
    chosen = references_choose(version=version)
    for path in chosen:
        if not path.is_file():
            raise DomainError(
                "version_damaged",
                f"The clip {path.name} of {version} is gone from its folder; put it back from a backup, or freeze the "
                "dataset again.",
                field="version",
            )
    return chosen
