"""What a bundle says of itself: ``manifest.json``, and whether the files are what it says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import sha256_of, write_json
from xttsproject.lib.progress import Progress, Silent

MANIFEST_FILE = "manifest.json"
FORMAT = 1

Kind = Literal["xtts", "whisper"]


@dataclass(frozen=True)
class FileFact:
    """A file of a bundle: its SHA-256 as 64 hexadecimal digits and its size."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Bundle:
    """A model in its folder. ``notice`` is what the portal shows wherever this model speaks or listens.

    ``languages``: the codes of those that it was trained on; empty where that is all that its network has a place for.
    """

    name: str
    kind: Kind
    path: Path
    licence: str
    licence_url: str
    notice: str
    source: str
    files: Mapping[str, FileFact]
    languages: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(fact.bytes for fact in self.files.values())


def open_bundle(path: Path) -> Bundle:
    """Read a bundle's manifest and check that every file is there in the size it says. Hashes are :func:`verify`'s.

    Raises :class:`DomainError` ``model_missing`` or ``model_damaged``.
    """
    manifest = path / MANIFEST_FILE
    try:
        bundle = _parse(json.loads(manifest.read_text(encoding="utf-8")), path)
    except FileNotFoundError:
        raise DomainError(
            "model_missing",
            f"There is no model “{path.name}”: build the tiny ones with “manage.py models build”, "
            "or get a real one with “manage.py models download”.",
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DomainError(
            "model_damaged", f"{manifest.name} of the model “{path.name}” cannot be used ({error})."
        ) from error
    for name, fact in bundle.files.items():
        file = path / name
        size = file.stat().st_size if file.is_file() else None
        if size != fact.bytes:
            found = "is missing" if size is None else f"has {size} bytes instead of {fact.bytes}"
            raise DomainError("model_damaged", f"The model “{path.name}” is damaged: {name} {found}. Get it again.")
    return bundle


def verify(bundle: Bundle, progress: Progress | None = None) -> None:
    """Hash every file. Raises :class:`DomainError` ``model_damaged`` naming the first that differs."""
    watcher = progress or Silent()
    for number, (name, fact) in enumerate(sorted(bundle.files.items())):
        watcher.check()
        watcher.report(number / len(bundle.files), name)
        if sha256_of(bundle.path / name) != fact.sha256:
            raise DomainError(
                "model_damaged", f"The model “{bundle.path.name}” is damaged: {name} has another content. Get it again."
            )


def write_manifest(
    path: Path,
    *,
    name: str,
    kind: Kind,
    licence: str,
    licence_url: str,
    notice: str,
    source: str,
    languages: tuple[str, ...] = (),
) -> Bundle:
    """Hash every file in a folder and write the manifest beside them."""
    files = {file.name: FileFact(sha256_of(file), file.stat().st_size) for file in _files(path)}
    facts = {file: {"sha256": fact.sha256, "bytes": fact.bytes} for file, fact in files.items()}
    about: dict[str, Any] = {"licence": licence, "licence_url": licence_url, "notice": notice, "source": source}
    if languages:
        about["languages"] = list(languages)
    write_json(path / MANIFEST_FILE, {"format": FORMAT, "name": name, "kind": kind, **about, "files": facts})
    return Bundle(name, kind, path, licence, licence_url, notice, source, files, languages)


def list_bundles(models_dir: Path) -> list[Bundle]:
    """Every whole bundle below a folder, by folder name; damaged ones are left out."""
    found = []
    for path in sorted(models_dir.iterdir()) if models_dir.is_dir() else []:
        if (path / MANIFEST_FILE).is_file() and not path.name.startswith("."):
            try:
                found.append(open_bundle(path))
            except DomainError:
                continue
    return found


def _files(path: Path) -> Iterable[Path]:
    return sorted(file for file in path.iterdir() if file.is_file() and file.name != MANIFEST_FILE)


def _parse(raw: Mapping[str, Any], path: Path) -> Bundle:
    if raw["format"] != FORMAT:
        raise ValueError(f"format {raw['format']!r} is not known")
    if raw["kind"] not in get_args(Kind):
        raise ValueError(f"kind {raw['kind']!r} is not known")
    files = {name: FileFact(str(fact["sha256"]), int(fact["bytes"])) for name, fact in raw["files"].items()}
    for name in files:
        # A manifest may come from elsewhere; it must not make us read outside of its folder.
        if Path(name).name != name:
            raise ValueError(f"file name {name!r} is not a plain name")
    text = {key: str(raw[key]) for key in ("name", "licence", "licence_url", "notice", "source")}
    languages = tuple(str(code) for code in raw.get("languages", ()))
    return Bundle(kind=raw["kind"], path=path, files=files, languages=languages, **text)
