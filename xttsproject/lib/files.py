"""Writing so that a file is either whole or not there, and knowing files by their content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHUNK = 1024 * 1024

_REPLACED = "~replaced-"
_RANDOM = "[a-z0-9_]{8}"
_LEFT = re.compile(rf"\.(?P<name>[^~]+)(?:(?P<replaced>{_REPLACED})|-){_RANDOM}")


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a path beside ``target`` to write to; it takes the target's place when the block ends well.

    The temporary file keeps the target's suffix, because encoders choose the format by it. An error leaves
    whatever stood at the target untouched.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        # mkstemp makes files for the owner alone; these are served and backed up by others.
        temporary.chmod(0o644)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target``; it takes the target's place (replacing one) when all went well."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        if target.exists():
            previous = Path(tempfile.mkdtemp(prefix=f".{target.name}{_REPLACED}", dir=target.parent))
            os.replace(target, previous)
            os.replace(temporary, target)
            shutil.rmtree(previous, ignore_errors=True)
        else:
            os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def left_by_the_killed(folder: Path) -> list[tuple[Path, Path | None]]:
    """What processes that were killed in :func:`atomic_directory` left in ``folder``, or are at work on right now.

    The hidden folder, and with it, where it holds what was about to be replaced and nothing has taken its place, where
    that belongs.
    """
    found: list[tuple[Path, Path | None]] = []
    for path in folder.iterdir() if folder.is_dir() else ():
        told = _LEFT.fullmatch(path.name)
        if told and path.is_dir() and not path.is_symlink():
            home = folder / told["name"]
            found.append((path, home if told["replaced"] and not home.exists() and any(path.iterdir()) else None))
    return found


def write_json(target: Path, value: Any) -> None:
    """Write ``value`` as readable JSON, whole or not at all; keys keep their order."""
    with atomic_path(target) as temporary:
        temporary.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes as 64 hexadecimal digits, read in pieces."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with open(path, "rb") as handle:
        os.fsync(handle.fileno())
