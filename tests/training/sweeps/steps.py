"""What happens to a sweep, step by step: it is started, a worker takes a trial, the trial ends."""

from __future__ import annotations

from typing import Any

from tests.training.factories import CheckpointFactory
from training.engine.search import Space
from training.models import Sweep, TrainingRun
from training.services import RunValues, Search, sweep_create, trial_follow
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.tasks import run as do_job

RANKS = {"lora_rank": {"values": [2, 4, 8, 16]}}


def start(version: Any, *, space: Any = RANKS, values: RunValues | None = None, **search: Any) -> Sweep:
    """A sweep of tom's whose points have been drawn and whose first trial waits."""
    sweep = sweep_create(
        owner=version.dataset.owner,
        version=version,
        name=search.pop("name", "Ranks"),
        values=values or RunValues(epochs=5),
        search=Search(space=Space.from_dict(space), **{"method": "grid", **search}),
    )
    assert do_job(str(sweep.job_id)) == "succeeded"
    sweep.refresh_from_db()
    return sweep


def take(sweep: Sweep) -> TrainingRun:
    """What a worker does first: it claims the waiting trial's job, and the sweep hears of it."""
    run = sweep.trials.get(job__state=JobState.QUEUED)
    assert run.job is not None
    assert run.job.claim()
    trial_follow(run=run)
    assert run.begin()
    return run


def end(run: TrainingRun, losses: list[float], code: str = "") -> None:
    """And last: the trial has these losses; with ``code`` it failed."""
    for epoch, loss in enumerate(losses, start=1):
        CheckpointFactory(run=run, epoch=epoch, validation_loss=loss)
    TrainingRun.objects.filter(pk=run.pk).update(epoch=len(losses))
    run.refresh_from_db()
    assert run.job is not None
    if code:
        run.fail(code, f"It broke: {code}.")
        run.job.fail(code, "It broke.")
    else:
        run.succeed()
        run.job.succeed()
    trial_follow(run=run)


def states(sweep: Sweep) -> list[str]:
    return list(sweep.trials.order_by("trial").values_list("state", flat=True))
