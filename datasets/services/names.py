"""Names as people gave them, in messages and in fields."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

from xttsproject.lib.errors import DomainError

TITLE_LENGTH = 200


def file_name(given: str) -> str:
    """The last part of a name that another machine gave to a file, without control characters."""
    name = PureWindowsPath(PurePosixPath(given).name).name
    return "".join(letter for letter in name if unicodedata.category(letter)[0] != "C").strip()[:255] or "recording"


def safe_suffix(name: str) -> str:
    """The name's suffix if it is a plain one (".mp4"); what the file is, its content says."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if 1 < len(suffix) <= 8 and suffix[1:].isascii() and suffix[1:].isalnum() else ".media"


def title_from(name: str) -> str:
    return " ".join(PurePosixPath(name).stem.replace("_", " ").split())[:TITLE_LENGTH] or "Recording"


def renamed(error: DomainError, path: Path, name: str) -> DomainError:
    """The same error speaking of the file by the name that the person knows it by."""
    message = error.message.replace(path.name, name)
    return DomainError(error.code, message, permanent=error.permanent, field=error.field, about=error.about)
