"""The chart's points are those of the run as it went in the end."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.training.events import Log
from tests.training.factories import RunFactory
from training.engine.events import Event
from training.engine.launch import EVENTS
from training.models import TrainingRun
from training.services import run_curves, run_ingest_events
from training.services.curvelog import LossLogs
from training.services.eventlog import read_on

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


# --- reading on -----------------------------------------------------------------------------------------------------


def test_a_second_look_reads_only_what_was_written_since(run: TrainingRun, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(run)
    log.started()
    log.steps(1, (1, 2, 3))
    assert run_curves(run=run).steps.step == [1, 2, 3]
    size = log.path.stat().st_size
    read: list[int] = []

    def watched(path: Path, offset: int) -> tuple[list[Event], int]:
        read.append(offset)
        return read_on(path, offset)

    monkeypatch.setattr("training.services.curvelog.read_on", watched)
    log.epoch(1, validation=6.0)
    log.steps(2, (4, 5))
    curves = run_curves(run=run)
    assert (curves.steps.step, curves.epochs.epoch) == ([1, 2, 3, 4, 5], [1])
    assert read
    assert min(read) == size


def test_a_line_that_is_still_being_written_is_waited_for(run: TrainingRun) -> None:
    log = Log(run)
    log.started()
    log.steps(1, (1, 2))
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:-5])
    assert run_curves(run=run).steps.step == [1]
    with log.path.open("ab") as handle:
        handle.write(whole[-5:])
    assert run_curves(run=run).steps.step == [1, 2]


def test_another_log_in_the_same_place_is_read_from_its_start(run: TrainingRun) -> None:
    log = Log(run)
    log.started()
    log.steps(1, (1, 2, 3))
    assert run_curves(run=run).steps.step == [1, 2, 3]
    log.path.unlink()
    assert run_curves(run=run).steps.step == []
    log = Log(run)
    log.started()
    log.steps(1, range(1, 9), loss=2.0)
    curves = run_curves(run=run)
    assert curves.steps.step == list(range(1, 9))
    assert curves.steps.loss[0] == pytest.approx(1.99)


def test_stretches_after_many_looks_are_those_of_a_single_one(run: TrainingRun) -> None:
    log = Log(run)
    log.started(epochs=1)
    for first in range(1, 400, 7):
        log.steps(1, range(first, first + 7))
        run_curves(run=run, points=100)
    looked = run_curves(run=run, points=100)
    with LossLogs().reading(log.path) as anew:
        assert looked.steps == anew.averaged(100)
    assert len(looked.steps.step) <= 100


def test_logs_that_nobody_asked_for_lately_make_room(tmp_path: Path) -> None:
    logs = LossLogs(most_steps=10)
    for name in "abc":
        run = SimpleNamespace(folder=tmp_path / name)
        Log(run).steps(1, range(1, 6))  # type: ignore[arg-type]
        with logs.reading(tmp_path / name / EVENTS) as log:
            assert len(log.losses) == 5
    assert len(logs) == 2
    # The one that is asked for is kept however long it is.
    Log(SimpleNamespace(folder=tmp_path / "long")).steps(1, range(1, 40))  # type: ignore[arg-type]
    with logs.reading(tmp_path / "long" / EVENTS):
        pass
    assert len(logs) == 1
