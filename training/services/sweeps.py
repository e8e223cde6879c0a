"""Searching over a run's values: beginning trials one after the other, and ending the search.

A sweep has no process of its own. Whatever happens to one of its trials (a worker takes it, it ends) calls
:func:`sweep_advance`, which begins the next where one is due; called twice or too often it does nothing more. One
trial at most waits in the queue: each worker that is free takes it, on whichever machine, and the next begins to wait;
whoever queues an ordinary run meanwhile is behind one trial, not behind all.
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict, replace
from typing import Any

from django.db import models, transaction

from datasets.models import DatasetVersion
from training.choices import RunState
from training.engine.search import Point, Space, propose
from training.models import Sweep, TrainingRun
from training.services.naming import name_require, name_save
from training.services.runs import run_cancel, run_create, run_ended, trainer_require
from training.services.spec import RunValues, values_of
from training.services.sweepspace import MOST_TRIALS, Search, sweep_preflight, values_at
from training.services.trials import hours_spent, in_a_row_broken
from xttsproject.accounts.models import Visibility
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_cancel, job_start
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress

KIND = "training.sweep"
BROKEN_IN_A_ROW = 3
VALUES_FAULT = ("loss_not_finite", "out_of_memory")
"""Failures that tell something of the values tried, and nothing of the sweep."""


def sweep_create(
    *,
    owner: Any,
    version: DatasetVersion,
    name: str,
    values: RunValues,
    search: Search,
    bundle: str = "",
    visibility: str = Visibility.PRIVATE,
    counted: bool = True,
) -> Sweep:
    """Make a sweep and have its points drawn; ``counted`` as in :func:`run_create`.

    DomainErrors, with the field at fault: those of :func:`run_create`, ``space_invalid``, ``method_unknown``,
    ``budget_missing``, ``budget_invalid``, ``search_invalid``, ``validation_missing``.
    """
    name = name_require(name=name, what="sweep", longest=100)
    checked = sweep_preflight(
        owner=owner, version=version, values=values, search=search, bundle=bundle, counted=counted
    )
    sweep = Sweep(
        owner=owner,
        visibility=visibility,
        name=name,
        version=version,
        bundle=checked.bundle.path.name,
        method=search.method,
        space=search.space.to_dict(),
        base={**asdict(values), "prompts": list(values.prompts)},
        seed=search.seed,
        budget_runs=search.budget_runs,
        budget_hours=search.budget_hours,
        parallel=search.parallel,
        stop_unpromising=search.stop_unpromising,
        grace_epochs=search.grace_epochs,
    )
    with transaction.atomic():
        name_save(row=sweep, what="sweep")
        _start_job(sweep)
    return sweep


def sweep_draw(*, sweep: Sweep, progress: Progress) -> int:
    """Draw the points and begin with the first; after a death it goes on where it was. Returns how many there are."""
    progress.check()
    if sweep.state == RunState.QUEUED:
        space = Space.from_dict(sweep.space)
        count = sweep.budget_runs or space.size
        plan = propose(space, sweep.method, min(count or MOST_TRIALS, MOST_TRIALS), sweep.seed)
        sweep.begin([dict(point) for point in plan])
    sweep_advance(sweep=sweep)
    return len(sweep.plan)


def sweep_advance(*, sweep: Sweep) -> None:
    """Begin the next trial if one is due, or end the sweep if nothing is left. Safe to call at any time."""
    try:
        with transaction.atomic():
            # Held, so that two workers whose trials end at once do not both begin the same one.
            row = Sweep.objects.select_for_update().filter(pk=sweep.pk).first()
            if row is None:
                return
            _advance(row)
        failed = False
    except DomainError as error:
        # What keeps a trial from beginning (a full disk, a version's files that are gone) keeps all from it; so do
        # several in a row that broke.
        failed = sweep.fail(error.code, error.message)
    sweep.refresh_from_db()
    if failed:
        _stop_trials(sweep)


def _advance(sweep: Sweep) -> None:
    if sweep.state != RunState.RUNNING:
        return
    broken = in_a_row_broken(sweep.trials.filter(finished_at__gt=sweep.started_at), VALUES_FAULT)
    if len(broken) >= BROKEN_IN_A_ROW:
        raise DomainError(
            "trials_broken",
            f"{len(broken)} trials in a row failed, so no more are begun. The last one said: {broken[0].error}",
        )
    active = [run for run in sweep.trials.select_related("job") if run.is_active and not run.is_abandoned]
    if sweep.begun >= len(sweep.plan) or hours_spent(sweep=sweep):
        if not active:
            sweep.succeed()
        return
    full = sweep.parallel is not None and len(active) >= sweep.parallel
    if not full and not any(run.job is not None and run.job.state == JobState.QUEUED for run in active):
        _begin_trial(sweep, sweep.begun, sweep.plan[sweep.begun])


def _begin_trial(sweep: Sweep, number: int, point: Point) -> None:
    values = values_at(RunValues(**sweep.base), point)
    name = f"{sweep.name} · {number + 1:0{len(str(len(sweep.plan)))}d}"
    if TrainingRun.objects.filter(owner=sweep.owner, name=name).exists():
        # Of an earlier sweep of the same name, or somebody's own.
        name = f"{name} ({str(sweep.pk)[:8]})"
    run_create(
        owner=sweep.owner,
        version=sweep.version,
        name=name,
        values=values,
        bundle=sweep.bundle,
        visibility=sweep.visibility,
        sweep=sweep,
        trial=number,
    )
    Sweep.objects.filter(pk=sweep.pk).update(begun=number + 1)


def trial_follow(*, run: TrainingRun) -> None:
    """Something happened to a run: if it is a trial, its sweep may go on."""
    sweep = Sweep.objects.filter(pk=run.sweep_id).first() if run.sweep_id else None
    if sweep is not None:
        sweep_advance(sweep=sweep)


def trial_ended(subject: models.Model, ending: Ending) -> None:
    """A run's job ended without success; a trial's sweep goes on with the next."""
    run_ended(subject, ending)
    if isinstance(subject, TrainingRun):
        trial_follow(run=subject)


def sweep_cancel(*, sweep: Sweep) -> None:
    """End the sweep and its trials, those that wait and those at work. DomainError ``sweep_ended``."""
    if not sweep.mark_cancelled():
        raise DomainError(
            "sweep_ended", f"“{sweep.name}” does not run any more: it is {sweep.get_state_display().lower()}."
        )
    if sweep.job is not None and sweep.job.is_active:
        with contextlib.suppress(DomainError):
            job_cancel(job=sweep.job)
    _stop_trials(sweep)


def sweep_go_on(*, sweep: Sweep, user: Any) -> None:
    """Begin the trials that were not begun. DomainErrors ``forbidden``, ``sweep_not_resumable``.

    Of one that says it runs, look whether a trial is due: what called for the next one may have died.
    """
    trainer_require(user=user)
    if sweep.state == RunState.RUNNING:
        sweep_advance(sweep=sweep)
        return
    with transaction.atomic():
        # One that waits for a job that is gone would wait for ever.
        forgotten = sweep.state == RunState.QUEUED and (sweep.job is None or not sweep.job.is_active)
        if not forgotten and not sweep.go_on():
            raise DomainError(
                "sweep_not_resumable",
                f"“{sweep.name}” is {sweep.get_state_display().lower()}; "
                "only a failed or cancelled sweep can be gone on with.",
            )
        _start_job(sweep)


def sweep_delete(*, sweep: Sweep) -> None:
    """Forget a sweep; its trials stay, as runs of their own. DomainError ``sweep_active``."""
    with transaction.atomic():
        current = Sweep.objects.select_for_update().get(pk=sweep.pk)
        if current.is_active:
            raise DomainError("sweep_active", f"“{sweep.name}” is still at work; cancel it before deleting it.")
        current.delete()


def sweep_ended(subject: models.Model, ending: Ending) -> None:
    """The job that draws its points ended without success."""
    if not isinstance(subject, Sweep):
        return
    if ending.cancelled:
        subject.mark_cancelled()
    else:
        subject.fail(ending.code, ending.message)
    _stop_trials(subject)


def sweep_may_retry(subject: models.Model, user: Any) -> None:
    """Trying its job again is going on with it, which its page does. DomainErrors as in :func:`sweep_go_on`."""
    trainer_require(user=user)
    if isinstance(subject, Sweep) and not subject.is_active and not subject.go_on():
        raise DomainError("sweep_not_resumable", f"“{subject.name}” is {subject.get_state_display().lower()}.")


def sweeps_resume() -> int:
    """Look after every sweep at work: what should have begun its next trial may have died. Returns how many went on."""
    moved = 0
    for sweep in Sweep.objects.filter(state=RunState.RUNNING):
        before = (sweep.state, sweep.begun)
        sweep_advance(sweep=sweep)
        moved += before != (sweep.state, sweep.begun)
    return moved


def run_train_longer(
    *,
    run: TrainingRun,
    owner: Any,
    name: str,
    epochs: int,
    visibility: str = Visibility.PRIVATE,
    counted: bool = True,
) -> TrainingRun:
    """A new run with a run's values and other epochs; ``counted`` and DomainErrors as :func:`run_create`."""
    return run_create(
        owner=owner,
        version=run.version,
        name=name,
        values=replace(values_of(run=run), epochs=epochs),
        bundle=run.bundle,
        visibility=visibility,
        counted=counted,
    )


def _stop_trials(sweep: Sweep) -> None:
    for run in sweep.trials.filter(state__in=(RunState.QUEUED, RunState.RUNNING)).select_related("job"):
        # One that ended a moment ago needs no stopping.
        with contextlib.suppress(DomainError):
            run_cancel(run=run)


def _start_job(sweep: Sweep) -> Job:
    job = job_start(kind=KIND, title=f"Search “{sweep.name}”", owner=sweep.owner, subject=sweep)
    Sweep.objects.filter(pk=sweep.pk).update(job=job)
    sweep.refresh_from_db()
    return job
