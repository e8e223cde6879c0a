"""What a training run is to do: checked as a whole before anything starts, and kept beside its results as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import write_json

LORA, FULL = "lora", "full"
METHODS = (LORA, FULL)
SCHEDULES = ("cosine", "linear", "constant")
AUTO = "auto"
PRECISIONS = (AUTO, "fp32", "bf16", "fp16")
SPEECH_PRECISIONS = (AUTO, "fp32", "bf16", "fp16", "int8")
STOP_ON = ("loss", "score")
MOST_DEVICES = 16
"""As many GPUs as one machine has."""
LORA_TARGETS = ("c_attn", "c_proj", "c_fc")
"""The three kinds of projection in a GPT-2 block. ``c_proj`` names two of them: attention's and the MLP's."""
MOST_RANK = 1024
"""As wide as the model itself."""
MOST_EPOCHS = 100_000


def _refuse(field_name: str, message: str) -> DomainError:
    return DomainError("spec_invalid", message, field=field_name)


_digits = reprlib.Repr()
_digits.maxlong = 40


def quoted(number: object) -> str:
    """As a refusal quotes it: of a hundred digits the first and the last."""
    return _digits.repr(number)


def _check_number(
    name: str, value: object, low: float, high: float, *, whole: bool = False, above: bool = False
) -> None:
    """Refuse anything but a finite number within ``low``..``high`` (``above``: strictly above ``low``)."""
    kinds: tuple[type, ...] = (int,) if whole else (int, float)
    kind = "a whole number" if whole else "a number"
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise _refuse(name, f"{name} must be {kind}, got {value!r}.")
    assert isinstance(value, int | float)
    # Whole numbers may be larger than any float, and limits of theirs than a float tells apart.
    finite = isinstance(value, int) or math.isfinite(value)
    if not finite or value > high or value < low or (above and value == low):
        lower = f"above {low:g}" if above else f"at least {low:g}"
        upper = "" if math.isinf(high) else f" and at most {high if whole else f'{high:g}'}"
        raise _refuse(name, f"{name} must be {kind} {lower}{upper}, got {quoted(value)}.")


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise _refuse(name, f"{name} must be one of {', '.join(choices)}, got {value!r}.")


def _check_switch(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise _refuse(name, f"{name} must be true or false, got {value!r}.")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise _refuse(name, f"{name} must be a text that is not empty, got {value!r}.")


@dataclass(frozen=True)
class LoraSpec:
    """Low-rank adapters (Hu et al. 2021): what they are put on, how wide they are, how strongly they act."""

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: tuple[str, ...] = LORA_TARGETS

    def __post_init__(self) -> None:
        _check_number("lora.rank", self.rank, 1, MOST_RANK, whole=True)
        _check_number("lora.alpha", self.alpha, 0, math.inf, above=True)
        _check_number("lora.dropout", self.dropout, 0, 0.9)
        if not isinstance(self.targets, tuple) or not self.targets:
            raise _refuse("lora.targets", f"lora.targets must name at least one layer, got {self.targets!r}.")
        for target in self.targets:
            _check_choice("lora.targets", target, LORA_TARGETS)


@dataclass(frozen=True)
class Prompt:
    """A sentence that every checkpoint speaks, with the seed that makes it speak it comparably."""

    text: str
    language: str
    seed: int = 1

    def __post_init__(self) -> None:
        _check_text("sample_prompts.text", self.text)
        _check_text("sample_prompts.language", self.language)
        _check_number("sample_prompts.seed", self.seed, 0, 2**63 - 1, whole=True)


@dataclass(frozen=True)
class TrainSpec:
    """One run. Paths are kept as given; the portal gives absolute ones.

    ``manifest`` is the dataset version's JSONL. ``reference_clips`` condition the epoch samples. ``features_dir``
    holds what is computed once per clip and model; runs that share it share the work (default: within the run).
    ``method`` ``lora`` trains adapters (``lora``), and with ``train_conditioning`` the networks that hear the reference
    (conditioning encoder and perceiver) as a whole, with ``train_heads`` those that name text tokens and audio codes
    (both heads and the norm before them). ``full`` trains every weight; the three say nothing then.
    ``augment_conditioning`` alters the references that training hears, never what it is to say.
    ``keep_best`` is how many checkpoints keep their weights, besides the last one, pinned ones and those in use; None
    keeps all. After ``early_stopping_patience`` epochs in which the validation loss has not fallen by more than
    ``early_stopping_min_delta`` below its best, the run ends (None: it does not); ``early_stopping_on`` ``score``
    watches what the epoch samples score instead (:mod:`training.engine.hearing`). ``threads`` is for the CPU, None lets
    torch choose. ``code_noise`` is the share of the codes read that are false, so that the model forgives its own
    slips: a small model needs it. ``precision`` ``auto``: bf16 where the device has it, fp32 elsewhere. ``devices`` is
    how many GPUs share each batch, a process each (with ``device`` ``cpu``: so many processes on the processor).
    ``speech_precision`` is that of the samples, as :mod:`xttsproject.xtts.projections` has it: what the portal's own
    speech has, so that they sound as the voice will; the same for all of a run's checkpoints. In ``packed_dir`` the
    base model's shrunk weights are kept for the next load.
    """

    run_dir: Path
    bundle: Path
    manifest: Path
    language: str
    epochs: int = 10
    batch_size: int = 4
    accumulation: int = 1
    learning_rate: float = 2e-4
    schedule: str = "cosine"
    warmup_fraction: float = 0.05
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    seed: int = 1
    precision: str = AUTO
    device: str = "auto"
    devices: int = 1
    method: str = LORA
    lora: LoraSpec = field(default_factory=LoraSpec)
    train_conditioning: bool = False
    train_heads: bool = False
    augment_conditioning: bool = False
    text_loss_weight: float = 0.01
    mel_loss_weight: float = 1.0
    code_noise: float = 0.0
    keep_best: int | None = 10
    early_stopping_patience: int | None = None
    early_stopping_min_delta: float = 0.0
    early_stopping_on: str = "loss"
    sample_prompts: tuple[Prompt, ...] = ()
    reference_clips: tuple[Path, ...] = ()
    threads: int | None = None
    features_dir: Path | None = None
    speech_precision: str = "fp32"
    packed_dir: Path | None = None

    def __post_init__(self) -> None:
        for name in ("run_dir", "bundle", "manifest"):
            self._check_path(name, getattr(self, name))
        for name in ("features_dir", "packed_dir"):
            if getattr(self, name) is not None:
                self._check_path(name, getattr(self, name))
        _check_text("language", self.language)
        for name, high in (("epochs", MOST_EPOCHS), ("batch_size", 4096), ("accumulation", 4096)):
            _check_number(name, getattr(self, name), 1, high, whole=True)
        _check_number("learning_rate", self.learning_rate, 0, 1, above=True)
        _check_number("warmup_fraction", self.warmup_fraction, 0, 0.9)
        _check_number("weight_decay", self.weight_decay, 0, 10)
        _check_number("max_grad_norm", self.max_grad_norm, 0, math.inf, above=True)
        _check_number("seed", self.seed, 0, 2**63 - 1, whole=True)
        _check_number("text_loss_weight", self.text_loss_weight, 0, 1000)
        _check_number("mel_loss_weight", self.mel_loss_weight, 0, 1000, above=True)
        _check_number("code_noise", self.code_noise, 0, 0.9)
        if self.keep_best is not None:
            _check_number("keep_best", self.keep_best, 1, 100_000, whole=True)
        if self.early_stopping_patience is not None:
            _check_number("early_stopping_patience", self.early_stopping_patience, 1, 100_000, whole=True)
        _check_number("early_stopping_min_delta", self.early_stopping_min_delta, 0, 100)
        _check_choice("early_stopping_on", self.early_stopping_on, STOP_ON)
        if self.stops_on_score and not self.sample_prompts:
            raise _refuse(
                "early_stopping_on",
                "Stopping on the score needs samples to measure: name a prompt, or stop on the loss.",
            )
        if self.threads is not None:
            _check_number("threads", self.threads, 1, 4096, whole=True)
        for name in ("train_conditioning", "train_heads", "augment_conditioning"):
            _check_switch(name, getattr(self, name))
        _check_choice("method", self.method, METHODS)
        _check_choice("schedule", self.schedule, SCHEDULES)
        _check_choice("precision", self.precision, PRECISIONS)
        _check_choice("speech_precision", self.speech_precision, SPEECH_PRECISIONS)
        if not _is_device(self.device):
            raise _refuse("device", f"device must be auto, cpu, cuda or cuda:N, got {self.device!r}.")
        _check_number("devices", self.devices, 1, MOST_DEVICES, whole=True)
        if self.devices > 1 and self.device.startswith("cuda:"):
            raise _refuse(
                "devices", f"{self.device} is one device, and {self.devices} were asked for; name cuda or take one."
            )
        if self.precision == "fp16" and self.device == "cpu":
            raise DomainError(
                "precision_unsupported",
                "fp16 needs a CUDA device; on a processor take fp32 or bf16.",
                field="precision",
            )
        if not isinstance(self.lora, LoraSpec):
            raise _refuse("lora", f"lora must be a LoraSpec, got {self.lora!r}.")
        if not all(isinstance(prompt, Prompt) for prompt in self.sample_prompts):
            raise _refuse("sample_prompts", f"sample_prompts must hold prompts only, got {self.sample_prompts!r}.")
        for clip in self.reference_clips:
            self._check_path("reference_clips", clip)
        if self.sample_prompts and not self.reference_clips:
            raise _refuse(
                "reference_clips",
                f"{len(self.sample_prompts)} sample prompts need a voice to speak with: name a reference clip.",
            )

    @staticmethod
    def _check_path(name: str, value: object) -> None:
        if not isinstance(value, Path) or value == Path():
            raise _refuse(name, f"{name} must be a path, got {value!r}.")

    @property
    def stops_on_score(self) -> bool:
        return self.early_stopping_patience is not None and self.early_stopping_on == "score"

    @property
    def features_folder(self) -> Path:
        return self.features_dir or self.run_dir / "features"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; :meth:`from_dict` reads them back to an equal spec."""
        return {key: _plain(value) for key, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainSpec:
        """Build from JSON values; a field that is unknown, missing or of the wrong kind is a ``spec_invalid``."""
        given = _known(cls, "the training spec", values)
        for name in ("run_dir", "bundle", "manifest"):
            if name not in given:
                raise _refuse(name, f"The training spec lacks {name}: name a path.")
            given[name] = _path(name, given[name])
        if "language" not in given:
            raise _refuse("language", "The training spec lacks language: name one, such as 'en'.")
        for name in ("features_dir", "packed_dir"):
            if given.get(name) is not None:
                given[name] = _path(name, given[name])
        if "lora" in given:
            lora = _known(LoraSpec, "lora", given["lora"])
            if "targets" in lora:
                lora["targets"] = tuple(_items("lora.targets", lora["targets"]))
            given["lora"] = LoraSpec(**lora)
        if "reference_clips" in given:
            clips = _items("reference_clips", given["reference_clips"])
            given["reference_clips"] = tuple(_path("reference_clips", clip) for clip in clips)
        if "sample_prompts" in given:
            given["sample_prompts"] = tuple(
                _prompt(value) for value in _items("sample_prompts", given["sample_prompts"])
            )
        return cls(**given)

    def save(self, path: Path) -> None:
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: Path) -> TrainSpec:
        """Read a spec file; ``spec_invalid`` when it is absent or no JSON object."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DomainError("spec_invalid", f"The training spec {path} cannot be read: {error}.") from error
        return cls.from_dict(values)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _known(cls: type[Any], name: str, values: object) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise _refuse(name, f"{name[0].upper()}{name[1:]} must be an object with named fields, got {values!r}.")
    names = {item.name for item in dataclasses.fields(cls)}
    for key in values:
        if key not in names:
            raise _refuse(
                str(key), f"{name[0].upper()}{name[1:]} has no field {key!r}; it has {', '.join(sorted(names))}."
            )
    return dict(values)


def _items(name: str, values: object) -> list[Any]:
    if not isinstance(values, list | tuple):
        raise _refuse(name, f"{name} must be a list, got {values!r}.")
    return list(values)


def _path(name: str, value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise _refuse(name, f"{name} must be a path, got {value!r}.")
    return Path(value)


def _prompt(values: object) -> Prompt:
    given = _known(Prompt, "sample_prompts", values)
    for name in ("text", "language"):
        if name not in given:
            raise _refuse(f"sample_prompts.{name}", f"A sample prompt lacks its {name}: {values!r}.")
    return Prompt(**given)


def _is_device(value: object) -> bool:
    if not isinstance(value, str):
        return False
    return value in ("auto", "cpu", "cuda") or (value.startswith("cuda:") and value[5:].isdigit())
