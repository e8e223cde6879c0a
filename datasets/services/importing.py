"""Datasets that come in from outside, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction
from simple_history.utils import bulk_create_with_history

from datasets.choices import Flag, ImportState, Origin, ReviewStatus, SourceState
from datasets.models import Dataset, DatasetImport, Segment, SourceVideo, Speaker
from datasets.pipeline.archive import ImportLimits, open_files
from datasets.pipeline.importing import PART_SECONDS, Clip, Incoming, PartFile, read_dataset
from datasets.pipeline.segment import SHORT, SegmentSettings, SegmentSpan
from datasets.services.datasets import dataset_create
from datasets.services.following import stop_jobs
from datasets.services.measuring import SpanMeasures, spans_measure
from datasets.services.names import file_name, renamed, title_from
from datasets.services.segments import text_problems
from datasets.services.uploads import facts_fields, upload_on_disk
from xttsproject import storage
from xttsproject.accounts.models import Visibility
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_start
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import sha256_of
from xttsproject.lib.progress import Part, Progress
from xttsproject.xtts.languages import validate_language

TITLE_LENGTH = 120
_BEFORE = (ImportState.WAITING, ImportState.READING, ImportState.FAILED, ImportState.CANCELLED)
_KIND = "datasets.import"


def import_limits() -> ImportLimits:
    return ImportLimits(max_bytes=settings.IMPORT_MAX_BYTES, max_seconds=3600.0 * settings.IMPORT_MAX_HOURS)


def import_upload(
    *,
    owner: Any,
    speaker: Speaker,
    language: str,
    file: File[bytes],
    title: str = "",
    speaker_name: str = "",
    approve: bool = False,
    visibility: str = Visibility.PRIVATE,
) -> tuple[DatasetImport, Job]:
    """Keep an uploaded zip and start its import. What its directory tells is looked at first.

    DomainErrors with ``field="file"``: ``upload_empty``, ``too_large``, ``not_zip``, ``duplicate`` (the same zip was
    imported and its recordings are here); also ``duplicate`` for the title and ``language_unsupported``.
    """
    name = file_name(file.name or "")
    if file.size == 0:
        raise DomainError("upload_empty", f"{name} is empty; choose the zip again.", field="file")
    importing = _new(
        owner=owner,
        speaker=speaker,
        language=language,
        title=title or title_from(name),
        original_name=name,
        speaker_name=speaker_name,
        approve=approve,
        visibility=visibility,
        bytes=file.size,
    )
    with upload_on_disk(file) as path:
        try:
            with open_files(path, import_limits()):
                pass
        except DomainError as error:
            raise renamed(error, path, name) from error
        importing.sha256 = sha256_of(path)
        _refuse_again(importing)
        importing.folder.mkdir(parents=True)
        try:
            shutil.move(path, importing.given)
            with transaction.atomic():
                importing.save(force_insert=True)
                job = _start(importing)
        except BaseException:
            storage.remove_tree(importing.folder)
            raise
    return importing, job


def import_from_disk(
    *,
    owner: Any,
    speaker: Speaker,
    language: str,
    path: Path,
    title: str = "",
    speaker_name: str = "",
    approve: bool = False,
    visibility: str = Visibility.PRIVATE,
) -> tuple[DatasetImport, Job]:
    """Record the import of a folder or zip that lies on this machine; it is read where it is and left as it is.

    The job is not sent to the queue: it is for the process that asks, see ``manage.py import_dataset``. DomainErrors as
    for :func:`import_upload`, and ``dataset_missing``.
    """
    path = Path(path).resolve()
    with open_files(path, import_limits()) as files:
        size = sum(files.sizes.values()) if path.is_dir() else path.stat().st_size
    importing = _new(
        owner=owner,
        speaker=speaker,
        language=language,
        title=title or title_from(path.name),
        original_name=path.name[:255],
        speaker_name=speaker_name,
        approve=approve,
        visibility=visibility,
        path=str(path),
        bytes=size,
        sha256="" if path.is_dir() else sha256_of(path),
    )
    _refuse_again(importing)
    with transaction.atomic():
        importing.save(force_insert=True)
        return importing, _start(importing, send=False)


def import_run(*, importing: DatasetImport, progress: Progress) -> None:
    """Read and judge the whole dataset, then make its recordings, segments and dataset in one transaction.

    Run again after an interruption it begins anew; once all is in it changes nothing. DomainErrors: those of
    :func:`datasets.pipeline.importing.read_dataset`, ``rows_broken`` (listed in ``problems``), ``duplicate``,
    ``subject_gone``.
    """
    if importing.state != ImportState.READY:
        importing.advance(ImportState.READING, since=_BEFORE, problems=[], problem_count=0)
        importing.folder.mkdir(parents=True, exist_ok=True)
        for left in importing.folder.glob("parts-*"):
            storage.remove_tree(left)
        # Of this attempt alone: another worker that lost the job may still be writing its own.
        parts = Path(tempfile.mkdtemp(prefix="parts-", dir=importing.folder))
        try:
            incoming = _read(importing, parts, Part(progress, 0.0, 0.8))
            segments = _segments(importing, incoming.parts, Part(progress, 0.8, 0.97))
            progress.report(0.97, "taking in")
            _take_in(importing, incoming, segments)
        except DomainError as error:
            if error.permanent:
                # The same zip would fail the same way: another has to be uploaded.
                storage.remove_tree(importing.folder)
            raise
        finally:
            storage.remove_tree(parts)
            if not DatasetImport.objects.filter(pk=importing.pk).exists():
                storage.remove_tree(importing.folder)
    # The masters hold all that was in it.
    storage.remove_tree(importing.folder)


def import_may_retry(*, importing: DatasetImport) -> None:
    """DomainError ``upload_gone`` where what was to be imported is no longer there."""
    if importing.state == ImportState.READY or importing.given.exists():
        return
    name = importing.original_name
    where = "the zip was not kept; upload" if not importing.path else "it is no longer there; import"
    raise DomainError("upload_gone", f"“{name}” cannot be read again: {where} it anew once it is mended.")


def import_ended(*, importing: DatasetImport, ending: Ending) -> None:
    """Record why the import failed or that it was cancelled; nothing of it stays but the zip, for another try."""
    if ending.cancelled:
        moved = importing.advance(ImportState.CANCELLED, since=_BEFORE)
    else:
        moved = importing.advance(ImportState.FAILED, since=_BEFORE, error_code=ending.code, error=ending.message)
    if moved:
        for left in importing.folder.glob("parts-*"):
            storage.remove_tree(left)
        number = 1
        while (folder := storage.recording_dir(importing.source_id(number))).exists():
            storage.remove_tree(folder)
            number += 1


def import_delete(*, importing: DatasetImport) -> None:
    """Forget an import, stopping it where it is under way. What it made stays."""
    folder = importing.folder
    with transaction.atomic():
        stop_jobs(subject=importing)
        importing.delete()
        transaction.on_commit(partial(storage.remove_tree, folder))


def _new(**fields: Any) -> DatasetImport:
    fields["language"] = validate_language(fields["language"])
    fields["title"] = " ".join(fields["title"].split())[:TITLE_LENGTH]
    fields["speaker_name"] = fields["speaker_name"].strip()
    if Dataset.objects.filter(owner=fields["owner"], name=fields["title"]).exists():
        raise DomainError(
            "duplicate", f"You already have a dataset named “{fields['title']}”; give another title.", field="title"
        )
    return DatasetImport(**fields)


def _start(importing: DatasetImport, *, send: bool = True) -> Job:
    return job_start(
        kind=_KIND, title=f"Import “{importing.title}”", owner=importing.owner, subject=importing, send=send
    )


def _refuse_again(importing: DatasetImport) -> None:
    """The very same zip, with the same choice of rows, while what it made is still here or being made."""
    if not importing.sha256:
        return
    same = DatasetImport.objects.filter(
        owner=importing.owner, sha256=importing.sha256, speaker_name=importing.speaker_name
    )
    under_way = same.filter(state__in=(ImportState.WAITING, ImportState.READING))
    earlier = under_way.first() or same.filter(state=ImportState.READY, sources__isnull=False).first()
    if earlier is not None:
        raise DomainError(
            "duplicate",
            f"{importing.original_name} is already here as “{earlier.title}” "
            f"({earlier.get_state_display().lower()}); use that one.",
            field="file",
        )


def _read(importing: DatasetImport, parts: Path, progress: Progress) -> Incoming:
    if not importing.given.exists():
        import_may_retry(importing=importing)
    try:
        incoming = read_dataset(
            importing.given,
            parts,
            language=importing.language,
            limits=import_limits(),
            speaker_name=importing.speaker_name,
            part_seconds=min(PART_SECONDS, settings.RECORDING_MAX_SECONDS),
            progress=progress,
        )
    except DomainError as error:
        raise renamed(error, importing.given, importing.original_name) from error
    if incoming.problem_count:
        problems = [asdict(problem) for problem in incoming.problems]
        DatasetImport.objects.filter(pk=importing.pk).update(
            form=incoming.form, problems=problems, problem_count=incoming.problem_count
        )
        first = incoming.problems[0]
        where = f"row {first.row} of {first.table}: " if first.row else ""
        count = "1 row or file" if incoming.problem_count == 1 else f"{incoming.problem_count} rows or files"
        raise DomainError(
            "rows_broken",
            f"{count} of “{importing.title}” cannot be taken, so nothing was imported. The first is {where}"
            f"{first.reason} Mend what is listed and import again.",
        )
    return incoming


def _take_in(importing: DatasetImport, incoming: Incoming, segments: Sequence[Sequence[Segment]]) -> None:
    """Files first, rows last, all under the lock of the import's row: another worker finds it done or not begun.

    Folders of recordings have names that the import gives them, so what a killed attempt left is put right by the next.
    """
    total = len(incoming.parts)
    titles = [
        importing.title if total == 1 else f"{importing.title}, part {number} of {total}"
        for number in range(1, total + 1)
    ]
    made: list[Path] = []
    try:
        with transaction.atomic():
            rows = DatasetImport.objects.select_for_update().filter(pk=importing.pk, state=ImportState.READING)
            if rows.first() is None:
                raise DomainError("subject_gone", f"The import of “{importing.title}” was ended while it was reading.")
            sources = []
            for number, part in enumerate(incoming.parts, start=1):
                source = _source(importing, number, titles[number - 1], part)
                storage.remove_tree(source.folder)
                source.folder.mkdir(parents=True)
                made.append(source.folder)
                os.replace(part.master, source.master_path)
                _insert(source)
                for segment in segments[number - 1]:
                    segment.source = source
                # With their history: what came in must still be known after the first correction.
                bulk_create_with_history(segments[number - 1], Segment, batch_size=200, default_user=importing.owner)
                sources.append(source)
            dataset = dataset_create(
                owner=importing.owner,
                name=_free_name(importing),
                speaker=importing.speaker,
                language=importing.language,
                sources=sources,
                visibility=importing.visibility,
            )
            importing.advance(
                ImportState.READY,
                since=(ImportState.READING,),
                form=incoming.form,
                clips=incoming.clips,
                seconds=sum(clip.end - clip.start for part in incoming.parts for clip in part.clips),
                respoken=incoming.respoken,
                approved=sum(each.status == ReviewStatus.APPROVED for part in segments for each in part),
                dataset=dataset,
            )
    except BaseException:
        for folder in made:
            storage.remove_tree(folder)
        raise


def _source(importing: DatasetImport, number: int, title: str, part: PartFile) -> SourceVideo:
    return SourceVideo(
        id=importing.source_id(number),
        owner=importing.owner,
        speaker=importing.speaker,
        title=title,
        language=importing.language,
        visibility=importing.visibility,
        origin=Origin.DATASET,
        imported=importing,
        original_name=importing.original_name,
        sha256=part.digest,
        bytes=part.bytes,
        state=SourceState.READY,
        **facts_fields(part.facts),
    )


def _insert(source: SourceVideo) -> None:
    try:
        with transaction.atomic():
            source.save(force_insert=True)
    except IntegrityError:
        same = SourceVideo.objects.filter(owner=source.owner, sha256=source.sha256).first()
        if same is None:
            raise
        raise DomainError(
            "duplicate",
            f"The clips of “{source.title}” are already here, as the recording “{same.title}”; use that one.",
        ) from None


def _segments(importing: DatasetImport, parts: Sequence[PartFile], progress: Progress) -> list[list[Segment]]:
    """The segments of each part, measured as those of any recording are."""
    shortest = SegmentSettings().min_seconds
    made = []
    for number, part in enumerate(parts):
        spans = [
            SegmentSpan(clip.start, clip.end, (SHORT,) if clip.end - clip.start < shortest else ())
            for clip in part.clips
        ]
        here = Part(progress, number / len(parts), (number + 1) / len(parts))
        measured = spans_measure(master=part.master, spans=spans, progress=here)
        made.append(
            [_segment(importing, *each) for each in zip(range(1, len(spans) + 1), part.clips, measured, strict=True)]
        )
    return made


def _segment(importing: DatasetImport, index: int, clip: Clip, measured: SpanMeasures) -> Segment:
    """A clip whose text is what came in; nobody here has corrected it, so a policy may judge it."""
    segment = Segment(
        index=index,
        start=clip.start,
        end=clip.end,
        original_name=clip.name[:200],
        text=clip.text,
        quality=measured.quality,
        flags=measured.flags,
    )
    if text_problems(text=clip.text, language=importing.language):
        segment.flags.append(Flag.UNSPEAKABLE.value)
    elif importing.approve:
        segment.mark(ReviewStatus.APPROVED, importing.owner)
    return segment


def _free_name(importing: DatasetImport) -> str:
    """The title, or, where a dataset of that name was made meanwhile, the title with a number."""
    taken = set(Dataset.objects.filter(owner=importing.owner).values_list("name", flat=True))
    names = [importing.title, *(f"{importing.title[:110]} ({number})" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)
