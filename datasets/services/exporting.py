"""Frozen versions on their way out, each form made once and kept with its version."""

from __future__ import annotations

from typing import Any, cast

from django.db import transaction
from django.utils.text import slugify

from datasets.choices import ExportForm, ExportState, VersionState
from datasets.models import DatasetExport, DatasetVersion
from datasets.pipeline.exporting import READING, SOUND, Form, write_export
from datasets.services.following import stop_jobs
from xttsproject import storage
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_start
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import sha256_of
from xttsproject.lib.progress import Part, Progress

_ENDED = (ExportState.FAILED, ExportState.CANCELLED)
_BEFORE = (ExportState.WAITING, ExportState.WRITING, *_ENDED)


def export_start(*, version: DatasetVersion, form: str, owner: Any) -> tuple[DatasetExport, Job | None]:
    """Have a version written out, or return the export that is there; no job where nothing is left to do.

    DomainErrors: ``form_unknown``, ``version_not_ready``.
    """
    if form not in ExportForm.values:
        raise DomainError(
            "form_unknown", f"“{form}” is no form of export; use one of {', '.join(ExportForm.values)}.", field="form"
        )
    if version.state != VersionState.READY:
        raise DomainError(
            "version_not_ready",
            f"“{version}” is {version.get_state_display().lower()}; only a frozen version can be exported.",
            field="version",
        )
    with transaction.atomic():
        export, _made = DatasetExport.objects.get_or_create(version=version, form=form, defaults={"created_by": owner})
        if export.state == ExportState.READY and export.path.is_file():
            return export, None
        export.advance(ExportState.WAITING, since=(*_ENDED, ExportState.READY))
        job = job_start(kind="datasets.export", title=f"Export “{export}”"[:200], owner=owner, subject=export)
    return export, job


def export_build(*, export: DatasetExport, progress: Progress) -> None:
    """Write the zip, then its row; what is there is not written again.

    DomainErrors: those of :func:`datasets.pipeline.exporting.write_export`, and ``subject_gone``.
    """
    if export.state == ExportState.READY and export.path.is_file():
        return
    export.advance(ExportState.WRITING, since=(*_BEFORE, ExportState.READY))
    _clear(export)
    version = export.version
    try:
        write_export(
            version.folder,
            cast(Form, export.form),
            export.path,
            name=export_name(export=export),
            about=_about(export),
            progress=Part(progress, 0.0, 0.95),
        )
        facts = {"bytes": export.path.stat().st_size, "sha256": sha256_of(export.path)}
        if not export.advance(ExportState.READY, since=(ExportState.WRITING,), **facts):
            raise DomainError("subject_gone", f"“{version}” was deleted while it was being exported.")
    finally:
        _drop_if_gone(export)


def export_name(*, export: DatasetExport) -> str:
    """ "my-set-v3-ljspeech": of the zip and of the folder inside it."""
    version = export.version
    return f"{slugify(version.dataset.name) or 'dataset'}-v{version.number}-{export.form}"


def export_may_retry(*, export: DatasetExport, user: Any) -> None:
    """DomainError ``forbidden`` for somebody who may no longer have the version's clips."""
    if not DatasetExport.objects.editable_by(user).filter(pk=export.pk).exists():
        raise DomainError("forbidden", f"“{export.version}” is no longer yours to export.")


def export_ended(*, export: DatasetExport, ending: Ending) -> None:
    """Record why the export failed or that it was cancelled; nothing half-written stays."""
    if ending.cancelled:
        moved = export.advance(ExportState.CANCELLED, since=_BEFORE)
    else:
        moved = export.advance(ExportState.FAILED, since=_BEFORE, error_code=ending.code, error=ending.message)
    if moved:
        _clear(export)


def export_delete(*, export: DatasetExport) -> None:
    """Remove an export and its file, stopping it where it is under way; it can be made again."""
    path = export.path
    with transaction.atomic():
        stop_jobs(subject=export)
        export.delete()
        transaction.on_commit(lambda: path.unlink(missing_ok=True))


def _clear(export: DatasetExport) -> None:
    """Take away what a killed attempt at this form left half-written."""
    for left in export.path.parent.glob(f".{export.form}-*"):
        left.unlink(missing_ok=True)


def _drop_if_gone(export: DatasetExport) -> None:
    """Once the row is gone nobody would ever delete its file."""
    if not DatasetExport.objects.filter(version=export.version_id, form=export.form).exists():
        export.path.unlink(missing_ok=True)
    if not DatasetVersion.objects.filter(pk=export.version_id).exists():
        storage.remove_tree(export.path.parent)


def _about(export: DatasetExport) -> str:
    """The README inside the zip: what this is, by which right, and how it is read."""
    version, speaker = export.version, export.version.dataset.speaker
    evidence = f" ({speaker.consent_evidence})" if speaker.consent_evidence else ""
    return (
        f"# {version}\n\n"
        f"{version.clips} clips, {version.seconds / 60:.1f} minutes of {speaker.name} in "
        f"{version.dataset.get_language_display()}: {version.clips_train} for training, {version.clips_validation} for "
        f"validation. {SOUND}. Content hash {version.content_hash}.\n\n"
        f"{READING[cast(Form, export.form)]}\n\n"
        f"Consent: {speaker.get_consent_kind_display()}. {speaker.consent_statement}{evidence}\n"
    )
