"""What is said of an imported model: its name, its licence, where it came from."""

from __future__ import annotations

import re
from pathlib import Path

from xttsproject.bundles.catalog import CPML, Licence
from xttsproject.bundles.convert import About
from xttsproject.bundles.manifest import Bundle
from xttsproject.bundles.sources import ModelFiles
from xttsproject.lib.errors import DomainError


def licence_of(base: Bundle | None) -> Licence:
    """The licence that an import is under: its base model's, or, where none is named, XTTS-v2's own.

    Whoever trained it started from one of them, and the licence came along.
    """
    if base is None or base.licence == CPML.name:
        return CPML
    return Licence(base.licence, base.licence_url, f"As the base model “{base.path.name}” has it.", True)


def require_accepted(licence: Licence, accepted: bool) -> None:
    """DomainError ``licence_not_accepted`` unless the person has agreed to it."""
    if not accepted:
        raise DomainError(
            "licence_not_accepted",
            f"The model is under the {licence.name}{f' ({licence.url})' if licence.url else ''}: {licence.terms} "
            "Accept it to import the model.",
            field="accept_licence",
        )


def about_import(name: str, files: ModelFiles) -> About:
    """The manifest's words for a model made of these files."""
    licence = licence_of(files.base)
    if licence is CPML:
        notice = f"Spoken by the imported model “{name}”, made from XTTS-v2: non-commercial use only."
    else:
        notice = f"Spoken by the imported model “{name}”, under the licence of its base model: {licence.name}."
    origin = f"imported from {files.weights.name}"
    if files.base is not None:
        origin += f", with parts of {files.base.path.name}"
    return About(name, licence.name, licence.url, notice, origin)


def name_for(path: Path) -> str:
    """A bundle's name from a file's or folder's; a name that says nothing gives way to the folder's."""
    stem = path.stem if path.is_file() else path.name
    if path.is_file() and stem in ("model", "best_model"):
        stem = path.resolve().parent.name
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")[:64] or "imported"
