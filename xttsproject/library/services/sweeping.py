"""Clearing away what processes that were killed left of models."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from django.conf import settings

from datasets.choices import ImportState
from xttsproject import storage
from xttsproject.bundles.download import STAGED
from xttsproject.lib.files import left_by_the_killed
from xttsproject.library.models import ModelImport
from xttsproject.library.services.importing import STAGING
from xttsproject.library.services.usage import DELETED

DAY = 24 * 3600.0
RETRY_DAYS = 7
"""So long the uploads of an import that failed or was cancelled are kept for another try."""


def models_sweep(*, older_than: float = DAY, retry_within: float = RETRY_DAYS * DAY) -> list[Path]:
    """Remove what nothing has written to for ``older_than`` seconds of half-made and half-deleted bundles (those of
    ``manage.py models`` too) and of uploads that no import needs; and uploads of imports that failed or were cancelled
    after ``retry_within`` seconds. Returns what was removed. Who tries such an import again later is asked to upload
    anew (``upload_gone``)."""
    over: list[Path] = []
    models = Path(settings.MODELS_DIR)
    for prefix in (STAGING, DELETED):
        over += models.glob(f"{prefix}*") if models.is_dir() else []
    over += _left_by_commands(models, time.time() - older_than)
    uploads = storage.model_import_dir(uuid.uuid4()).parent
    folders = [path for path in uploads.iterdir() if path.is_dir()] if uploads.is_dir() else []
    # Asked after the folders were listed: a row that came in between is seen.
    states = {str(pk): state for pk, state in ModelImport.objects.values_list("pk", "state")}
    over += [folder for folder in folders if states.get(folder.name, ImportState.READY) == ImportState.READY]
    ended = [folder for folder in folders if states.get(folder.name) in (ImportState.FAILED, ImportState.CANCELLED)]
    now = time.time()
    stale = [path for path in dict.fromkeys(over) if _last_written(path) < now - older_than]
    stale += [path for path in ended if _last_written(path) < now - retry_within]
    for path in stale:
        storage.remove_tree(path)
    return stale


def _left_by_commands(models: Path, limit: float) -> list[Path]:
    """Folders in which ``manage.py models`` was killed. A bundle that was being replaced then goes back to its place; a
    download is gone on with by the next one of that name, and stays."""
    left = []
    for path, home in left_by_the_killed(models):
        if path.name.startswith(STAGED):
            continue
        # Being moved is written on a folder itself, not on what is in it.
        if home is not None and path.lstat().st_ctime < limit:
            path.rename(home)
        elif home is None:
            left.append(path)
    return left


def _last_written(folder: Path) -> float:
    """The newest time of the folder and all below it; of one that is gone, now."""
    times = []
    for path in (folder, *folder.rglob("*")):
        try:
            times.append(path.lstat().st_mtime)
        except FileNotFoundError:
            continue
    return max(times, default=time.time())
