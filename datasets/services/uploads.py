"""Recordings that people upload."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction

from datasets.choices import Origin
from datasets.models import SourceVideo, Speaker
from datasets.pipeline.media import MediaFacts, probe
from datasets.pipeline.wording import bytes_words, duration_words
from datasets.services.languages import recording_language
from datasets.services.names import TITLE_LENGTH, file_name, renamed, safe_suffix, title_from
from xttsproject import storage
from xttsproject.accounts.models import Visibility
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_start
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import CHUNK, sha256_of


def source_upload(
    *,
    owner: Any,
    speaker: Speaker,
    language: str,
    file: File[bytes],
    title: str = "",
    visibility: str = Visibility.PRIVATE,
) -> tuple[SourceVideo, Job]:
    """Keep an uploaded recording and start its preparation. The file is looked at first, so a refusal leaves nothing.

    DomainErrors, all with ``field="file"``: ``upload_empty``, ``too_large``, ``duplicate``, ``media_too_long``
    and those of :func:`datasets.pipeline.media.probe`; also ``language_unsupported``.
    """
    language = recording_language(language)
    name = file_name(file.name or "")
    _check_size(name, file.size or 0)
    with upload_on_disk(file) as path:
        # The portal's upload handler has reckoned it while the bytes came in.
        digest = getattr(file, "sha256", "") or sha256_of(path)
        refuse_duplicate(owner=owner, sha256=digest, name=name)
        source = SourceVideo(
            owner=owner, speaker=speaker, language=language, visibility=visibility, sha256=digest, bytes=file.size
        )
        return _take(source, path, name=name, title=title)


def source_from_path(
    *, owner: Any, speaker: Speaker, language: str, path: Path, title: str = "", visibility: str = Visibility.PRIVATE
) -> tuple[SourceVideo, Job]:
    """Take a copy of a file on this machine as a recording; it stays where it is. DomainErrors as for an upload.

    What is already here is known before anything is copied.
    """
    language = recording_language(language)
    name = file_name(path.name)
    _check_size(name, path.stat().st_size)
    refuse_duplicate(owner=owner, sha256=sha256_of(path), name=name)
    facts = _facts(path, name)
    handle, temporary = tempfile.mkstemp(dir=settings.FILE_UPLOAD_TEMP_DIR)
    copy = Path(temporary)
    try:
        digest = hashlib.sha256()
        with os.fdopen(handle, "wb") as out, open(path, "rb") as given:
            while piece := given.read(CHUNK):
                digest.update(piece)
                out.write(piece)
        source = SourceVideo(
            owner=owner,
            speaker=speaker,
            language=language,
            visibility=visibility,
            # Of what was copied: a file may be written to meanwhile.
            sha256=digest.hexdigest(),
            bytes=copy.stat().st_size,
        )
        return _take(source, copy, name=name, title=title, facts=facts)
    finally:
        copy.unlink(missing_ok=True)


def _check_size(name: str, size: int) -> None:
    if size == 0:
        raise DomainError("upload_empty", f"{name} is empty; choose the recording again.", field="file")
    if size > settings.UPLOAD_MAX_BYTES:
        raise DomainError(
            "too_large",
            f"{name} has {bytes_words(size)}, and the limit is {bytes_words(settings.UPLOAD_MAX_BYTES)}; "
            "upload the sound alone or a shorter recording.",
            field="file",
        )


def _take(
    source: SourceVideo, path: Path, *, name: str, title: str, facts: MediaFacts | None = None
) -> tuple[SourceVideo, Job]:
    """Complete the row by what the file is, and move the file to its place."""
    for field, value in facts_fields(facts or _facts(path, name)).items():
        setattr(source, field, value)
    source.title = " ".join(title.split())[:TITLE_LENGTH] or title_from(name)
    source.origin = Origin.UPLOAD
    source.original, source.original_name = f"original{safe_suffix(name)}", name
    return source, _keep(source, path)


def refuse_duplicate(*, owner: Any, sha256: str, name: str, but: SourceVideo | None = None) -> None:
    """DomainError ``duplicate`` if the person already has a recording of these very bytes."""
    same = SourceVideo.objects.filter(owner=owner, sha256=sha256)
    if but is not None:
        same = same.exclude(pk=but.pk)
    existing = same.first()
    if existing is not None:
        raise DomainError(
            "duplicate",
            f"{name} is already here as the recording “{existing.title}” ({existing.get_state_display().lower()}); "
            "use that one.",
            field="file",
            about={"recording": str(existing.pk)},
        )


def facts_fields(facts: MediaFacts) -> dict[str, Any]:
    """What was found out about a file, as the recording's columns."""
    return {
        "container": facts.container[:60],
        "audio_codec": facts.audio_codec[:40],
        "sample_rate": facts.sample_rate,
        "channels": facts.channels,
        "has_video": facts.has_video,
        "seconds": facts.seconds,
    }


def _facts(path: Path, name: str) -> MediaFacts:
    try:
        facts = probe(path)
    except DomainError as error:
        named = renamed(error, path, name)
        named.field = "file"
        raise named from error
    # The decoded length counts in the end; a header's rounding must not refuse what just fits.
    if facts.seconds > settings.RECORDING_MAX_SECONDS + 1:
        raise DomainError(
            "media_too_long",
            f"{name} lasts {duration_words(facts.seconds)}, and the limit is "
            f"{duration_words(settings.RECORDING_MAX_SECONDS)}; cut it into shorter recordings.",
            field="file",
        )
    return facts


def _keep(source: SourceVideo, path: Path) -> Job:
    """Move the file to its place and write the row; both or neither."""
    source.folder.mkdir(parents=True)
    try:
        shutil.move(path, source.original_path)
        source.original_path.chmod(0o644)
        with transaction.atomic():
            source.save(force_insert=True)
            return job_start(
                kind="datasets.prepare", title=f"Prepare “{source.title}”", owner=source.owner, subject=source
            )
    except BaseException as error:
        storage.remove_tree(source.folder)
        if isinstance(error, IntegrityError):
            # Two uploads of the same bytes at the same moment: the database let one of them in.
            refuse_duplicate(owner=source.owner, sha256=source.sha256, name=source.original_name)
        raise


@contextlib.contextmanager
def upload_on_disk(file: File[bytes]) -> Iterator[Path]:
    """The upload as a file on the media's file system, never read as a whole; gone afterwards unless it was moved."""
    kept = getattr(file, "temporary_file_path", None)
    if kept is not None:
        # Ours to move away: Django does not mind when a temporary upload is gone.
        yield Path(kept())
        return
    handle, name = tempfile.mkstemp(dir=settings.FILE_UPLOAD_TEMP_DIR)
    try:
        with os.fdopen(handle, "wb") as out:
            for chunk in file.chunks():
                out.write(chunk)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
