"""Models that come in from outside, whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction

from datasets.choices import ImportState
from datasets.services.following import stop_jobs
from datasets.services.names import file_name, renamed
from datasets.services.uploads import upload_on_disk
from xttsproject import storage
from xttsproject.bundles.checkpoints import require_whole
from xttsproject.bundles.describe import about_import, licence_of, require_accepted
from xttsproject.bundles.manifest import Bundle, open_bundle
from xttsproject.bundles.sources import PARTS, ModelFiles, find_files, open_base, require_name
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_start
from xttsproject.lib.disk import room_for, size_words
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Part, Progress
from xttsproject.library.models import UNDER_WAY, ModelImport
from xttsproject.library.services.inbox import inbox_files

KIND = "library.import"
STAGING = ".importing-"
_BEFORE = (ImportState.WAITING, ImportState.READING, ImportState.FAILED, ImportState.CANCELLED)


def model_import_start(
    *,
    owner: Any,
    name: str,
    file: File[bytes] | None = None,
    path: str = "",
    base: str = "",
    accept_licence: bool = False,
    **parts: File[bytes] | None,
) -> tuple[ModelImport, Job]:
    """Keep the uploaded weights, or note where they lie below MODELS_INBOX, and start the job that makes a bundle.

    ``parts`` are the uploaded ``config``, ``vocab``, ``dvae``, ``mel_stats`` and ``speakers``. DomainErrors with their
    field: ``forbidden``, ``name_invalid``, ``duplicate``, ``source_missing``, ``source_ambiguous``,
    ``base_unsuitable``, ``licence_not_accepted``, those of :func:`inbox_files`, and what the file's beginning
    and end tell (``model_cut_short``, ``model_damaged``).
    """
    _require_staff(owner)
    require_name(name)
    if bool(file) == bool(path):
        code, said = ("source_ambiguous", "either, not both") if file else ("source_missing", "one of the two")
        raise DomainError(code, f"Upload the model's file or name one in the models' inbox: {said}.", field="file")
    lender = _lender(base)
    licence = licence_of(lender)
    require_accepted(licence, accept_licence)
    importing = ModelImport(owner=owner, name=name, base=base, path=path, licence=licence.name, licence_url=licence.url)
    _refuse_taken(importing)
    if path:
        found = inbox_files(path, base=lender)
        require_whole(found.weights)
        importing.original_name, importing.bytes = found.weights.name[:255], found.weights.stat().st_size
    try:
        _keep(importing, {"weights": file, **parts})
        with transaction.atomic():
            importing.save(force_insert=True)
            job = job_start(kind=KIND, title=f"Import the model “{name}”", owner=owner, subject=importing)
    except BaseException as error:
        storage.remove_tree(importing.folder)
        if isinstance(error, IntegrityError):
            # Two requests at once: the other was first.
            _refuse_taken(importing)
        raise
    return importing, job


def model_import_run(*, importing: ModelImport, progress: Progress) -> None:
    """Read, judge and convert the files, and put the finished bundle in its place in one step.

    Run again after an interruption it begins anew; once the bundle is there it changes nothing. DomainErrors: those of
    :func:`xttsproject.bundles.convert.import_xtts`, ``disk_full``, ``duplicate``.
    """
    from xttsproject.bundles.convert import import_xtts

    if importing.state == ImportState.READY:
        return
    importing.advance(ImportState.READING, since=_BEFORE)
    _clear(importing)
    if importing.target.exists():
        _require_ours(importing)
        _finish(importing)
        return
    files = _files(importing)
    # Of this attempt alone: another worker that lost the job may still be writing its own.
    staging = Path(tempfile.mkdtemp(prefix=f"{STAGING}{importing.pk}-", dir=_models_dir()))
    try:
        with room_for(staging, files.room_needed, f"The model “{importing.name}”"):
            about = about_import(importing.name, files)
            bundle, notes = import_xtts(files, staging / "bundle", about, progress=Part(progress, 0.0, 0.97))
        facts = {"notes": notes, "fingerprint": _fingerprint(bundle)}
        if not importing.advance(ImportState.READING, since=(ImportState.READING,), **facts):
            raise DomainError("subject_gone", f"The import of “{importing.name}” was deleted or ended meanwhile.")
        progress.check()
        try:
            # Onto a folder that has something in it, this fails.
            bundle.path.rename(importing.target)
        except OSError:
            if not importing.target.exists():
                raise
            _require_ours(importing)
        _finish(importing)
    except DomainError as error:
        if error.permanent:
            # The same files would fail the same way: others have to be given.
            storage.remove_tree(importing.folder)
        raise
    finally:
        storage.remove_tree(staging)


def model_import_ended(*, importing: ModelImport, ending: Ending) -> None:
    """Record why the import failed or that it was cancelled; only what was given stays, for another try."""
    if ending.cancelled:
        moved = importing.advance(ImportState.CANCELLED, since=_BEFORE)
    else:
        moved = importing.advance(ImportState.FAILED, since=_BEFORE, error_code=ending.code, error=ending.message)
    if moved:
        _clear(importing)


def model_import_may_retry(*, importing: ModelImport, user: Any) -> None:
    """DomainErrors: ``forbidden``, ``duplicate`` (another took the name), ``upload_gone``."""
    _require_staff(user)
    _refuse_taken(importing)
    if not importing.path and not importing.uploaded.is_file():
        raise DomainError(
            "upload_gone", f"“{importing.original_name}” was not kept; upload it anew, with what it was lacking."
        )


def model_import_delete(*, importing: ModelImport) -> None:
    """Forget an import, stopping it where it is under way. The bundle that it made stays."""
    folder = importing.folder
    with transaction.atomic():
        stop_jobs(subject=importing)
        importing.delete()
        transaction.on_commit(partial(storage.remove_tree, folder))


def _require_staff(user: Any) -> None:
    if not user.is_staff:
        raise DomainError("forbidden", "Only those who run the portal bring models in.")


def _refuse_taken(importing: ModelImport) -> None:
    name = importing.name
    if importing.target.exists():
        raise DomainError(
            "duplicate", f"There is a model “{name}” already; choose another name, or delete it first.", field="name"
        )
    others = ModelImport.objects.filter(name=name, state__in=UNDER_WAY).exclude(pk=importing.pk)
    if others.exists():
        raise DomainError(
            "duplicate", f"A model “{name}” is being imported already; choose another name.", field="name"
        )


def _keep(importing: ModelImport, given: Mapping[str, File[bytes] | None]) -> None:
    """Move the uploads into the import's folder, each under its own name."""
    for part, file in given.items():
        if file is None:
            continue
        field = "file" if part == "weights" else part
        name = file_name(file.name or "")
        if not file.size:
            raise DomainError("upload_empty", f"{name} is empty; choose the file again.", field=field)
        if part == "weights":
            importing.original_name, importing.bytes = name, file.size
        else:
            importing.extras[part] = name
        target = importing.given(part, name)
        target.parent.mkdir(parents=True)
        with upload_on_disk(file) as here:
            if part == "weights":
                try:
                    require_whole(here)
                except DomainError as error:
                    named = renamed(error, here, name)
                    named.field = field
                    raise named from error
            shutil.move(here, target)
        target.chmod(0o644)


