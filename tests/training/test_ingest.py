"""A run's log becomes rows, each once, however often and from wherever it is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.training.events import Log
from tests.training.factories import RunFactory
from training.choices import RunState
from training.engine import events as ev
from training.models import TrainingRun
from training.services import run_ingest_events

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(people: Any) -> TrainingRun:
    return RunFactory(owner=people.tom, state=RunState.RUNNING, epochs_total=0, steps_total=0)


def rows(run: TrainingRun) -> dict[str, Any]:
    """Everything that ingestion makes, without the keys and times of the rows."""
    return {
        "checkpoints": list(run.checkpoints.order_by("epoch").values_list("epoch", "sha256", "is_best", "train_loss")),
        "samples": list(run.samples.order_by("epoch", "prompt_index").values_list("epoch", "prompt_index", "path")),
    }


def write_two_epochs(run: TrainingRun) -> Log:
    log = Log(run)
    log.started()
    log.sample(0)
    log.steps(1, (1, 2, 3))
    log.epoch(1, validation=6.0, train=7.0)
    log.steps(2, (4, 5, 6))
    log.epoch(2, validation=5.0, train=6.0)
    return log


def test_the_log_becomes_figures_checkpoints_and_samples(run: TrainingRun) -> None:
    write_two_epochs(run)
    events = run_ingest_events(run=run)
    assert len(events) == 14
    run.refresh_from_db()
    assert (run.epochs_total, run.steps_total, run.epoch, run.step) == (3, 9, 2, 6)
    assert run.loss == pytest.approx(4.94)
    assert run.learning_rate == pytest.approx(6e-4)
    assert run.clips_per_second == 4.0
    assert run.base_validation_loss == 9.5
    assert run.device == "cpu"
    assert run.facts["left_out"] == [{"id": "007", "reason": "it has no text"}]
    assert run.progress == pytest.approx(6 / 9)
    first, second = run.checkpoints.order_by("epoch")
    assert (first.validation_loss, first.validation_loss_text, first.validation_loss_mel) == (6.0, 7.0, 5.93)
    assert (first.train_loss, first.bytes, first.step) == (7.0, 4001, 3)
    assert (first.is_best, second.is_best) == (False, True)
    assert [(sample.epoch, sample.checkpoint) for sample in run.samples.order_by("epoch")] == [
        (0, None),
        (1, first),
        (2, second),
    ]


def test_reading_again_from_the_start_changes_nothing(run: TrainingRun) -> None:
    write_two_epochs(run)
    run_ingest_events(run=run)
    once, keys = rows(run), set(run.checkpoints.values_list("pk", flat=True))
    assert run_ingest_events(run=run) == []
    # As after a crash between the log and the mark.
    TrainingRun.objects.filter(pk=run.pk).update(events_seen=0)
    again = TrainingRun.objects.get(pk=run.pk)
    assert len(run_ingest_events(run=again)) == 14
    assert rows(run) == once
    assert set(run.checkpoints.values_list("pk", flat=True)) == keys


def test_a_half_written_line_waits_for_its_other_half(run: TrainingRun) -> None:
    log = write_two_epochs(run)
    run_ingest_events(run=run)
    whole = json.dumps({"seq": 15, "time": 2e9, "event": "step", **_step(7)}).encode() + b"\n"
    with open(log.path, "ab") as out:
        out.write(whole[:40])
    assert run_ingest_events(run=run) == []
    assert run.step == 6
    with open(log.path, "ab") as out:
        out.write(whole[40:])
    assert [event.seq for event in run_ingest_events(run=run)] == [15]
    assert run.step == 7


def test_what_a_dying_process_left_of_a_line_is_passed_over(run: TrainingRun) -> None:
    log = write_two_epochs(run)
    with open(log.path, "ab") as out:
        out.write(b'{"seq": 15, "time": 1.0, "event": "st')
    log = Log(run)
    log.started(resumed_from=2)
    log.steps(3, (7,))
    kinds = [event.kind for event in run_ingest_events(run=run)]
    assert kinds[-2:] == [ev.STARTED, ev.STEP]
    assert (run.step, run.facts["resumed_from_epoch"]) == (7, 2)


def test_a_repeated_epoch_takes_the_place_of_the_earlier_one(run: TrainingRun) -> None:
    write_two_epochs(run)
    run_ingest_events(run=run)
    log = Log(run)
    log.started(resumed_from=1)
    log.steps(2, (4, 5, 6))
    log.epoch(2, validation=6.5, train=5.5, sha256="f" * 64)
    log.writer.write(ev.FINISHED, best_epoch=1)
    run_ingest_events(run=run)
    assert rows(run)["checkpoints"] == [(1, f"{1:064x}", True, 7.0), (2, "f" * 64, False, 5.5)]
    assert [sample[0] for sample in rows(run)["samples"]] == [0, 1, 2]


def test_without_validation_clips_the_training_loss_names_the_best(run: TrainingRun) -> None:
    log = Log(run)
    log.started()
    log.epoch(1, validation=None, train=4.0)
    log.epoch(2, validation=None, train=3.0)
    log.epoch(3, validation=None, train=3.0)
    run_ingest_events(run=run)
    assert list(run.checkpoints.filter(is_best=True).values_list("epoch", flat=True)) == [2]
    assert run.base_validation_loss is None


def test_the_expected_time_follows_the_steps_since_the_last_start(run: TrainingRun) -> None:
    log = Log(run)
    log.started()
    run_ingest_events(run=run)
    with open(log.path, "ab") as out:
        for step, moment in ((1, 100.0), (2, 102.0), (3, 106.0)):
            event = {"seq": 1 + step, "time": moment, "event": "step", **_step(step)}
            out.write(json.dumps(event).encode() + b"\n")
    run_ingest_events(run=run)
    assert run.seconds_per_step == 3.0
    assert run.remaining is not None
    assert run.remaining.total_seconds() == 6 * 3.0
    Log(run).started(resumed_from=1)
    run_ingest_events(run=run)
    assert run.remaining is None


def test_a_run_without_a_log_has_nothing_to_read(run: TrainingRun) -> None:
    assert run_ingest_events(run=run) == []
    assert run.events_seen == 0


def _step(step: int) -> dict[str, Any]:
    return {
        "epoch": 3,
        "step": step,
        "loss": 1.0,
        "loss_text": 1.0,
        "loss_mel": 1.0,
        "learning_rate": 1e-4,
        "clips_per_second": 2.0,
    }
