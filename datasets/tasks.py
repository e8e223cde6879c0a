"""What the queue calls for this app."""

from __future__ import annotations

from typing import Any, cast

from django.db import models

from datasets.models import Dataset, DatasetExport, DatasetImport, DatasetVersion, Playlist, Segment, SourceVideo
from datasets.services.clip_measures import MEASURE, dataset_measure
from datasets.services.exporting import export_build, export_ended, export_may_retry
from datasets.services.fetching import source_fetch
from datasets.services.freezing import KIND as FREEZE
from datasets.services.freezing import version_build, version_ended
from datasets.services.health import version_measure
from datasets.services.importing import import_ended, import_may_retry, import_run
from datasets.services.playlists import playlist_ended, playlist_list
from datasets.services.preparing import source_prepare
from datasets.services.retranscribing import KIND as RETRANSCRIBE
from datasets.services.screening import SCREEN, screening_apply, screening_undo
from datasets.services.sources import files_follow_row, source_ended
from datasets.services.sweeping import leftovers_sweep
from datasets.services.transcribing import segments_transcribe, source_transcribe
from xttsproject.jobs.choices import Queue
from xttsproject.jobs.context import JobContext
from xttsproject.jobs.registry import Ending, housekeeping, job_kind
from xttsproject.lib.errors import DomainError


def _source_ended(subject: models.Model, ending: Ending) -> None:
    source_ended(source=cast(SourceVideo, subject), ending=ending)


def _version_ended(subject: models.Model, ending: Ending) -> None:
    version_ended(version=cast(DatasetVersion, subject), ending=ending)


def _import_ended(subject: models.Model, ending: Ending) -> None:
    import_ended(importing=cast(DatasetImport, subject), ending=ending)


def _import_may_retry(subject: models.Model, user: Any) -> None:
    import_may_retry(importing=cast(DatasetImport, subject))


def _playlist_ended(subject: models.Model, ending: Ending) -> None:
    playlist_ended(playlist=cast(Playlist, subject), ending=ending)


def _export_ended(subject: models.Model, ending: Ending) -> None:
    export_ended(export=cast(DatasetExport, subject), ending=ending)


def _export_may_retry(subject: models.Model, user: Any) -> None:
    export_may_retry(export=cast(DatasetExport, subject), user=user)


@job_kind("datasets.fetch", queue=Queue.CPU, ended=_source_ended)
def fetch(context: JobContext) -> dict[str, Any]:
    source = cast(SourceVideo, context.subject())
    with files_follow_row(source):
        source_fetch(
            source=source,
            owner=context.job.owner,
            title_given=bool(context.arguments.get("title_given")),
            progress=context,
        )
    return {"bytes": source.bytes, "seconds": source.seconds}


@job_kind("datasets.list", queue=Queue.CPU, ended=_playlist_ended)
def list_playlist(context: JobContext) -> dict[str, Any]:
    return {"found": playlist_list(playlist=cast(Playlist, context.subject()), progress=context)}


@job_kind("datasets.prepare", queue=Queue.CPU, ended=_source_ended)
def prepare(context: JobContext) -> dict[str, Any]:
    source = cast(SourceVideo, context.subject())
    with files_follow_row(source):
        source_prepare(source=source, owner=context.job.owner, progress=context)
    return {"segments": source.segments.count(), "seconds": source.seconds}


@job_kind("datasets.transcribe", queue=Queue.GPU, ended=_source_ended)
def transcribe(context: JobContext) -> dict[str, Any]:
    source = cast(SourceVideo, context.subject())
    with files_follow_row(source):
        written = source_transcribe(source=source, progress=context)
    return {"transcribed": written}


@job_kind(RETRANSCRIBE, queue=Queue.GPU)
def retranscribe(context: JobContext) -> dict[str, Any]:
    chosen = Segment.objects.filter(pk__in=context.arguments["segments"])
    return {"transcribed": segments_transcribe(segments=chosen, progress=context)}


@job_kind(FREEZE, queue=Queue.CPU, ended=_version_ended)
def freeze(context: JobContext) -> dict[str, Any]:
    version = cast(DatasetVersion, context.subject())
    version_build(version=version, progress=context)
    return {"clips": version.clips, "seconds": version.seconds, "content_hash": version.content_hash}


@job_kind("datasets.import", queue=Queue.CPU, ended=_import_ended, may_retry=_import_may_retry)
def import_dataset(context: JobContext) -> dict[str, Any]:
    importing = cast(DatasetImport, context.subject())
    import_run(importing=importing, progress=context)
    return {"clips": importing.clips, "seconds": importing.seconds, "dataset": importing.dataset_id}


@job_kind("datasets.health", queue=Queue.CPU)
def measure_version(context: JobContext) -> dict[str, Any]:
    version = cast(DatasetVersion, context.subject())
    version_measure(version=version, progress=context)
    return {"clips": version.clips, "summary": version.health["summary"]}


def _may_still_edit(subject: models.Model, user: Any) -> None:
    if not Dataset.objects.editable_by(user).filter(pk=subject.pk).exists():
        raise DomainError("not_yours", f"“{subject}” is no longer yours to change, so its clips stay as they are.")


@job_kind(MEASURE, queue=Queue.CPU, may_retry=_may_still_edit)
def measure(context: JobContext) -> dict[str, Any]:
    dataset = cast(Dataset, context.subject())
    measured = dataset_measure(dataset=dataset, editor=context.job.owner, progress=context)
    return {"clips": measured.clips, "measured": measured.anew, "notice": measured.notice}


@job_kind(SCREEN, queue=Queue.CPU, may_retry=_may_still_edit)
def screen(context: JobContext) -> dict[str, Any]:
    dataset = cast(Dataset, context.subject())
    screening = dataset.screenings.get(pk=context.arguments["screening"])
    if context.arguments.get("undo"):
        return {"undone": screening_undo(screening=screening, editor=context.job.owner, progress=context)}
    return {**screening_apply(screening=screening, editor=context.job.owner, progress=context)}


@housekeeping("datasets")
def sweep() -> int:
    return len(leftovers_sweep())


@job_kind("datasets.export", queue=Queue.CPU, ended=_export_ended, may_retry=_export_may_retry)
def export_version(context: JobContext) -> dict[str, Any]:
    export = cast(DatasetExport, context.subject())
    export_build(export=export, progress=context)
    return {"bytes": export.bytes, "sha256": export.sha256}
