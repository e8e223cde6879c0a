"""The folder on the server that models may be taken from without an upload."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from xttsproject.bundles.sources import looks_like_model
from xttsproject.lib.errors import DomainError

_SHOWN = 200


def inbox_names() -> list[str]:
    """Files and folders in the inbox that may be models, by their paths below it. Two levels deep."""
    top = Path(settings.MODELS_INBOX)
    if not top.is_dir():
        return []
    entries = [path for path in top.iterdir() if not path.name.startswith(".")]
    entries += [below for path in entries if path.is_dir() for below in path.iterdir() if below.is_file()]
    return sorted(path.relative_to(top).as_posix() for path in entries if looks_like_model(path))[:_SHOWN]


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
