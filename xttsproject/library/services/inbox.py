"""The folder on the server that models may be taken from without an upload."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from xttsproject.bundles.manifest import Bundle
from xttsproject.bundles.sources import PARTS, ModelFiles, find_files, looks_like_model
from xttsproject.lib.errors import DomainError

_SHOWN = 200


def inbox_names() -> list[str]:
    """Files and folders in the inbox that may be models, by their paths below it. Two levels deep."""
    top = Path(settings.MODELS_INBOX)
    if not top.is_dir():
        return []
    entries = [path for path in _listed(top) if not path.name.startswith(".")]
    entries += [below for path in entries for below in _listed(path) if below.is_file()]
    return sorted(path.relative_to(top).as_posix() for path in entries if _is_offered(path))[:_SHOWN]


def inbox_path(given: str) -> Path:
    """The file or folder of that path below MODELS_INBOX.

    DomainErrors with ``field="path"``: ``inbox_missing``, ``path_outside`` (links that lead out count as outside),
    ``model_missing``.
    """
    top = Path(settings.MODELS_INBOX).resolve()
    if not top.is_dir():
        raise DomainError(
            "inbox_missing",
            "There is no folder to take models from: an administrator makes the one that MODELS_INBOX names, or you "
            "upload the file.",
            field="path",
        )
    try:
        path = (top / given).resolve()
        inside, there = path.is_relative_to(top) and path != top, path.exists()
    except (OSError, ValueError):
        inside, there = True, False
    if not inside:
        raise DomainError(
            "path_outside",
            f"“{given}” leads out of the models' inbox; name a file or folder inside it.",
            field="path",
        )
    if not there:
        raise DomainError("model_missing", f"There is nothing called “{given}” in the models' inbox.", field="path")
    return path


def inbox_files(given: str, *, base: Bundle | None = None, **parts: Path | None) -> ModelFiles:
    """The weights of that path and what lies beside them, all of it inside the inbox; ``parts`` were given otherwise.

    DomainErrors of :func:`inbox_path` (``path_outside`` also where a file beside the weights is a link that leads out)
    and of :func:`find_files`.
    """
    files = find_files(inbox_path(given), base=base, **parts)
    top = Path(settings.MODELS_INBOX).resolve()
    beside = [getattr(files, part) for part in PARTS if not parts.get(part)]
    for path in (files.weights, *beside):
        if path is not None and not path.resolve().is_relative_to(top):
            raise DomainError(
                "path_outside",
                f"{path.name} in “{given}” is a link that leads out of the models' inbox; put the file itself there.",
                field="path",
            )
    return files


def _listed(folder: Path) -> list[Path]:
    """What is in a folder; nothing where there is none, or where the portal may not look."""
    try:
        return list(folder.iterdir()) if folder.is_dir() else []
    except OSError:
        return []


def _is_offered(path: Path) -> bool:
    try:
        return looks_like_model(path)
    except OSError:
        return False
