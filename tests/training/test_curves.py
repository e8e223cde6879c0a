"""The chart's points are those of the run as it went in the end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.training.events import Log
from tests.training.factories import RunFactory
from training.models import TrainingRun
from training.services import run_curves, run_ingest_events

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(people: Any) -> TrainingRun:
    return RunFactory(owner=people.tom)


def test_before_the_first_event_there_are_no_points(run: TrainingRun) -> None:
    curves = run_curves(run=run)
    assert curves.steps.step == []
    assert curves.epochs.epoch == []


def test_each_step_and_epoch_is_a_point(run: TrainingRun) -> None:
    log = Log(run)
    log.started()
    log.steps(1, (1, 2, 3))
    log.epoch(1, validation=6.0, train=7.0)
    curves = run_curves(run=run)
    assert curves.steps.step == [1, 2, 3]
    assert curves.steps.loss == pytest.approx([4.99, 4.98, 4.97])
    assert curves.steps.learning_rate == pytest.approx([1e-4, 2e-4, 3e-4])
    assert (curves.epochs.step, curves.epochs.validation_loss, curves.epochs.train_loss) == ([3], [6.0], [7.0])


def test_speech_and_text_have_curves_of_their_own_from_the_base_model_on(run: TrainingRun) -> None:
    log = Log(run)
    log.started()
    log.steps(1, (1, 2, 3))
    log.epoch(1, validation=6.0)
    run_ingest_events(run=run)
    curves = run_curves(run=run)
    assert curves.steps.loss_text == [6.0] * 3
    assert curves.steps.loss_mel == [4.0] * 3
    assert (curves.epochs.validation_loss_text, curves.epochs.validation_loss_mel) == ([7.0], [5.93])
    base = (curves.base_validation_loss, curves.base_validation_loss_text, curves.base_validation_loss_mel)
    assert base == (9.5, 7, 9.4)
    # What the untrained model was measured at outlives a resume, which tells all other facts anew.
    log.started(resumed_from=1)
    run_ingest_events(run=run)
    assert run_curves(run=run).base_validation_loss_mel == 9.4


def test_long_runs_are_averaged_and_end_with_their_last_step(run: TrainingRun) -> None:
    log = Log(run)
    log.started(epochs=1)
    log.steps(1, range(1, 2502))
    curves = run_curves(run=run)
    assert len(curves.steps.step) <= 1000
    assert curves.steps.step[0] == 3
    assert curves.steps.step[-1] == 2501
    assert curves.steps.loss[0] == pytest.approx(5.0 - 2 / 100)


def test_after_a_resume_the_repeated_steps_count_and_the_lost_ones_are_gone(run: TrainingRun) -> None:
    log = Log(run)
    log.started()
    log.steps(1, (1, 2, 3))
    log.epoch(1, validation=6.0)
    log.steps(2, (4, 5, 6))
    log.epoch(2, validation=5.0)
    log.steps(3, (7, 8))
    # Killed; the last state that was kept is that of step 3.
    log = Log(run)
    log.started(resumed_from=1)
    assert run_curves(run=run).steps.step == [1, 2, 3, 4, 5, 6, 7, 8]
    log.steps(2, (4, 5), loss=3.0)
    curves = run_curves(run=run)
    assert curves.steps.step == [1, 2, 3, 4, 5]
    assert curves.steps.loss[3:] == pytest.approx([2.96, 2.95])
    assert curves.epochs.epoch == [1]
    log.steps(2, (6,), loss=3.0)
    log.epoch(2, validation=4.5)
    assert run_curves(run=run).epochs.validation_loss == [6.0, 4.5]


def test_a_run_that_was_cancelled_within_an_epoch_keeps_the_steps_before(run: TrainingRun) -> None:
    log = Log(run)
    log.started()
    log.steps(1, (1, 2, 3))
    log.epoch(1, validation=6.0)
    log.steps(2, (4,))
    log = Log(run)
    log.started(resumed_from=1)
    log.steps(2, (5,))
    assert run_curves(run=run).steps.step == [1, 2, 3, 4, 5]
