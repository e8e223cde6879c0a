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
from datasets.services.health import health_fields
from datasets.services.left_out import NOT_SHARED, plain_reason
from xttsproject import storage
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_start
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Part, Progress, Silent
from xttsproject.xtts.normaliser import normalise

KIND = "datasets.freeze"
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
    """Number a new version and start the job that chooses its clips and writes them.

    Asked again before that job has begun, the person gets the same version and job: it takes what is approved when it
    begins. DomainError ``dataset_empty`` where no segment is approved; what only a look at every clip tells, the job
    tells (see :func:`version_build`).
    """
    segments = Segment.objects.filter(source__datasets=dataset)
    if not segments.approved().exists():
        count = segments.count()
        raise DomainError(
            "dataset_empty",
            f"“{dataset.name}” has no approved segment to freeze"
            + (f": none of its {count} is approved" if count else "")
            + "; review its recordings first.",
        )
    with transaction.atomic():
        # Two requests at once must not take the same number.
        Dataset.objects.select_for_update().get(pk=dataset.pk)
        begun = _not_begun(dataset, owner)
        if begun is not None:
            return begun
        last = dataset.versions.aggregate(last=models.Max("number"))["last"] or 0
        version = DatasetVersion.objects.create(dataset=dataset, number=last + 1, created_by=owner)
        job = job_start(kind=KIND, title=f"Freeze “{version}”", owner=owner, subject=version)
    return version, job


def _not_begun(dataset: Dataset, owner: Any) -> tuple[DatasetVersion, Job] | None:
    """A version of this person's whose job still waits, so that it will take what is approved now."""
    for version in dataset.versions.filter(state=VersionState.FREEZING):
        job = Job.objects.about(version).filter(kind=KIND, state=JobState.QUEUED, owner=owner).first()
        if job is not None:
            return version, job
    return None


def version_build(*, version: DatasetVersion, progress: Progress) -> None:
    """Choose the clips of a version, write them and the manifest, and then its row; what is ready is never written
    again.

    What is approved when this runs is frozen. DomainErrors: ``dataset_empty``, ``clip_missing``, ``subject_gone``, and
    ``duplicate`` when another version with the very same segments, texts and split exists or is being written: that one
    is the version's ``duplicate_of`` then.
    """
    # Asked for now: once its dataset is gone, it has no name.
    name = str(version)
    try:
        _build(version, progress)
    except (Dataset.DoesNotExist, DatasetVersion.DoesNotExist):
        storage.remove_tree(version.folder)
        raise DomainError("subject_gone", f"“{name}” was deleted while it was being frozen.") from None


def _build(version: DatasetVersion, progress: Progress) -> None:
    if not version.advance(VersionState.FREEZING, since=_BEFORE):
        return
    selection = dataset_select(dataset=version.dataset, progress=Part(progress, 0.0, 0.1))
    if not _claim(version, selection):
        return
    frozen = freeze(selection.items, version.folder, progress=Part(progress, 0.1, 0.8))
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
    except IntegrityError:
        _refuse_duplicate(version, version.dataset.versions.get(content_hash=frozen.hash))
        return
    if not moved and version.state != VersionState.READY:
        # A worker that was thought dead may come this far after another has finished: those files stay.
        storage.remove_tree(version.folder)


def _claim(version: DatasetVersion, selection: Selection) -> bool:
    """Record what was chosen, so that no other version is made of it; False if the version is no longer being frozen.

    DomainErrors ``dataset_empty`` and ``duplicate``.
    """
    with transaction.atomic():
        # Of two versions with the same choice the first that comes here is written.
        dataset = Dataset.objects.select_for_update().get(pk=version.dataset_id)
        others = dataset.versions.exclude(pk=version.pk).exclude(state=VersionState.FAILED)
        same = others.filter(selection_hash=selection.hash).first() if selection.items else None
        chosen = "" if same is not None or not selection.items else selection.hash
        claimed = version.advance(
            VersionState.FREEZING,
            since=(VersionState.FREEZING,),
            selection_hash=chosen,
            left_out=list(selection.left_out),
        )
    if not claimed:
        return False
    if not selection.items:
        first = f", the first because it is {plain_reason(selection.left_out[0])}" if selection.left_out else ""
        raise DomainError(
            "dataset_empty",
            f"“{dataset.name}” has no segment to freeze ({len(selection.left_out)} left out{first}); "
            "review its recordings first.",
        )
    if same is not None:
        _refuse_duplicate(version, same)
        return False
    return True


def _refuse_duplicate(version: DatasetVersion, same: DatasetVersion) -> None:
    """End a version whose content another one holds, and raise ``duplicate``.

    It stays, failed and pointing to the other: its address was given out when freezing was asked for.
    """
    error = DomainError(
        "duplicate",
        f"Nothing has changed since version {same.number} of “{version.dataset.name}”: it holds the same clips "
        "and texts, so use that one.",
    )
    facts = {"error_code": error.code, "error": error.message, "duplicate_of": same}
    if version.advance(VersionState.FAILED, since=(VersionState.FREEZING,), **facts):
        storage.remove_tree(version.folder)
        raise error
    if version.state != VersionState.READY:
        storage.remove_tree(version.folder)


def version_manifest(*, version: DatasetVersion) -> list[dict[str, Any]]:
    """The rows of a ready version's manifest, see :func:`datasets.pipeline.manifest.freeze`; else none.

    DomainErrors ``manifest_missing``, and ``version_damaged`` where the file is not the one that was frozen.
    """
    if version.state != VersionState.READY:
        return []
    return read_rows(version.manifest_path, version.manifest_sha256, str(version))


def version_ended(*, version: DatasetVersion, ending: Ending) -> None:
    """Record why the version's job failed or that it was cancelled; nothing half-written stays."""
    code, message = ending.code, ending.message
    if ending.cancelled:
        code, message = "cancelled", "Freezing was cancelled."
    if version.advance(VersionState.FAILED, since=(VersionState.FREEZING,), error_code=code, error=message):
        storage.remove_tree(version.folder)


def dataset_select(*, dataset: Dataset, progress: Progress | None = None) -> Selection:
    """What would be frozen now, with its split, and what would be left out and why.

    Seconds for thousands of clips, since every text is spoken out.
    """
    progress = progress or Silent()
    progress.report(0.0, "choosing clips")
    items: list[Item] = []
    left_out: list[dict[str, Any]] = []
    shown = set(dataset.sources.visible_to(dataset.owner).values_list("pk", flat=True))
    segments = Segment.objects.filter(source__datasets=dataset).select_related("source__speaker").defer("words")
    found = list(segments.with_decisions().order_by("source__created_at", "source", "index"))
    for number, segment in enumerate(found, 1):
        progress.check()
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
        progress.report(number / len(found), f"choosing clips: {number} of {len(found)}")
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
