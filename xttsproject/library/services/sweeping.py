"""Clearing away what processes that were killed left of models."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from django.conf import settings

from datasets.choices import ImportState
from xttsproject import storage
from xttsproject.library.models import ModelImport
from xttsproject.library.services.importing import STAGING
from xttsproject.library.services.usage import DELETED

DAY = 24 * 3600.0


def models_sweep(*, older_than: float = DAY) -> list[Path]:
    """Remove half-made and half-deleted bundles, and uploads that no import needs, once nothing has written to them for
    ``older_than`` seconds; returns what was removed."""
    over: list[Path] = []
    models = Path(settings.MODELS_DIR)
    for prefix in (STAGING, DELETED):
        over += models.glob(f"{prefix}*") if models.is_dir() else []
    uploads = storage.model_import_dir(uuid.uuid4()).parent
    folders = [path for path in uploads.iterdir() if path.is_dir()] if uploads.is_dir() else []
    # Asked after the folders were listed: a row that came in between is seen.
    states = {str(pk): state for pk, state in ModelImport.objects.values_list("pk", "state")}
    over += [folder for folder in folders if states.get(folder.name, ImportState.READY) == ImportState.READY]
    limit = time.time() - older_than
    stale = [path for path in over if _last_written(path) < limit]
    for path in stale:
        storage.remove_tree(path)
    return stale


def _last_written(folder: Path) -> float:
    """The newest time of the folder and all below it; of one that is gone, now."""
    times = []
    for path in (folder, *folder.rglob("*")):
        try:
            times.append(path.lstat().st_mtime)
        except FileNotFoundError:
            continue
    return max(times, default=time.time())
