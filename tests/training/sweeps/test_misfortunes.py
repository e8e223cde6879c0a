"""What goes wrong in a sweep, and what becomes of it then."""

from __future__ import annotations

from typing import Any

import pytest

from tests.training.sweeps.steps import RANKS, end, start, states, take
from training.choices import RunState
from training.engine.search import Space
from training.services import (
    RunValues,
    Search,
    run_cancel,
    sweep_cancel,
    sweep_create,
    sweep_delete,
    sweep_go_on,
    sweeps_resume,
    trial_follow,
)
from xttsproject.jobs.tasks import run as do_job
from xttsproject.lib.errors import DomainError

pytestmark = pytest.mark.django_db


def test_a_failed_trial_does_not_end_the_sweep_but_three_in_a_row_do(version: Any) -> None:
    sweep = start(version)
    end(take(sweep), [], code="disk_odd")
    end(take(sweep), [3.0])
    sweep.refresh_from_db()
    assert sweep.state == RunState.RUNNING
    sweep_cancel(sweep=sweep)

    again = start(version, name="Again", space={"lora_rank": {"values": [1, 2, 4, 8, 16]}})
    for _ in range(3):
        end(take(again), [], code="disk_odd")
    again.refresh_from_db()
    assert (again.state, again.error_code) == (RunState.FAILED, "trials_broken")
    assert "3 trials in a row" in again.error
    assert states(again) == ["failed", "failed", "failed", "cancelled"]


def test_values_that_cannot_be_trained_with_are_no_fault_of_the_sweep(version: Any) -> None:
    sweep = start(version)
    for _ in range(4):
        end(take(sweep), [], code="loss_not_finite")
    sweep.refresh_from_db()
    assert sweep.state == RunState.SUCCEEDED


def test_what_keeps_trials_from_beginning_ends_the_sweep_with_its_reason(version: Any, people: Any) -> None:
    sweep = start(version)
    run = take(sweep)
    people.tom.groups.clear()
    waiting = take(sweep)
    sweep.refresh_from_db()
    assert (sweep.state, sweep.error_code) == (RunState.FAILED, "forbidden")
    # What was at work ends with it.
    for trial in (run, waiting):
        assert trial.job is not None
        trial.job.refresh_from_db()
        assert trial.job.cancel_requested


def test_a_cancelled_sweep_ends_its_trials_and_can_be_gone_on_with(version: Any, people: Any) -> None:
    sweep = start(version)
    running = take(sweep)
    sweep_cancel(sweep=sweep)
    assert sweep.state == RunState.CANCELLED
    assert states(sweep) == ["running", "cancelled"]
    assert running.job is not None
    running.job.refresh_from_db()
    assert running.job.cancel_requested
    running.mark_cancelled()
    running.job.mark_cancelled()
    trial_follow(run=running)
    assert states(sweep) == ["cancelled", "cancelled"]
    with pytest.raises(DomainError) as ended:
        sweep_cancel(sweep=sweep)
    assert ended.value.code == "sweep_ended"

    sweep_go_on(sweep=sweep, user=people.tom)
    assert sweep.state == RunState.RUNNING
    assert do_job(str(sweep.job_id)) == "succeeded"
    assert states(sweep) == ["cancelled", "cancelled", "queued"]


def test_a_sweep_whose_job_fails_says_why_in_the_jobs_own_words(version: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise DomainError("disk_full", "There is no room for the points.")

    monkeypatch.setattr("training.services.sweeps.propose", full)
    sweep = sweep_create(
        owner=version.dataset.owner,
        version=version,
        name="Ranks",
        values=RunValues(),
        search=Search(space=Space.from_dict(RANKS), method="random", budget_runs=3),
    )
    assert do_job(str(sweep.job_id)) == "failed"
    sweep.refresh_from_db()
    assert (sweep.state, sweep.error_code) == (RunState.FAILED, "disk_full")
    assert sweep.error == "There is no room for the points."


def test_a_trial_that_somebody_cancels_makes_room_for_the_next(version: Any) -> None:
    sweep = start(version)
    run_cancel(run=sweep.trials.get())
    assert states(sweep) == ["cancelled", "queued"]


def test_points_are_not_drawn_anew_when_the_worker_died_after_drawing(version: Any) -> None:
    sweep = sweep_create(
        owner=version.dataset.owner,
        version=version,
        name="Ranks",
        values=RunValues(),
        search=Search(space=Space.from_dict(RANKS), method="random", budget_runs=3),
    )
    # As if the process had been killed between drawing and the first trial.
    sweep.begin([{"lora_rank": 16}, {"lora_rank": 2}])
    assert do_job(str(sweep.job_id)) == "succeeded"
    sweep.refresh_from_db()
    assert sweep.plan == [{"lora_rank": 16}, {"lora_rank": 2}]
    assert states(sweep) == ["queued"]


def test_a_sweep_goes_on_although_the_worker_died_before_it_could_begin_the_next_trial(version: Any) -> None:
    sweep = start(version, parallel=1)
    run = take(sweep)
    run.succeed()
    assert run.job is not None
    run.job.succeed()
    assert states(sweep) == ["succeeded"]
    assert sweeps_resume() == 1
    assert states(sweep) == ["succeeded", "queued"]


def test_a_deleted_sweep_leaves_its_trials_as_runs(version: Any) -> None:
    sweep = start(version, space={"lora_rank": {"values": [2]}})
    with pytest.raises(DomainError) as active:
        sweep_delete(sweep=sweep)
    assert active.value.code == "sweep_active"
    run = take(sweep)
    end(run, [3.0])
    sweep.refresh_from_db()
    sweep_delete(sweep=sweep)
    run.refresh_from_db()
    assert (run.sweep, run.state) == (None, RunState.SUCCEEDED)
