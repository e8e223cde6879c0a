"""The trials of a sweep beside each other: judged while they train, ranked when they are looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import models

from training.choices import CheckpointKind, RunState, Scored
from training.engine.figures import counted, judge
from training.engine.median import hopeless
from training.engine.search import BY_NAME, Point
from training.models import Checkpoint, Scorecard, Sweep, TrainingRun


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


def trial_late(*, run: TrainingRun) -> str:
    """Why a trial that has trained nothing yet is not to begin, as a sentence; empty where it may.

    It may have waited for a worker while others used up its sweep's hours. Somebody who resumes it wants it trained.
    """
    if not run.sweep_id or run.stop_reason or run.step or run.trained_seconds:
        return ""
    sweep = Sweep.objects.filter(pk=run.sweep_id).first()
    if sweep is None or not hours_spent(sweep=sweep):
        return ""
    return f"Not begun: while it waited, other trials used up the {sweep.budget_hours:g} hours of “{sweep.name}”."


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
    for checkpoint in Checkpoint.objects.filter(run__sweep=sweep).order_by("epoch"):
        checkpoints.setdefault(checkpoint.run_id, []).append(checkpoint)
    scores = _scores(sweep)
    found = [_trial(sweep, run, checkpoints.get(run.pk, []), scores) for run in rows]
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


def _trial(sweep: Sweep, run: TrainingRun, checkpoints: Sequence[Checkpoint], all_scores: Mapping[int, float]) -> Trial:
    point = sweep.plan[run.trial] if run.trial is not None and run.trial < len(sweep.plan) else {}
    scores = {row.pk: all_scores[row.pk] for row in checkpoints if row.pk in all_scores}
    losses = {row.pk: row.loss for row in checkpoints if row.loss is not None}
    kept = [row for row in checkpoints if row.is_kept]
    best = max((row for row in kept if row.pk in scores), key=lambda row: scores[row.pk], default=None)
    best = best or min((row for row in kept if row.pk in losses), key=lambda row: losses[row.pk], default=None)
    return Trial(run, point, min(losses.values(), default=None), max(scores.values(), default=None), best)


def _scores(sweep: Sweep) -> dict[int, float]:
    """The composites of all trials' checkpoints, all by the same figures.

    A run's own composites are by those that its cards have. Where a trial was scored before there was a transcription
    model and another after, they would compare nothing: then what all trials have counts alone.
    """
    speakers: dict[Any, dict[str, Any]] = {}
    spoken: dict[Any, list[Scorecard]] = {}
    for card in Scorecard.objects.filter(run__sweep=sweep).defer("samples", "facts"):
        if card.subject == Scored.SPEAKER:
            speakers[card.run_id] = card.figures
        else:
            spoken.setdefault(card.run_id, []).append(card)
    counting = {
        run: {figure.name for figure in counted((card.figures for card in cards), speakers.get(run, {}))}
        for run, cards in spoken.items()
    }
    composites = {card.checkpoint_id: card.composite for cards in spoken.values() for card in cards}
    if len({frozenset(names) for names in counting.values()}) > 1:
        common = set.intersection(*counting.values())
        for run, cards in spoken.items():
            known = {card.checkpoint_id: {name: card.figures[name] for name in common} for card in cards}
            verdicts = judge(known, speakers.get(run, {}))
            composites |= {checkpoint: verdict.composite for checkpoint, verdict in verdicts.items()}
    return {pk: score for pk, score in composites.items() if pk is not None and score is not None}


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


def hours_spent(*, sweep: Sweep) -> bool:
    """Whether the hours that a sweep may train are used up; never without such a budget."""
    return sweep.budget_hours is not None and sweep_spent(sweep=sweep).total_seconds() >= sweep.budget_hours * 3600


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
