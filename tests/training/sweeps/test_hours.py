"""A budget in hours, and how much time is left."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.training.sweeps.steps import end, start, states, take
from training.choices import RunState
from training.models import TrainingRun
from training.services import RunValues, run_delete, run_resume, sweep_remaining, sweep_spent
from training.services.trials import trial_late
from xttsproject.jobs.tasks import run as do_job

pytestmark = pytest.mark.django_db


def test_no_trial_begins_once_the_hours_are_used_up(version: Any, people: Any, page_for: Any) -> None:
    sweep = start(version, budget_hours=1.0)
    run = take(sweep)
    run.add_trained(3600.0)
    waiting = sweep.trials.get(state=RunState.QUEUED)
    end(run, [3.0])
    # The one that waits has trained nothing: a worker that takes it sends it away, and nothing follows.
    assert do_job(str(waiting.job_id)) == "cancelled"
    sweep.refresh_from_db()
    waiting.refresh_from_db()
    assert (sweep.state, states(sweep)) == (RunState.SUCCEEDED, ["succeeded", "cancelled"])
    assert (waiting.was_stopped, waiting.stop_label) == (True, "Not begun")
    for address in (f"/sweeps/{sweep.pk}/", "/sweeps/"):
        html = page_for(people.tom).get(address).content.decode()
        assert "ot begun" in html
        assert "topped early<" not in html.replace("<dt>Stopped early</dt>", "")
    assert "1 of them not begun" in html
    assert waiting.stop_reason == "Not begun: while it waited, other trials used up the 1 hours of “Ranks”."
    assert not waiting.folder.exists()
    # Somebody who resumes it wants it trained.
    assert waiting.requeue()
    assert trial_late(run=waiting) == ""


def test_a_trial_at_work_goes_on_although_the_hours_are_used_up(version: Any) -> None:
    sweep = start(version, budget_hours=1.0, parallel=2)
    one, other = take(sweep), take(sweep)
    assert trial_late(run=other) == ""
    other.add_trained(1.0)
    one.add_trained(3600.0)
    assert trial_late(run=other) == ""
    assert trial_late(run=TrainingRun(pk=one.pk)) == ""


def test_hours_in_which_a_trial_waited_or_paused_are_not_spent(version: Any, people: Any) -> None:
    sweep = start(version, budget_hours=1.0)
    run = take(sweep)
    run.add_trained(600.0)
    run.mark_cancelled()
    # It lay there for a day; then somebody resumes it, and it waits for another day.
    run_resume(run=run, user=people.tom)
    TrainingRun.objects.filter(pk=run.pk).update(started_at=timezone.now() - timedelta(days=2))
    assert sweep_spent(sweep=sweep) == timedelta(minutes=10)
    # What it trained before is spent all the same.
    run.begin()
    run.add_trained(300.0)
    assert sweep_spent(sweep=sweep) == timedelta(minutes=15)
    run.refresh_from_db()
    assert run.trained == timedelta(minutes=15)
    end(take(sweep), [3.0])
    sweep.refresh_from_db()
    assert sweep.state == RunState.RUNNING


def test_the_hours_of_a_trial_that_was_deleted_stay_spent(version: Any, people: Any) -> None:
    sweep = start(version, budget_hours=1.0)
    run = take(sweep)
    run.add_trained(3600.0)
    end(run, [3.0])
    run_delete(run=run, user=people.tom)
    sweep.refresh_from_db()
    assert sweep_spent(sweep=sweep) == timedelta(hours=1)
    end(take(sweep), [3.0])
    sweep.refresh_from_db()
    assert (sweep.state, sweep.begun) == (RunState.SUCCEEDED, 2)


def test_the_time_left_follows_from_the_epochs_so_far(version: Any) -> None:
    sweep = start(version, values=RunValues(epochs=10))
    assert sweep_remaining(sweep=sweep) is None
    run = take(sweep)
    TrainingRun.objects.filter(pk=run.pk).update(epoch=5, started_at=timezone.now() - timedelta(hours=3))
    run.add_trained(50.0)
    sweep.refresh_from_db()
    remaining = sweep_remaining(sweep=sweep)
    # Ten seconds an epoch: five of the first, ten of each of the other three.
    assert remaining is not None
    assert remaining.total_seconds() == pytest.approx(350, abs=5)
