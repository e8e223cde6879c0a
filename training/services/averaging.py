"""The average of several checkpoints of a run as a checkpoint of its own: made, measured, and let speak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db import models, transaction

from training.choices import CheckpointKind
from training.engine.checkpoint import CHECKPOINTS, clear_leftovers_of
from training.engine.spec import FULL, MOST_EPOCHS, MOST_RANK
from training.models import Checkpoint, TrainingRun
from training.services.ingest import best_mark, sample_record
from training.services.keeping import checkpoint_gone, checkpoint_require, checkpoint_verify
from training.services.runs import trainer_require
from training.services.spec import spec_of
from xttsproject import storage
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_start
from xttsproject.lib.disk import room_for
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import sha256_of
from xttsproject.lib.progress import Part, Progress
from xttsproject.xtts.checkpoints import weights_file

KIND = "training.average"
MOST = 16
PREFIX = "average-"


def average_create(*, run: TrainingRun, epochs: Sequence[int], user: Any) -> Job:
    """Have the checkpoints of these epochs averaged.

    DomainErrors ``forbidden``, ``epochs_invalid``, ``checkpoint_unknown``, ``checkpoint_removed``, ``duplicate``,
    ``run_active``, ``average_active``.
    """
    trainer_require(user=user)
    chosen = sorted(set(epochs))
    if not 2 <= len(chosen) <= MOST:
        raise DomainError(
            "epochs_invalid", f"An average is of 2 to {MOST} checkpoints; {len(chosen)} were chosen.", field="epochs"
        )
    _require_rank(run, len(chosen))
    if run.is_active and not run.is_abandoned:
        raise DomainError("run_active", f"“{run.name}” is still at work; average its checkpoints when it has ended.")
    with transaction.atomic():
        for row in _members(run, chosen):
            checkpoint_require(checkpoint=row)
        if Checkpoint.objects.filter(run=run, path=_path(chosen)).kept().exists():
            raise DomainError("duplicate", f"“{run.name}” has this average already.", field="epochs")
        words = ", ".join(map(str, chosen))
        job = job_start(
            kind=KIND,
            title=f"Average epochs {words} of “{run.name}”",
            owner=user,
            subject=run,
            arguments={"epochs": chosen},
        )
    if job.arguments.get("epochs") != chosen:
        raise DomainError("average_active", f"Another average of “{run.name}” is being made; wait for it to end.")
    return job


def average_make(*, run: TrainingRun, epochs: Sequence[int], progress: Progress) -> Checkpoint:
    """Do it; doing it again, after a death at any instruction, gives the same row and file.

    The row is pinned: somebody asked for it, so the run's policy does not take it away.
    """
    from training.engine.sampling import SampleFacts, Sampler
    from training.engine.soup import average_checkpoints, measure_checkpoint

    rows = _members(run, epochs)
    for row in rows:
        if not row.is_kept:
            raise checkpoint_gone(row)
        checkpoint_verify(checkpoint=row)
    spec = spec_of(run=run)
    sampler = Sampler(spec, settings.DEVICE)
    folder = run.folder / _path(epochs)
    clear_leftovers_of(run.folder, folder.name)
    progress.report(0.02, "averaging")
    with room_for(folder, sum(row.bytes for row in rows), f"An average of {len(rows)} checkpoints"):
        average_checkpoints([row.folder for row in rows], folder)
    losses = measure_checkpoint(spec, folder, Part(progress, 0.1, 0.6))
    weights = weights_file(folder)
    made, _ = Checkpoint.objects.update_or_create(
        run=run,
        path=_path(epochs),
        defaults={
            "kind": CheckpointKind.AVERAGE,
            "epoch": rows[-1].epoch,
            "step": rows[-1].step,
            "averaged": list(epochs),
            "bytes": weights.stat().st_size,
            "sha256": sha256_of(weights),
            "validation_loss": losses.total if losses else None,
            "validation_loss_text": losses.text if losses else None,
            "validation_loss_mel": losses.mel if losses else None,
            "pinned": True,
            "removed_at": None,
        },
    )
    best_mark(run=run)

    def on_sample(facts: SampleFacts) -> None:
        sample_record(run=run, checkpoint=made, data=asdict(facts))

    sampler.speak(made.epoch, folder, Part(progress, 0.6, 1.0), on_sample, folder=folder.name)
    return made


def average_ended(subject: models.Model, ending: Ending) -> None:
    """The job ended without success: what it wrote without getting as far as a row goes."""
    if not isinstance(subject, TrainingRun):
        return
    known = set(Checkpoint.objects.filter(run=subject).values_list("path", flat=True))
    for folder in (subject.folder / CHECKPOINTS).glob(f"{PREFIX}*"):
        if f"{CHECKPOINTS}/{folder.name}" not in known:
            storage.remove_tree(folder)


def _require_rank(run: TrainingRun, count: int) -> None:
    """The ranks of adapters add up in their average. DomainError ``epochs_invalid`` where that is too much."""
    rank = int((run.spec.get("lora") or {}).get("rank") or 0)
    if run.spec.get("method") != FULL and rank * count > MOST_RANK:
        raise DomainError(
            "epochs_invalid",
            f"An average of {count} adapters of rank {rank} would have the rank {rank * count}, and {MOST_RANK} is the "
            f"limit; choose {MOST_RANK // rank} of them at most.",
            field="epochs",
        )


def _path(epochs: Sequence[int]) -> str:
    return f"{CHECKPOINTS}/{PREFIX}{'-'.join(f'{epoch:04d}' for epoch in epochs)}"


def _members(run: TrainingRun, epochs: Sequence[int]) -> list[Checkpoint]:
    # Beyond what any run has, and perhaps beyond what the database compares with.
    possible = [epoch for epoch in epochs if epoch <= MOST_EPOCHS]
    found = Checkpoint.objects.filter(run=run, kind=CheckpointKind.EPOCH, epoch__in=possible).select_related("run")
    rows = list(found.order_by("epoch"))
    missing = sorted(set(epochs) - {row.epoch for row in rows})
    if missing:
        raise DomainError(
            "checkpoint_unknown",
            f"“{run.name}” has no checkpoint of epoch {', '.join(map(str, missing))}.",
            field="epochs",
        )
    return rows
