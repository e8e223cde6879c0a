"""Clearing away what processes that were killed left on the disk."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from datasets.models import SourceVideo
from xttsproject import storage

DAY = 24 * 3600.0


def recordings_sweep(*, older_than: float = DAY) -> list[Path]:
    """Remove folders of recordings that no row knows, and temporary files in the others; returns what was removed.

    An upload's folder stands before its row is written, and a fetch or a decoding writes beside its goal: so only what
    nothing has written to for ``older_than`` seconds goes (never less than twice the longest fetch). No job is needed
    and any process may call it at any time, several at once too.
    """
    limit = time.time() - max(older_than, 2.0 * settings.FETCH_TIMEOUT_SECONDS)
    stale = [path for path in (*_orphans(), *_temporaries()) if _last_written(path) < limit]
    for path in stale:
        if path.is_dir() and not path.is_symlink():
            storage.remove_tree(path)
        else:
            path.unlink(missing_ok=True)
    return stale


def _folders() -> list[Path]:
    """The recordings' folders; whatever else lies there is not ours to judge."""
    top = storage.recording_dir(uuid.uuid4()).parent
    return [path for path in _entries(top) if _is_id(path.name) and path.is_dir() and not path.is_symlink()]


def _orphans() -> list[Path]:
    folders = _folders()
    # Asked after the folders were listed: a row that came in between is seen.
    known = set(map(str, SourceVideo.objects.values_list("pk", flat=True)))
    return [folder for folder in folders if folder.name not in known]


def _temporaries() -> Iterator[Path]:
    """Half-written files, which begin with a dot, and uploads that were never kept."""
    for folder in _folders():
        for place in (folder, storage.recording_prints(uuid.UUID(folder.name))):
            yield from (path for path in _entries(place) if path.name.startswith("."))
    yield from (path for path in _entries(Path(settings.FILE_UPLOAD_TEMP_DIR)) if path.is_file())


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_id(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False


def _last_written(path: Path) -> float:
    """The newest time of the path and all below it; of one that is gone, now."""
    times = []
    for each in (path, *(path.rglob("*") if path.is_dir() else ())):
        with contextlib.suppress(FileNotFoundError):
            times.append(each.lstat().st_mtime)
    return max(times, default=time.time())
