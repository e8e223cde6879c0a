"""Freezing a dataset: what was approved at that moment, kept for good."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, models, transaction

from datasets.choices import ReviewStatus, VersionState
from datasets.models import Dataset, DatasetVersion, Segment
from datasets.pipeline.frozen import measure_clips, read_rows
from datasets.pipeline.manifest import Item, freeze
from datasets.pipeline.split import split_by_source
from datasets.services.clip_measures import known_problem
from datasets.services.following import failure_code
from datasets.services.health import health_fields
from datasets.services.left_out import NOT_SHARED, plain_reason
from xttsproject import storage
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_start
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Part, Progress
from xttsproject.xtts.normaliser import normalise

_BEFORE = (VersionState.FREEZING, VersionState.FAILED)


@dataclass(frozen=True)
class Selection:
    """``left_out``: [{segment, source, index, code, reason}], one for every segment that was not taken.

    Recordings are named by id: who sees a version does not therefore see every recording (see ``left_out``).
    """

    items: tuple[Item, ...]
    left_out: tuple[dict[str, Any], ...]
    hash: str


def version_freeze(*, dataset: Dataset, owner: Any) -> tuple[DatasetVersion, Job]:
    """Number a new version and start the job that writes it.

    DomainErrors: ``dataset_empty``, and ``duplicate`` when a version with the very same segments, texts and split
    exists (or is being written).
    """
    selection = dataset_select(dataset=dataset)
    if not selection.items:
        count = len(selection.left_out)
        raise DomainError(
            "dataset_empty",
            f"“{dataset.name}” has no approved segment to freeze"
            + (f" ({count} left out, the first because it is {plain_reason(selection.left_out[0])})" if count else "")
            + "; review its recordings first.",
        )
    with transaction.atomic():
        # Two requests at once must not take the same number.
        Dataset.objects.select_for_update().get(pk=dataset.pk)
        same = dataset.versions.filter(selection_hash=selection.hash).exclude(state=VersionState.FAILED).first()
        if same is not None:
            raise _duplicate(dataset, same)
        last = dataset.versions.aggregate(last=models.Max("number"))["last"] or 0
        version = DatasetVersion.objects.create(
            dataset=dataset,
            number=last + 1,
            selection_hash=selection.hash,
            left_out=list(selection.left_out),
            created_by=owner,
        )
        job = job_start(kind="datasets.freeze", title=f"Freeze “{version}”", owner=owner, subject=version)
    return version, job


def version_build(*, version: DatasetVersion, progress: Progress) -> None:
    """Write the clips and the manifest of a version, and then its row; what is ready is never written again.

    What is approved when this runs is frozen. DomainErrors: ``dataset_empty``, ``clip_missing``, ``duplicate``.
    """
    if not version.advance(VersionState.FREEZING, since=_BEFORE):
        return
    selection = dataset_select(dataset=version.dataset)
    frozen = freeze(selection.items, version.folder, progress=Part(progress, 0.0, 0.8))
    clips = measure_clips(version.folder, frozen.rows, Part(progress, 0.8, 1.0))
    try:
        with transaction.atomic():
            moved = version.advance(
                VersionState.READY,
                since=(VersionState.FREEZING,),
                content_hash=frozen.hash,
                selection_hash=selection.hash,
                manifest_sha256=frozen.manifest_sha256,
                clips_train=frozen.train_clips,
                clips_validation=frozen.validation_clips,
                seconds_train=frozen.train_seconds,
                seconds_validation=frozen.validation_seconds,
                left_out=list(selection.left_out),
                **health_fields(clips=clips, language=version.dataset.language),
            )
    except DatasetVersion.DoesNotExist:
        storage.remove_tree(version.folder)
        raise DomainError("subject_gone", f"“{version}” was deleted while it was being frozen.") from None
    except IntegrityError:
        storage.remove_tree(version.folder)
        same = version.dataset.versions.get(content_hash=frozen.hash)
        raise _duplicate(version.dataset, same) from None
    if not moved and version.state != VersionState.READY:
        # A worker that was thought dead may come this far after another has finished: those files stay.
        storage.remove_tree(version.folder)


def version_manifest(*, version: DatasetVersion) -> list[dict[str, Any]]:
    """The rows of a ready version's manifest, see :func:`datasets.pipeline.manifest.freeze`; else none.

    DomainErrors ``manifest_missing``, and ``version_damaged`` where the file is not the one that was frozen.
    """
    if version.state != VersionState.READY:
        return []
    return read_rows(version.manifest_path, version.manifest_sha256, str(version))


def version_ended(*, version: DatasetVersion, state: str, message: str) -> None:
    """Record why the version's job failed or that it was cancelled; nothing half-written stays."""
    code = failure_code(subject=version, state=state)
    if state == JobState.CANCELLED:
        code, message = "cancelled", "Freezing was cancelled."
    if version.advance(VersionState.FAILED, since=(VersionState.FREEZING,), error_code=code, error=message):
        storage.remove_tree(version.folder)


