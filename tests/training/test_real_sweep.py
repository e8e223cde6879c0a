"""Sweeps whose trials really train, in their processes, on a small model of random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.factories import CheckpointFactory, RunFactory, frozen_version
from training.choices import RunState
from training.engine.search import Space
from training.services import RunValues, Search, sweep_create, sweep_trials
from training.services.execution import PROCESS
from xttsproject.jobs.models import Job

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

QUICK: dict[str, Any] = {"batch_size": 4, "lora_rank": 2, "prompts": ("A line.",), "fixed_prompts": False}


@pytest.fixture(autouse=True)
def quiet_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's database lives in one transaction, to which the heartbeat's thread cannot write."""
    monkeypatch.setattr("xttsproject.jobs.context.BEAT_SECONDS", 3600)


@pytest.fixture(autouse=True)
def model(settings: Any, random_bundle: Path) -> None:
    settings.MODELS_DIR, settings.XTTS_BUNDLE = random_bundle.parent, random_bundle.name
    settings.DEVICE, settings.TRAINING_THREADS = "cpu", 1


def test_a_sweep_finds_the_rate_that_learns(people: Any, work: Callable[[], list[str]], page_for: Any) -> None:
    sweep = sweep_create(
        owner=people.tom,
        version=frozen_version(people.tom, clips=5),
        name="Rates",
        values=RunValues(epochs=2, **QUICK),
        search=Search(space=Space.from_dict({"learning_rate": {"values": [1e-7, 1e-2]}}), method="grid"),
    )
    # The drawing of the points, then the two trials.
    assert work() == ["succeeded"] * 3, Job.objects.values_list("error", flat=True)
    sweep.refresh_from_db()
    assert (sweep.state, sweep.begun) == (RunState.SUCCEEDED, 2)
    first, second = sweep_trials(sweep=sweep)
    assert first.point == {"learning_rate": 1e-2}
    assert (first.loss or 9) < (second.loss or 0)
    assert first.best is not None
    assert first.best.weights_path.is_file()
    html = page_for(people.tom).get(f"/voices/add/?checkpoint={first.best.pk}").content.decode()
    assert first.run.name in html


def test_a_hopeless_trial_is_stopped_after_an_epoch_and_goes_on_where_a_person_wants_it(
    people: Any, work: Callable[[], list[str]]
) -> None:
    sweep = sweep_create(
        owner=people.tom,
        version=frozen_version(people.tom, clips=5),
        name="Rates",
        values=RunValues(epochs=400, **QUICK),
        search=Search(space=Space.from_dict({"learning_rate": {"values": [1e-7]}}), method="grid", grace_epochs=1),
    )
    for number in (1, 2, 3):
        other = RunFactory(owner=people.tom, version=sweep.version, sweep=sweep, trial=number, state=RunState.SUCCEEDED)
        for epoch in range(1, 6):
            CheckpointFactory(run=other, epoch=epoch, validation_loss=0.5)
    assert work() == ["succeeded", "cancelled"]
    run = sweep.trials.get(trial=0)
    assert run.was_stopped
    assert run.epoch < 400
    assert "worse than 0.500, the median of 3 other trials" in run.stop_reason
    assert not (run.folder / PROCESS).exists()
    sweep.refresh_from_db()
    assert sweep.state == RunState.SUCCEEDED
    assert run.can_resume
