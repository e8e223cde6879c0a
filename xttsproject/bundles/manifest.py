"""``manifest.json`` of a bundle: its kind, its licence, and what each file must be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import sha256_of, write_json

FORMAT = 1
MANIFEST = "manifest.json"

Kind = Literal["xtts", "whisper"]


@dataclass(frozen=True)
class FileFact:
    """What a file of the bundle must be."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Bundle:
    """A model on this machine. ``notice`` is what the portal shows wherever this model speaks or listens."""

    name: str
    kind: Kind
    path: Path
    licence: str
    licence_url: str
    notice: str
    source: str
    files: Mapping[str, FileFact]

    @property
    def bytes(self) -> int:
        return sum(fact.bytes for fact in self.files.values())


def open_bundle(path: Path) -> Bundle:
    """Read a bundle's manifest and see that its files are there in full length (hashes: :func:`verify`).

    DomainError ``model_missing`` where there is no bundle, ``model_damaged`` where one is incomplete.
    """
    path = Path(path)
    try:
        raw = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DomainError(
            "model_missing",
            f"There is no model “{path.name}” in {path.parent}; see `manage.py models list`, `build` and `download`.",
        ) from None
    except ValueError:
        raise _damaged(path, f"its {MANIFEST} cannot be read") from None
    if raw.get("format") != FORMAT or raw.get("kind") not in ("xtts", "whisper"):
        raise _damaged(path, f"its {MANIFEST} has format {raw.get('format')!r} and kind {raw.get('kind')!r}")
    files = {name: FileFact(fact["sha256"], int(fact["bytes"])) for name, fact in raw["files"].items()}
    for name, fact in files.items():
        file = path / name
        if not file.is_file():
            raise _damaged(path, f"{name} is not there")
        if file.stat().st_size != fact.bytes:
            raise _damaged(path, f"{name} has {file.stat().st_size} bytes instead of {fact.bytes}")
    return Bundle(
        name=raw["name"],
        kind=cast(Kind, raw["kind"]),
        path=path,
        licence=raw["licence"],
        licence_url=raw["licence_url"],
        notice=raw["notice"],
        source=raw["source"],
        files=files,
    )


def verify(bundle: Bundle) -> None:
    """Compare every file's SHA-256 with the manifest. DomainError ``model_damaged`` names the first that differs."""
    for name, fact in bundle.files.items():
        if sha256_of(bundle.path / name) != fact.sha256:
            raise _damaged(bundle.path, f"the SHA-256 of {name} is not the one in its manifest")


def write_manifest(
    path: Path, *, name: str, kind: Kind, licence: str, licence_url: str, notice: str, source: str
) -> Bundle:
    """Describe all files that lie in the folder, and make it a bundle."""
    path = Path(path)
    present = sorted(file for file in path.rglob("*") if file.is_file() and file.name != MANIFEST)
    files = {
        file.relative_to(path).as_posix(): {"sha256": sha256_of(file), "bytes": file.stat().st_size} for file in present
    }
    write_json(
        path / MANIFEST,
        {
            "format": FORMAT,
            "name": name,
            "kind": kind,
            "licence": licence,
            "licence_url": licence_url,
            "notice": notice,
            "source": source,
            "files": files,
        },
    )
    return open_bundle(path)


def list_bundles(models_dir: Path) -> list[Bundle]:
    """The whole bundles in a folder, by name; damaged ones are left out."""
    found = []
    for manifest in sorted(Path(models_dir).glob(f"*/{MANIFEST}")):
        try:
            found.append(open_bundle(manifest.parent))
        except DomainError:
            continue
    return found


def _damaged(path: Path, why: str) -> DomainError:
    return DomainError(
        "model_damaged", f"The model “{path.name}” is damaged: {why}. Build or download it again (`manage.py models`)."
    )
