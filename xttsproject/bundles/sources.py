"""Which files a model is brought in from: its weights, and what the weights alone do not tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xttsproject.bundles.manifest import Bundle, open_bundle
from xttsproject.lib.errors import DomainError

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""What a bundle may be called: it is a folder's name and part of addresses."""

# Addresses of their own stand where a model's name would.
_RESERVED = ("import", "imports")
# Where each part lies beside the weights, as releases, trainers and this project's bundles name it.
_BESIDE: Mapping[str, tuple[str, ...]] = {
    "config": ("config.json",),
    "vocab": ("vocab.json",),
    "dvae": ("dvae.pth", "dvae.safetensors"),
    "mel_stats": ("mel_stats.pth",),
    "speakers": ("speakers_xtts.pth", "speakers.safetensors"),
}
PARTS = tuple(_BESIDE)
# What a folder's weights are called, the most telling first; a trainer adds a step: best_model_1000.pth.
_WEIGHTS = ("model.pth", "model.safetensors", "best_model.pth")
_SUFFIXES = (".pth", ".pt", ".safetensors", ".bin", ".ckpt")


@dataclass(frozen=True)
class ModelFiles:
    """Files that become a bundle. What is None comes from the weights' own file or from ``base``."""

    weights: Path
    config: Path | None = None
    vocab: Path | None = None
    dvae: Path | None = None
    mel_stats: Path | None = None
    speakers: Path | None = None
    base: Bundle | None = None

    @property
    def room_needed(self) -> int:
        """Bytes that the bundle can have at most: all of the files, and of the base what they may lack."""
        given = (self.weights, self.config, self.vocab, self.dvae, self.mel_stats, self.speakers)
        return sum(path.stat().st_size for path in given if path) + (self.base.bytes if self.base else 0)


def find_files(path: Path, *, base: Bundle | None = None, **given: Path | None) -> ModelFiles:
    """A file of any name and suffix, or a folder with one, and what lies beside it; ``given`` parts come first.

    Raises :class:`DomainError` ``model_missing``, or ``weights_ambiguous`` where a folder has several.
    """
    for part, file in given.items():
        if file is not None and not file.is_file():
            raise DomainError("model_missing", f"There is no file {file.name} in {file.parent.name}.", field=part)
    weights = _in_folder(path) if path.is_dir() else path
    if not weights.is_file():
        raise DomainError("model_missing", f"There is no file or folder {path.name} in {path.parent.name}.")
    parts: dict[str, Any] = {
        part: given.get(part) or next(_existing(weights, names), None) for part, names in _BESIDE.items()
    }
    return ModelFiles(weights, base=base, **parts)


def looks_like_model(path: Path) -> bool:
    """Whether a file or folder is worth offering; what it is, reading it will tell."""
    if path.is_dir():
        return any(looks_like_model(file) for file in path.iterdir() if file.is_file())
    return path.suffix in _SUFFIXES and not any(path.name in names for names in _BESIDE.values())


def open_base(path: Path) -> Bundle:
    """The bundle that parts are taken from. DomainErrors of :func:`open_bundle`, and ``base_unsuitable``."""
    bundle = open_bundle(path)
    if bundle.kind != "xtts":
        raise DomainError(
            "base_unsuitable",
            f"The model “{path.name}” transcribes; the base of an XTTS-v2 is another XTTS model.",
            field="base",
        )
    return bundle


def require_name(name: str) -> None:
    """DomainError ``name_invalid`` unless a bundle may be called so."""
    if name in _RESERVED:
        raise DomainError("name_invalid", f"No model may be called “{name}”; choose another name.", field="name")
    if not NAME.fullmatch(name):
        raise DomainError(
            "name_invalid",
            f"“{name}” is no bundle name: small letters, digits, dot, dash and underscore are, at most 64 of them.",
            field="name",
        )


def _in_folder(folder: Path) -> Path:
    for name in _WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    files = sorted(file for file in folder.iterdir() if file.is_file() and looks_like_model(file))
    if len(files) == 1:
        return files[0]
    if not files:
        raise DomainError(
            "model_missing",
            f"{folder.name} holds no weights: neither a model.pth nor another file of torch's.",
        )
    shown = ", ".join(file.name for file in files[:5])
    raise DomainError("weights_ambiguous", f"{folder.name} holds {len(files)} models ({shown}); name one of the files.")


def _existing(weights: Path, names: tuple[str, ...]) -> Iterator[Path]:
    for name in names:
        file = weights.parent / name
        if file.is_file() and file != weights:
            yield file
