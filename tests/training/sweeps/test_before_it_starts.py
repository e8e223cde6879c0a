"""What a sweep would come to, and what is refused before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings

from tests.training.factories import RunFactory, VersionFactory
from tests.training.sweeps.steps import RANKS, end, start, take
from training.engine.search import Space
from training.engine.sizes import features_bytes
from training.services import (
    RunValues,
    Search,
    sweep_preflight,
    sweep_trials,
    values_of,
)
from xttsproject.jobs.models import Job
from xttsproject.lib.errors import DomainError

pytestmark = pytest.mark.django_db


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
