"""A checkpoint for Coqui's own code: merged into its base model, packed, and offered for download."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from datasets.services.following import stop_jobs
from training.choices import ExportState
from training.models import Checkpoint, CheckpointExport
from training.services.keeping import checkpoint_gone, checkpoint_require, checkpoint_verify
from training.services.spec import bundle_open
from xttsproject import storage
from xttsproject.bundles.export import export_coqui, require_released
from xttsproject.bundles.manifest import Bundle
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_start
from xttsproject.lib.disk import room_for
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import CHUNK, atomic_path, sha256_of
from xttsproject.lib.progress import Part, Progress
from xttsproject.xtts.config import read_config

KIND = "training.export"
LICENCE_FILE = "LICENCE.txt"
MERGED_SHARE, PACKED_SHARE = 0.6, 0.95


def export_create(*, checkpoint: Checkpoint, user: Any) -> CheckpointExport:
    """Have a checkpoint merged and packed; asking again while that is under way, or done, starts nothing.

    DomainErrors ``checkpoint_removed``, ``model_missing``, ``model_damaged``, ``export_unsuitable``: what can be known
    before a worker takes it is said at once.
    """
    bundle = bundle_open(name=checkpoint.run.bundle)
    _require_exportable(bundle)
    with transaction.atomic():
        checkpoint_require(checkpoint=checkpoint)
        export, _ = CheckpointExport.objects.select_for_update().get_or_create(
            checkpoint=checkpoint,
            defaults={"made_by": user, "licence": bundle.licence, "licence_url": bundle.licence_url},
        )
        if not (export.is_ready and export.path.is_file()):
            export.restart(made_by=user)
            _start_job(export)
    return export


def export_problem(*, checkpoint: Checkpoint) -> str:
    """Why :func:`export_create` would refuse this checkpoint's model, in one sentence; empty where it would not."""
    try:
        _require_exportable(bundle_open(name=checkpoint.run.bundle))
    except DomainError as error:
        return error.message
    return ""


def export_write(*, export: CheckpointExport, progress: Progress) -> None:
    """Do it. Running it again, after a death at any instruction, clears what was left and begins anew.

    Needs the model's size in memory, and twice that on the disk while it packs. Raises Cancelled and DomainError.
    """
    if not export.reopen():
        return
    checkpoint = export.checkpoint
    bundle = bundle_open(name=checkpoint.run.bundle)
    if not checkpoint.is_kept:
        raise checkpoint_gone(checkpoint)
    checkpoint_verify(checkpoint=checkpoint)
    storage.remove_tree(export.folder)
    export.folder.mkdir(parents=True)
    with (
        room_for(export.folder, 2 * bundle.bytes, f"The export of {checkpoint}"),
        tempfile.TemporaryDirectory(prefix=".merged-", dir=export.folder) as scratch,
    ):
        merged = export_coqui(
            bundle.path,
            Path(scratch, export.name),
            adapter=checkpoint.folder,
            progress=Part(progress, 0.0, MERGED_SHARE),
        )
        (merged / LICENCE_FILE).write_text(_licence_text(export, bundle), encoding="utf-8")
        with atomic_path(export.path) as packed:
            _pack(merged, packed, Part(progress, MERGED_SHARE, PACKED_SHARE))
    progress.report(PACKED_SHARE, "hashing")
    size, sha256 = export.path.stat().st_size, sha256_of(export.path)
    if not export.mark_ready(size=size, sha256=sha256):
        # Deleted, with its checkpoint or by hand, while it was written: writing has brought its folder back.
        storage.remove_tree(export.folder)


def export_delete(*, export: CheckpointExport) -> None:
    """Remove an export and its file; the checkpoint stays, and can be exported again."""
    stop_jobs(subject=export)
    folder = export.folder
    with transaction.atomic():
        export.delete()
        transaction.on_commit(lambda: storage.remove_tree(folder))


def exports_expire() -> int:
    """Delete exports whose file was packed more than EXPORT_DAYS ago, and say how many; each can be made again."""
    gone = 0
    for export in CheckpointExport.objects.filter(state=ExportState.READY).select_related("checkpoint__run"):
        if export.expires_at is not None and export.expires_at < timezone.now():
            export_delete(export=export)
            gone += 1
    return gone


def export_ended(subject: models.Model, ending: Ending) -> None:
    """The job ended without success: so did the export, and its folder is empty again."""
    if isinstance(subject, CheckpointExport):
        subject.mark_failed(code=ending.code or ending.state, message=ending.message or "Cancelled.")
        storage.remove_tree(subject.folder)


def _start_job(export: CheckpointExport) -> Job:
    return job_start(kind=KIND, title=f"Export {export.checkpoint}"[:200], owner=export.made_by, subject=export)


def _require_exportable(bundle: Bundle) -> None:
    require_released(bundle.path.name, read_config(bundle.path))


def _licence_text(export: CheckpointExport, bundle: Bundle) -> str:
    lines = [
        f"{export.checkpoint}: fine-tuned from the model {bundle.name} ({bundle.source}).",
        f"Licence: {bundle.licence}",
        bundle.licence_url,
        bundle.notice,
        "What is fine-tuned from a model is bound by that model's licence.",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _pack(folder: Path, target: Path, progress: Progress) -> None:
    """Zip a folder under its own name. Weights do not shrink, so nothing is compressed."""
    files = sorted(folder.iterdir())
    total, done = max(1, sum(file.stat().st_size for file in files)), 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            with open(file, "rb") as source, archive.open(f"{folder.name}/{file.name}", "w", force_zip64=True) as out:
                while block := source.read(CHUNK):
                    progress.check()
                    out.write(block)
                    done += len(block)
                    progress.report(done / total, f"packing {file.name}")
            # Not twice on the disk longer than it takes.
            file.unlink()
    shutil.rmtree(folder, ignore_errors=True)
