"""Clearing away what processes that were killed left on the disk."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings

from datasets.choices import ImportState
from datasets.models import DatasetExport, DatasetImport, SourceVideo
from xttsproject import storage

DAY = 24 * 3600.0


def leftovers_sweep(*, older_than: float = DAY) -> list[Path]:
    """All of this app's leftovers: of recordings, imports, frozen versions and exports; returns what was removed."""
    return [
        *recordings_sweep(older_than=older_than),
        *imports_sweep(older_than=older_than),
        *versions_sweep(older_than=older_than),
    ]


def recordings_sweep(*, older_than: float = DAY) -> list[Path]:
    """Remove folders of recordings that no row knows, and temporary files in the others; returns what was removed.

    An upload's folder stands before its row is written, and a fetch or a decoding writes beside its goal: so only what
    nothing has written to for ``older_than`` seconds goes (never less than twice the longest fetch). No job is needed
    and any process may call it at any time, several at once too.
    """
    wait = max(older_than, 2.0 * settings.FETCH_TIMEOUT_SECONDS)
    return _remove_stale([*_orphans(), *_temporaries()], wait)


def imports_sweep(*, older_than: float = DAY) -> list[Path]:
    """Remove folders of imports that no row knows or that are in, and the unpacked parts of others that are not read.

    The zip of an import that failed or was cancelled stays: it may be tried again.
    """
    folders = _folders(storage.import_dir(uuid.uuid4()).parent)
    states = {str(pk): state for pk, state in DatasetImport.objects.values_list("pk", "state")}
    over: list[Path] = []
    for folder in folders:
        state = states.get(folder.name)
        if state is None or state == ImportState.READY:
            over.append(folder)
        elif state != ImportState.READING:
            over += [path for path in _entries(folder) if path.name.startswith("parts-")]
    return _remove_stale(over, older_than)


def versions_sweep(*, older_than: float = DAY) -> list[Path]:
    """Remove half-written versions and exports, and zips whose export or version was deleted. A version's own folder
    stays, whatever the database says: nothing could make it again.
    """
    over = [
        path
        for path in _entries(storage.dataset_version_dir(uuid.uuid4()).parent)
        if path.name.startswith(".") and _is_id(path.name[1:37])
    ]
    folders = _folders(storage.exports_dir(uuid.uuid4()).parent)
    known = {(str(version), form) for version, form in DatasetExport.objects.values_list("version", "form")}
    for folder in folders:
        if not any(version == folder.name for version, _form in known):
            over.append(folder)
        else:
            over += [path for path in _entries(folder) if (folder.name, path.stem) not in known]
    return _remove_stale(over, older_than)


def _remove_stale(paths: Iterable[Path], older_than: float) -> list[Path]:
    """Remove those that nothing has written to for so many seconds."""
    limit = time.time() - older_than
    stale = [path for path in paths if _last_written(path) < limit]
    for path in stale:
        if path.is_dir() and not path.is_symlink():
            storage.remove_tree(path)
        else:
            path.unlink(missing_ok=True)
    return stale


def _folders(top: Path) -> list[Path]:
    """Folders that are named by a key; whatever else lies there is not ours to judge."""
    return [path for path in _entries(top) if _is_id(path.name) and path.is_dir() and not path.is_symlink()]


def _recordings() -> Path:
    return storage.recording_dir(uuid.uuid4()).parent


def _orphans() -> list[Path]:
    folders = _folders(_recordings())
    # Asked after the folders were listed: a row that came in between is seen.
    known = set(map(str, SourceVideo.objects.values_list("pk", flat=True)))
    return [folder for folder in folders if folder.name not in known]


def _temporaries() -> Iterator[Path]:
    """Half-written files, which begin with a dot, and uploads that were never kept."""
    for folder in _folders(_recordings()):
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