def dataset_select(*, dataset: Dataset) -> Selection:
    """What would be frozen now, with its split, and what would be left out and why."""
    items: list[Item] = []
    left_out: list[dict[str, Any]] = []
    shown = set(dataset.sources.visible_to(dataset.owner).values_list("pk", flat=True))
    segments = Segment.objects.filter(source__datasets=dataset).select_related("source__speaker").with_decisions()
    for segment in segments.order_by("source__created_at", "source", "index"):
        refused = segment_refused(segment, dataset) if segment.source_id in shown else NOT_SHARED
        if refused is None:
            items.append(_item(segment))
        else:
            code, reason = refused
            left_out.append(
                {
                    "segment": segment.pk,
                    "source": str(segment.source_id),
                    "index": segment.index,
                    "code": code,
                    "reason": reason,
                }
            )
    split = tuple(split_by_source(items, dataset.validation_share))
    rows = sorted((i.id, i.source, f"{i.start:.3f}", f"{i.end:.3f}", i.text, i.language, i.split) for i in split)
    digest = hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()
    return Selection(split, tuple(left_out), digest)


def segment_refused(segment: Segment, dataset: Dataset) -> tuple[str, str] | None:
    """Why a segment is not taken, as a code and in words that complete “it is …”; None if it is."""
    source = segment.source
    if segment.status != ReviewStatus.APPROVED:
        return undecided_reason(segment)
    if not segment.text.strip():
        return "text_empty", "without text"
    if source.language != dataset.language:
        return "language", f"in {source.get_language_display()}, not in {dataset.get_language_display()}"
    if source.speaker_id != dataset.speaker_id:
        return "speaker", f"spoken by {source.speaker.name}, not by {dataset.speaker.name}"
    problem = known_problem(segment)
    return (problem[0], f"not usable: {problem[1]}") if problem is not None else None


def undecided_reason(segment: Segment) -> tuple[str, str]:
    """Why a segment that is not approved is not, with what screening said of it."""
    decision = None if segment.decided_by_person else segment.decision
    found = [reason for reason in decision.reasons if reason["verdict"] == decision.verdict] if decision else []
    told = "; ".join(reason["sentence"] for reason in found)
    if segment.status == ReviewStatus.PENDING:
        return ("review", f"to be reviewed: {told}") if told else ("pending", "not reviewed yet")
    if decision is not None and decision.status_after == ReviewStatus.REJECTED:
        return f"screened_{found[0]['rule']}" if found else "screened", f"rejected by screening: {told}"
    return "rejected", "rejected"


def _item(segment: Segment) -> Item:
    source = segment.source
    return Item(
        id=f"segment-{segment.pk}",
        # The same files are split alike in every portal; a recording that came in twice is one recording.
        source=source.sha256 or str(source.pk),
        master=source.master_path,
        start=segment.start,
        end=segment.end,
        # Spoken out, since the model learns from letters and sounds what is between them.
        text=normalise(segment.text, source.language),
        language=source.language,
        speaker=source.speaker.name,
        raw=segment.text.strip(),
    )


def _duplicate(dataset: Dataset, same: DatasetVersion) -> DomainError:
    return DomainError(
        "duplicate",
        f"Nothing has changed since version {same.number} of “{dataset.name}”: it holds the same clips "
        "and texts, so use that one.",
    )
