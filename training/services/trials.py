"""The trials of a sweep beside each other: judged while they train, ranked when they are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import models

from training.choices import CheckpointKind, RunState
from training.engine.median import hopeless
from training.engine.search import BY_NAME, Point
from training.models import Checkpoint, Sweep, TrainingRun


@dataclass(frozen=True)
class Trial:
    """A row of a sweep's table. ``score`` is the best composite of its checkpoints, ``best`` whose checkpoint it is
    (of the lowest loss where nothing was scored)."""

    run: TrainingRun
    point: Point
    loss: float | None
    score: float | None
    best: Checkpoint | None

    @property
    def values(self) -> tuple[tuple[str, str], ...]:
        """What was searched, as it is called on pages."""
        return tuple((BY_NAME[name].label, BY_NAME[name].write(value)) for name, value in self.point.items())


@dataclass(frozen=True)
class TrialCurve:
    """Equally long lists; epoch 0 is the base model."""

    run: str
    name: str
    trial: int
    state: str
    epochs: list[int]
    losses: list[float | None]


def trial_hopeless(*, run: TrainingRun) -> str:
    """Why a trial is not worth its remaining epochs, as a sentence; empty where it may go on.

    Somebody who resumes a stopped trial wants it trained to its end: it is judged once.
    """
    sweep = Sweep.objects.filter(pk=run.sweep_id, stop_unpromising=True).first() if run.sweep_id else None
    if sweep is None or run.stop_reason or run.epoch >= run.epochs_total:
        return ""
    losses = _losses(sweep)
    own = losses.pop(run.pk, [])
    found = hopeless(own, losses.values(), grace=sweep.grace_epochs)
    return found.sentence if found else ""


def _losses(sweep: Sweep) -> dict[Any, list[float]]:
    """Validation losses epoch by epoch, as far as each trial has them without a gap."""
    rows = (
        Checkpoint.objects.filter(run__sweep=sweep, kind=CheckpointKind.EPOCH)
        .order_by("run", "epoch")
        .values_list("run", "epoch", "validation_loss")
    )
    losses: dict[Any, list[float]] = {}
    for run, epoch, loss in rows:
        told = losses.setdefault(run, [])
        if loss is not None and epoch == len(told) + 1:
            told.append(loss)
    return losses


def sweep_trials(*, sweep: Sweep) -> list[Trial]:
    """The best first: by score where scored, then by loss, then those that have neither, in the order of trying."""
    rows = list(sweep.trials.select_related("job", "owner", "version").order_by("trial"))
    checkpoints: dict[Any, list[Checkpoint]] = {}
    for checkpoint in Checkpoint.objects.filter(run__sweep=sweep).select_related("scorecard").order_by("epoch"):
        checkpoints.setdefault(checkpoint.run_id, []).append(checkpoint)
    found = [_trial(sweep, run, checkpoints.get(run.pk, [])) for run in rows]
    return sorted(
        found,
        key=lambda trial: (
            trial.score is None,
            -(trial.score or 0.0),
            trial.loss is None,
            trial.loss or 0.0,
            trial.run.trial,
        ),
    )


def _trial(sweep: Sweep, run: TrainingRun, checkpoints: Sequence[Checkpoint]) -> Trial:
    point = sweep.plan[run.trial] if run.trial is not None and run.trial < len(sweep.plan) else {}
    scores = {row.pk: score for row in checkpoints if (score := _score(row)) is not None}
    losses = {row.pk: row.loss for row in checkpoints if row.loss is not None}
    kept = [row for row in checkpoints if row.is_kept]
    best = max((row for row in kept if row.pk in scores), key=lambda row: scores[row.pk], default=None)
    best = best or min((row for row in kept if row.pk in losses), key=lambda row: losses[row.pk], default=None)
    return Trial(run, point, min(losses.values(), default=None), max(scores.values(), default=None), best)


def _score(checkpoint: Checkpoint) -> float | None:
    card = getattr(checkpoint, "scorecard", None)
    return card.composite if card else None


def sweep_curves(*, sweep: Sweep) -> list[TrialCurve]:
    """Every trial's losses by epoch: of validation, of training where nothing was validated."""
    rows = Checkpoint.objects.filter(run__sweep=sweep, kind=CheckpointKind.EPOCH).order_by("epoch")
    points: dict[Any, list[tuple[int, float | None]]] = {}
    for checkpoint in rows.only("run", "epoch", "validation_loss", "train_loss"):
        points.setdefault(checkpoint.run_id, []).append((checkpoint.epoch, checkpoint.loss))
    curves = []
    for run in sweep.trials.order_by("trial"):
        base = [(0, run.base_validation_loss)] if run.base_validation_loss is not None else []
        told = [*base, *points.get(run.pk, [])]
        curves.append(
            TrialCurve(
                str(run.pk),
                run.name,
                run.trial or 0,
                run.state,
                [epoch for epoch, _ in told],
                [loss for _, loss in told],
            )
        )
    return curves


def sweep_spent(*, sweep: Sweep) -> timedelta:
    """Time in which its trials trained, added up; waits, pauses and the time between two starts are not in it."""
    return sum((run.trained for run in sweep.trials.all()), timedelta(seconds=sweep.forgotten_seconds))


def sweep_remaining(*, sweep: Sweep) -> timedelta | None:
    """Expected time until the last trial ends, at the speed of the trials so far and with as many at once as now.

    None where nothing runs or no epoch has been trained. Trials that will be stopped early make it shorter.
    """
    if sweep.state != RunState.RUNNING:
        return None
    trials = list(sweep.trials.all())
    at_work = [run for run in trials if run.state == RunState.RUNNING]
    timed = [(run.trained_seconds, run.epoch) for run in trials if run.trained_seconds and run.epoch]
    epochs = sum(epoch for _, epoch in timed)
    if not epochs or not at_work:
        return None
    per_epoch = sum(seconds for seconds, _ in timed) / epochs
    usual = int(sweep.base.get("epochs", 0))
    ahead = sum(int(point.get("epochs", usual)) for point in sweep.plan[sweep.begun :])
    ahead += sum(max(run.epochs_total - run.epoch, 0) for run in trials if run.is_active)
    seconds = ahead * per_epoch
    if sweep.budget_hours is not None:
        left = sweep.budget_hours * 3600 - sweep_spent(sweep=sweep).total_seconds()
        # What has begun by then is trained to its end.
        seconds = min(seconds, max(left, 0.0) + sum(run.epochs_total - run.epoch for run in at_work) * per_epoch)
    return timedelta(seconds=round(seconds / len(at_work)))


def in_a_row_broken(trials: models.QuerySet[TrainingRun], harmless: Sequence[str]) -> list[TrainingRun]:
    """The last trials to end, as far as they all failed by other causes than ``harmless`` ones; the latest first."""
    broken = []
    for run in trials.exclude(finished_at=None).order_by("-finished_at"):
        if run.state != RunState.FAILED or run.error_code in harmless:
            break
        broken.append(run)
    return broken
