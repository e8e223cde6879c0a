"""The trained weights that came with the project: half-precision files, and the record of what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import sha256_of

if TYPE_CHECKING:
    from xttsproject.xtts.weights import State

WEIGHTS = Path(__file__).parent / "weights"
RECORD = "weights.json"
FORMAT = 1

XTTS_FILE = "xtts.safetensors"
DVAE_FILE = "dvae.safetensors"
SPEAKERS_FILE = "speakers.safetensors"
WHISPER_FILE = "whisper.safetensors"
FILES = (XTTS_FILE, DVAE_FILE, SPEAKERS_FILE, WHISPER_FILE)


@dataclass(frozen=True)
class ShippedFile:
    """``parameters`` counts the numbers in the file's tensors."""

    sha256: str
    bytes: int
    parameters: int


@dataclass(frozen=True)
class Shipped:
    """A folder of trained weights. ``parts`` counts the numbers of each network; ``stages`` is what each stage of
    training told: steps, seconds, figures.
    """

    folder: Path
    files: Mapping[str, ShippedFile]
    parts: Mapping[str, int]
    stages: Mapping[str, Mapping[str, Any]]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files.values())

    def path(self, name: str) -> Path:
        """A file of the folder whose content is the recorded one; DomainError ``weights_damaged`` otherwise."""
        fact = self.files.get(name)
        if fact is None:
            raise DomainError("weights_damaged", f"{RECORD} of the tiny models does not name {name}; get it again.")
        path = self.folder / name
        if not path.is_file() or path.stat().st_size != fact.bytes or sha256_of(path) != fact.sha256:
            raise DomainError(
                "weights_damaged",
                f"{name} of the tiny models is not the file that {RECORD} describes; get it again (git restore).",
            )
        return path

    def read(self, name: str) -> State:
        """The tensors of a file, checked against its hash; half precision becomes single, as the networks compute."""
        import torch

        from xttsproject.xtts.weights import read_tensors

        tensors = read_tensors(self.path(name))
        return {key: value.float() if value.dtype == torch.float16 else value for key, value in tensors.items()}


def open_shipped(folder: Path = WEIGHTS) -> Shipped:
    """Read the record of a folder of weights; DomainError ``weights_missing`` or ``weights_damaged``."""
    path = folder / RECORD
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise ValueError(f"format {raw['format']!r} is not known")
        files = {
            str(name): ShippedFile(str(fact["sha256"]), int(fact["bytes"]), int(fact["parameters"]))
            for name, fact in raw["files"].items()
        }
        parts = {str(name): int(count) for name, count in raw["parts"].items()}
        return Shipped(folder, files, parts, dict(raw["stages"]))
    except FileNotFoundError:
        raise DomainError(
            "weights_missing",
            f"The tiny models' weights are not there: {path.parent.name}/{RECORD} is missing. Get the project whole, "
            "or train them with “python -m training.engine.tiny”.",
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DomainError("weights_damaged", f"{RECORD} of the tiny models cannot be used ({error}).") from error
