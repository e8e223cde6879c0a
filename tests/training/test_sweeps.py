"""A sweep begins its trials one after the other, judges them, survives what happens to it, and ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from datasets.services.datasets import dataset_delete
from tests.training.factories import CheckpointFactory, RunFactory, VersionFactory, frozen_version
from training.choices import RunState, Scored
from training.engine.search import Space
from training.engine.sizes import features_bytes
from training.models import Scorecard, Sweep, TrainingRun
from training.services import (
    RunValues,
    Search,
    run_cancel,
    sweep_cancel,
    sweep_create,
    sweep_delete,
    sweep_go_on,
    sweep_preflight,
    sweep_remaining,
    sweep_trials,
    sweeps_resume,
    trial_follow,
    values_of,
)
from training.services.trials import trial_hopeless
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.tasks import run as do_job
from xttsproject.lib.errors import DomainError

pytestmark = pytest.mark.django_db

RANKS = {"lora_rank": {"values": [2, 4, 8, 16]}}


@pytest.fixture(autouse=True)
def model(settings: Any, random_bundle: Path) -> None:
    settings.MODELS_DIR, settings.XTTS_BUNDLE = random_bundle.parent, random_bundle.name


@pytest.fixture
def version(people: Any) -> Any:
    return frozen_version(people.tom, clips=5)


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


# --- trials ---------------------------------------------------------------------------------------------------------


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


def test_the_same_seed_draws_the_same_points(version: Any) -> None:
    space = {"learning_rate": {"low": 1e-5, "high": 1e-2}, "batch_size": {"values": [1, 2]}}
    one = start(version, space=space, method="sobol", budget_runs=6, seed=3, name="One")
    two = start(version, space=space, method="sobol", budget_runs=6, seed=3, name="Two")
    other = start(version, space=space, method="sobol", budget_runs=6, seed=4, name="Other")
    assert len(one.plan) == 6
    assert one.plan == two.plan != other.plan


def test_no_trial_begins_once_the_hours_are_used_up(version: Any) -> None:
    sweep = start(version, budget_hours=1.0)
    run = take(sweep)
    TrainingRun.objects.filter(pk=run.pk).update(started_at=timezone.now() - timedelta(hours=2))
    waiting = sweep.trials.get(state=RunState.QUEUED)
    end(run, [3.0])
    # The one that waits was begun before; it is trained, and then nothing follows.
    assert take(sweep) == waiting
    end(waiting, [3.0])
    sweep.refresh_from_db()
    assert (sweep.state, states(sweep)) == (RunState.SUCCEEDED, ["succeeded", "succeeded"])


# --- what goes wrong ------------------------------------------------------------------------------------------------


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


# --- the median rule ------------------------------------------------------------------------------------------------


def test_a_trial_is_judged_by_the_others_and_only_once(version: Any) -> None:
    sweep = start(version, space={"lora_rank": {"values": [1, 2, 4, 8, 16]}}, grace_epochs=2)
    for losses in ([4.0, 3.0], [4.0, 3.2], [4.0, 3.4]):
        end(take(sweep), losses)
    run = take(sweep)
    CheckpointFactory(run=run, epoch=1, validation_loss=9.0)
    TrainingRun.objects.filter(pk=run.pk).update(epoch=1)
    run.refresh_from_db()
    assert trial_hopeless(run=run) == ""
    CheckpointFactory(run=run, epoch=2, validation_loss=8.0)
    TrainingRun.objects.filter(pk=run.pk).update(epoch=2)
    run.refresh_from_db()
    reason = trial_hopeless(run=run)
    assert reason.startswith("Stopped after epoch 2: its best validation loss so far, 8.000, is worse than 3.600")
    run.mark_cancelled(reason)
    assert run.was_stopped
    counted: Any = Sweep.objects.with_trials().get()
    assert counted.trials_stopped == 1
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


def test_the_time_left_follows_from_the_epochs_so_far(version: Any) -> None:
    sweep = start(version, values=RunValues(epochs=10))
    assert sweep_remaining(sweep=sweep) is None
    run = take(sweep)
    now = timezone.now()
    TrainingRun.objects.filter(pk=run.pk).update(epoch=5, started_at=now - timedelta(seconds=50))
    sweep.refresh_from_db()
    remaining = sweep_remaining(sweep=sweep)
    # Ten seconds an epoch: five of the first, ten of each of the other three.
    assert remaining is not None
    assert remaining.total_seconds() == pytest.approx(350, abs=5)


def test_a_dataset_under_a_sweep_is_kept_and_it_is_said_what_stands_on_it(version: Any) -> None:
    sweep = start(version)
    with pytest.raises(DomainError, match="cannot be deleted: 1 training run and 1 sweep stand on it") as caught:
        dataset_delete(dataset=version.dataset)
    assert caught.value.code == "in_use"
    sweep_cancel(sweep=sweep)
    TrainingRun.objects.all().delete()
    with pytest.raises(DomainError, match="cannot be deleted: 1 sweep stands on it"):
        dataset_delete(dataset=version.dataset)


# --- before it starts -----------------------------------------------------------------------------------------------


def preflight(version: Any, *, space: Any = RANKS, values: RunValues | None = None, **search: Any) -> Any:
    chosen = Search(space=Space.from_dict(space), **{"method": "grid", **search})
    return sweep_preflight(
        owner=version.dataset.owner, version=version, values=values or RunValues(epochs=5), search=chosen
    )


def test_the_preflight_counts_trials_hours_and_disk(version: Any) -> None:
    found = preflight(version)
    assert (found.trials, found.left_out, found.epochs, found.seconds) == (4, 0, 20, None)
    one = preflight(version, space={"lora_rank": {"values": [16]}}).disk_bytes
    features = features_bytes(version.seconds_train, version.seconds_validation, altered=False)
    # Audio codes are kept once for all trials.
    assert features > 0
    assert found.disk_bytes == 4 * (one - features) + features
    smaller = preflight(version, budget_runs=3)
    assert (smaller.trials, smaller.left_out) == (3, 1)
    # By a run of this model that came to its end: 10 steps of half a second over 2 epochs of 4 clips.
    sweep = start(version)
    run = take(sweep)
    run.facts["clips_train"] = 4
    run.seconds_per_step, run.steps_total, run.epochs_total = 0.5, 10, 2
    run.save()
    end(run, [3.0])
    per_clip = 0.5 * 10 / (2 * 4)
    timed = preflight(version, budget_hours=0.001)
    assert timed.seconds == pytest.approx(20 * version.clips_train * per_clip)
    assert timed.hours_cut_it
    # A step of full fine-tuning takes longer than one of adapters: what one took tells nothing of the other.
    assert preflight(version, space={"method": {"values": ["lora", "full"]}}).seconds is None
    assert preflight(version, space={"lora_rank": {"values": [2, 4]}}, method="random", budget_runs=9).trials == 2


def test_a_sweep_of_hours_needs_the_disk_of_the_trials_that_they_can_hold(version: Any) -> None:
    wide = {"learning_rate": {"low": 1e-5, "high": 1e-3}}
    common: dict[str, Any] = {"space": wide, "method": "random", "values": RunValues(epochs=2, method="full")}
    one = preflight(version, **common, budget_runs=1).disk_bytes
    features = features_bytes(version.seconds_train, version.seconds_validation, altered=False)
    # Nothing has been timed: those that begin at once.
    unknown = preflight(version, **common, budget_hours=1.0, parallel=2)
    assert (unknown.trials, unknown.disk_trials) == (200, 2)
    assert unknown.disk_bytes == 2 * (one - features) + features
    # An epoch of a quarter of an hour for as many clips: of trials of one epoch at least an hour holds four.
    facts = {"clips_train": version.clips_train}
    spec = {"method": "full", "precision": RunValues().precision}
    timed = {"seconds_per_step": 900.0, "steps_total": 2, "epochs_total": 2, "facts": facts, "spec": spec}
    RunFactory(owner=version.dataset.owner, bundle=settings.XTTS_BUNDLE, **timed)
    known = preflight(version, **common, budget_hours=1.0, grace_epochs=1)
    assert known.disk_trials == 4 + 1
    # Trials that nothing stops make two epochs each.
    assert preflight(version, **common, budget_hours=1.0, stop_unpromising=False).disk_trials == 2 + 1
    # Two trials need no more room than two, however many hours there are.
    assert preflight(version, **common, budget_hours=100.0, budget_runs=2).disk_trials == 2


def test_altered_references_and_kinds_of_training_are_searched_like_numbers(version: Any) -> None:
    space = {"augment_conditioning": {"values": [False, True]}, "method": {"values": ["lora", "full"]}}
    # The whole model in every checkpoint needs the most room.
    only_lora = preflight(version, space={"augment_conditioning": {"values": [False, True]}})
    found = preflight(version, space=space)
    assert found.trials == 4
    assert found.disk_bytes / 4 > only_lora.disk_bytes / 2
    sweep = start(version, space=space)
    end(take(sweep), [3.0])
    second = take(sweep)
    assert (second.spec["augment_conditioning"], second.spec["method"]) == (False, "full")
    assert sweep_trials(sweep=sweep)[0].values == (("Alter the references", "off"), ("What is trained", "lora"))


@pytest.mark.parametrize(
    ("space", "search", "code", "field", "said"),
    [
        ({"lora_rank": {"values": [0, 4]}}, {}, "space_invalid", "space.lora_rank", "at least 1"),
        ({"learning_rate": {"values": [2.0]}}, {}, "space_invalid", "space.learning_rate", "at most 1"),
        ({"batch_size": {"low": 1, "high": 5000}}, {"method": "random", "budget_runs": 2}, "space_invalid",
         "space.batch_size", "at most 4096"),
        ({"learning_rate": {"low": 1e-5, "high": 1e-3}}, {}, "space_invalid", "space.learning_rate", "a range"),
        (RANKS, {"method": "random"}, "budget_missing", "budget_runs", "how many trials"),
        (RANKS, {"budget_runs": 0}, "budget_invalid", "budget_runs", "1 to 200"),
        (RANKS, {"budget_hours": -1.0}, "budget_invalid", "budget_hours", "more than 0"),
        ({"epochs": {"values": list(range(1, 21))}, "lora_rank": {"values": list(range(1, 21))}}, {}, "budget_missing",
         "budget_runs", "400 points"),
        (RANKS, {"parallel": 0}, "search_invalid", "parallel", "from 1"),
        (RANKS, {"method": "wild"}, "method_unknown", "search_method", "wild"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused_before_anything_starts(
    version: Any, space: Any, search: Any, code: str, field: str, said: str
) -> None:
    with pytest.raises(DomainError) as caught:
        preflight(version, space=space, **search)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert said in caught.value.message
    assert not Job.objects.exists()


def test_stopping_by_the_validation_loss_needs_validation_clips(people: Any) -> None:
    version = VersionFactory(owner=people.tom, clips_validation=0)
    with pytest.raises(DomainError) as caught:
        preflight(version)
    assert (caught.value.code, caught.value.field) == ("validation_missing", "stop_unpromising")


def test_a_name_is_taken_once_and_only_by_trainers(version: Any, people: Any) -> None:
    start(version)
    with pytest.raises(DomainError) as twice:
        start(version)
    assert (twice.value.code, twice.value.field) == ("duplicate", "name")
    version.dataset.owner = people.anna
    with pytest.raises(DomainError) as stranger:
        start(version, name="Mine")
    assert stranger.value.code == "forbidden"


def test_the_values_of_a_run_can_be_chosen_again(version: Any, work: Callable[[], list[str]]) -> None:
    chosen = RunValues(epochs=7, lora_rank=4, warmup_fraction=0.2, prompts=("My own line.",), keep_best=None)
    sweep = start(version, values=chosen, space={"batch_size": {"values": [2]}})
    again = values_of(run=sweep.trials.get())
    assert again.batch_size == 2
    assert (again.epochs, again.lora_rank, again.warmup_fraction, again.keep_best) == (7, 4, 0.2, None)
    assert (tuple(again.prompts), again.fixed_prompts) == (("My own line.",), True)
