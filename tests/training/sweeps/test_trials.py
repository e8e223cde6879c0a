"""A sweep begins its trials one after the other, judges them, and ends."""

from __future__ import annotations

from typing import Any

import pytest

from datasets.services.datasets import dataset_delete
from tests.training.factories import CheckpointFactory
from tests.training.sweeps.steps import end, start, states, take
from training.choices import RunState, Scored
from training.models import Scorecard, Sweep, TrainingRun
from training.services import (
    sweep_cancel,
    sweep_trials,
    sweeps_resume,
)
from training.services.trials import trial_hopeless
from xttsproject.lib.errors import DomainError

pytestmark = pytest.mark.django_db


def test_a_grid_is_tried_point_by_point_and_the_sweep_ends_with_the_last(version: Any) -> None:
    sweep = start(version)
    assert sweep.state == RunState.RUNNING
    assert sweep.plan == [{"lora_rank": rank} for rank in (2, 4, 8, 16)]
    for place, loss in enumerate((4.0, 3.0, 3.5, 4.5)):
        run = take(sweep)
        assert (run.trial, run.spec["lora"]["rank"]) == (place, sweep.plan[place]["lora_rank"])
        # Adapters act as strongly at every rank.
        assert run.spec["lora"]["alpha"] == 2 * run.spec["lora"]["rank"]
        end(run, [loss + 1, loss])
    sweep.refresh_from_db()
    assert (sweep.state, sweep.begun) == (RunState.SUCCEEDED, 4)
    table = sweep_trials(sweep=sweep)
    assert [trial.run.trial for trial in table] == [1, 2, 0, 3]
    assert (table[0].loss, table[0].best.epoch if table[0].best else 0) == (3.0, 2)
    assert table[0].values == (("LoRA rank", "4"),)
    assert [run.name for run in sweep.trials.order_by("trial")] == [f"Ranks · {number}" for number in (1, 2, 3, 4)]


def test_one_trial_at_most_waits_and_each_free_worker_takes_one(version: Any) -> None:
    sweep = start(version)
    assert states(sweep) == ["queued"]
    take(sweep)
    assert states(sweep) == ["running", "queued"]
    # Whatever calls for the next trial twice, nothing more begins.
    for _ in range(3):
        assert sweeps_resume() == 0
    take(sweep)
    take(sweep)
    assert states(sweep) == ["running", "running", "running", "queued"]
    take(sweep)
    assert states(sweep) == ["running"] * 4


def test_no_more_than_asked_for_are_at_work_at_once(version: Any) -> None:
    sweep = start(version, parallel=2)
    first, _second = take(sweep), take(sweep)
    assert states(sweep) == ["running", "running"]
    end(first, [3.0])
    assert states(sweep) == ["succeeded", "running", "queued"]


def test_a_scored_trial_comes_before_one_with_a_lower_loss(version: Any) -> None:
    sweep = start(version)
    for losses in ([4.0, 3.9], [3.0, 2.0]):
        end(take(sweep), losses)
    checkpoint = sweep.trials.get(trial=0).checkpoints.get(epoch=1)
    Scorecard.objects.create(
        run=checkpoint.run, checkpoint=checkpoint, subject=Scored.CHECKPOINT, epoch=1, composite=0.7, key="k"
    )
    first = sweep_trials(sweep=sweep)[0]
    assert (first.run.trial, first.score, first.loss) == (0, 0.7, 3.9)
    # The voice is made of what was scored best, not of what lost least.
    assert first.best == checkpoint


def test_trials_that_were_scored_by_other_figures_are_ranked_by_those_that_all_have(version: Any) -> None:
    sweep = start(version)
    # The first was scored before there was a transcription model: nobody listened for its errors.
    for similarity, errors, composite in ((0.5, None, 1.0), (0.6, 0.4, 0.8)):
        run = take(sweep)
        end(run, [3.0])
        Scorecard.objects.create(run=run, subject=Scored.SPEAKER, figures={"similarity": 0.7}, key="k")
        Scorecard.objects.create(
            run=run,
            checkpoint=run.checkpoints.get(),
            subject=Scored.CHECKPOINT,
            epoch=1,
            figures={"similarity": similarity, "character_error_rate": errors},
            composite=composite,
            key="k",
        )
    first, second, *_ = sweep_trials(sweep=sweep)
    # 0.5 below the speaker nothing is kept.
    assert [(trial.run.trial, trial.score) for trial in (first, second)] == [(1, 0.8), (0, 0.6)]


def test_the_same_seed_draws_the_same_points(version: Any) -> None:
    space = {"learning_rate": {"low": 1e-5, "high": 1e-2}, "batch_size": {"values": [1, 2]}}
    one = start(version, space=space, method="sobol", budget_runs=6, seed=3, name="One")
    two = start(version, space=space, method="sobol", budget_runs=6, seed=3, name="Two")
    other = start(version, space=space, method="sobol", budget_runs=6, seed=4, name="Other")
    assert len(one.plan) == 6
    assert one.plan == two.plan != other.plan


def test_a_trial_is_judged_by_the_others_and_only_once(version: Any) -> None:
    sweep = start(version, space={"lora_rank": {"values": [1, 2, 4, 8, 16]}}, grace_epochs=2)
    for losses in ([4.0, 3.0], [4.0, 3.2], [4.0, 3.4]):
        end(take(sweep), losses)
    run = take(sweep)
    CheckpointFactory(run=run, epoch=1, validation_loss=9.0)
    TrainingRun.objects.filter(pk=run.pk).update(epoch=1, step=4)
    run.refresh_from_db()
    assert trial_hopeless(run=run) == ""
    CheckpointFactory(run=run, epoch=2, validation_loss=8.0)
    TrainingRun.objects.filter(pk=run.pk).update(epoch=2, step=8)
    run.refresh_from_db()
    reason = trial_hopeless(run=run)
    assert reason.startswith("Stopped after epoch 2: its best validation loss so far, 8.000, is worse than 3.600")
    run.mark_cancelled(reason)
    assert (run.was_stopped, run.stop_label) == (True, "Stopped early")
    counted: Any = Sweep.objects.with_trials().get()
    assert (counted.trials_stopped, counted.trials_not_begun) == (1, 0)
    # Somebody resumes it all the same.
    run.requeue()
    assert trial_hopeless(run=run) == ""
    assert not run.was_stopped
    # Now it is a person who ends it; it is not judged by the rule if it goes on once more.
    run.mark_cancelled()
    assert (run.state, run.stop_reason != "") == (RunState.CANCELLED, True)
    assert not run.was_stopped
    counted = Sweep.objects.with_trials().get()
    assert counted.trials_stopped == 0
    run.requeue()
    assert (run.error_code, trial_hopeless(run=run)) == ("", "")
    Sweep.objects.update(stop_unpromising=False)
    run.stop_reason = ""
    assert trial_hopeless(run=run) == ""


def test_a_dataset_under_a_sweep_is_kept_and_it_is_said_what_stands_on_it(version: Any) -> None:
    sweep = start(version)
    with pytest.raises(DomainError, match="cannot be deleted: 1 training run and 1 sweep stand on it") as caught:
        dataset_delete(dataset=version.dataset)
    assert caught.value.code == "in_use"
    sweep_cancel(sweep=sweep)
    TrainingRun.objects.all().delete()
    with pytest.raises(DomainError, match="cannot be deleted: 1 sweep stands on it"):
        dataset_delete(dataset=version.dataset)