def _files(importing: ModelImport) -> ModelFiles:
    base = _lender(importing.base)
    given = {part: importing.given(part, importing.extras[part]) for part in PARTS if part in importing.extras}
    if importing.path:
        return inbox_files(importing.path, base=base, **given)
    return find_files(importing.uploaded, base=base, **given)


def _lender(base: str) -> Bundle | None:
    """The base model of that name. DomainErrors of :func:`open_base`, ``base_unsuitable`` also for a path."""
    if not base:
        return None
    if Path(base).name != base or base.startswith("."):
        raise DomainError(
            "base_unsuitable", f"A base model is named by its folder's name, not by “{base}”.", field="base"
        )
    return open_base(storage.bundle_dir(base))


def _models_dir() -> Path:
    folder = Path(settings.MODELS_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _clear(importing: ModelImport) -> None:
    for left in _models_dir().glob(f"{STAGING}{importing.pk}-*"):
        storage.remove_tree(left)


def _require_ours(importing: ModelImport) -> None:
    """The bundle that stands there is the one that an interrupted attempt of this import finished."""
    if importing.fingerprint and _fingerprint(open_bundle(importing.target)) == importing.fingerprint:
        return
    raise DomainError(
        "duplicate", f"Another model “{importing.name}” came in meanwhile; import this one under another name."
    )


def _finish(importing: ModelImport) -> None:
    importing.advance(ImportState.READY, since=(ImportState.READING,))
    storage.remove_tree(importing.folder)


def _fingerprint(bundle: Bundle) -> str:
    facts = sorted((name, fact.sha256) for name, fact in bundle.files.items())
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def import_result(*, importing: ModelImport) -> dict[str, Any]:
    """What the job says of a finished import."""
    bundle = open_bundle(importing.target)
    return {"model": importing.name, "size": size_words(bundle.bytes), "notes": importing.notes}
