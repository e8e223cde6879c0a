"""Early stopping and memory that ran out: how they are asked for and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.events import Log
from tests.training.factories import RunFactory, VersionFactory, frozen_version
from tests.training.test_pages import form_of
from training.choices import RunState
from training.engine import events as ev
from training.models import TrainingRun
from training.services import checkpoints_prune, run_ingest_events

pytestmark = pytest.mark.django_db


def test_the_form_and_the_api_take_patience(tiny: Path, people: Any, page_for: Any, api_for: Any) -> None:
    version = frozen_version(people.tom, clips=6)
    body = form_of(version, early_stopping_patience="3", early_stopping_min_delta="0.05", keep_best="4")
    assert page_for(people.tom).post("/runs/new/", body).status_code == 302
    spec = TrainingRun.objects.get().spec
    assert (spec["early_stopping_patience"], spec["early_stopping_min_delta"], spec["keep_best"]) == (3, 0.05, 4)
    asked = {"name": "Two", "version": str(version.pk), "early_stopping_patience": 2, "keep_best": None}
    made = api_for(people.tom).post("/api/v1/training-runs/", asked).json()["spec"]
    assert (made["early_stopping_patience"], made["early_stopping_min_delta"], made["keep_best"]) == (2, 0.0, None)
    wrong = {**asked, "name": "Three", "early_stopping_patience": 0}
    error = api_for(people.tom).post("/api/v1/training-runs/", wrong).json()["error"]
    assert (error["code"], error["param"]) == ("spec_invalid", "early_stopping_patience")
    assert "got 0" in error["message"]


def test_the_form_and_the_api_let_the_score_decide(tiny: Path, people: Any, page_for: Any, api_for: Any) -> None:
    version = frozen_version(people.tom, clips=6)
    body = form_of(version, early_stopping_patience="3", early_stopping_on="score", prompt="Say this.")
    assert page_for(people.tom).post("/runs/new/", body).status_code == 302
    assert TrainingRun.objects.get().spec["early_stopping_on"] == "score"
    asked = {"name": "Two", "version": str(version.pk), "early_stopping_patience": 2, "early_stopping_on": "score"}
    made = api_for(people.tom).post("/api/v1/training-runs/", asked).json()
    assert made["spec"]["early_stopping_on"] == "score"
    assert "after 2 epochs without a better score" in page_for(people.tom).get(f"/runs/{made['id']}/").content.decode()
    # Without a patience nothing is watched, and the loss is what is watched by default.
    assert page_for(people.tom).post("/runs/new/", form_of(version, name="Three")).status_code == 302
    assert TrainingRun.objects.get(name="Three").spec["early_stopping_on"] == "loss"


def test_the_curve_of_the_scores_is_that_of_the_log(people: Any, api_for: Any) -> None:
    run = RunFactory(owner=people.tom)
    log = Log(run)
    log.started()
    for epoch, score in ((0, 0.4), (1, 0.5), (2, 0.7)):
        log.writer.write(ev.SCORE, epoch=epoch, score=score, figures={}, own={})
    run_ingest_events(run=run)
    told = api_for(people.tom).get(f"/api/v1/training-runs/{run.pk}/curves/").json()["scores"]
    assert told == {"epoch": [0, 1, 2], "score": [0.4, 0.5, 0.7]}


def test_a_run_that_stops_on_the_score_keeps_the_best_by_it_and_draws_it(people: Any, page_for: Any) -> None:
    spec = {"epochs": 9, "batch_size": 4, "keep_best": 1, "early_stopping_patience": 2, "early_stopping_on": "score"}
    run = RunFactory(owner=people.tom, version=VersionFactory(owner=people.tom), spec=spec, state=RunState.RUNNING)
    log = Log(run)
    log.started(epochs=9)
    for epoch, (loss, score) in enumerate(((5.0, 0.5), (4.0, 0.8), (3.0, 0.7), (3.5, 0.6)), start=1):
        log.epoch(epoch, loss)
        log.writer.write(ev.SCORE, epoch=epoch, score=score, figures={}, own={})
    # A second start forgets nothing of it.
    log.started(epochs=9, resumed_from=4)
    run_ingest_events(run=run)
    assert [row.epoch for row in checkpoints_prune(run=run)] == [1]
    assert 'data-curve="score"' in page_for(people.tom).get(f"/runs/{run.pk}/").content.decode()
    run.spec["early_stopping_on"] = "loss"
    run.save()
    assert 'data-curve="score"' not in page_for(people.tom).get(f"/runs/{run.pk}/").content.decode()


def test_patience_without_validation_clips_is_refused_beside_its_field(tiny: Path, people: Any, page_for: Any) -> None:
    # A single clip can only be trained on.
    version = frozen_version(people.tom, clips=1)
    assert version.clips_validation == 0
    answer = page_for(people.tom).post("/runs/new/", form_of(version, early_stopping_patience="3"))
    assert answer.status_code == 400
    assert "has no validation clips" in answer.content.decode()
    assert not TrainingRun.objects.exists()


def test_the_page_tells_where_memory_ran_out_and_that_the_run_stopped_early(people: Any, page_for: Any) -> None:
    spec = {"epochs": 9, "batch_size": 4, "early_stopping_patience": 2, "early_stopping_min_delta": 0.1}
    run = RunFactory(
        owner=people.tom, version=VersionFactory(owner=people.tom), spec=spec, state=RunState.RUNNING, epochs_total=9
    )
    log = Log(run)
    log.started(epochs=9)
    log.writer.write(ev.MEMORY, epoch=1, step=2, batch_size=2, accumulation=2)
    log.epoch(1, 5.0)
    log.epoch(2, 5.1)
    log.epoch(3, 5.2)
    log.writer.write(ev.FINISHED, best_epoch=1, stopped_early_at=3)
    run_ingest_events(run=run)
    assert run.succeed()
    assert run.epoch == 3
    html = page_for(people.tom).get(f"/runs/{run.pk}/").content.decode()
    assert "Memory ran out at step 2: since then 2 clips at a time, 2 times a step." in html
    assert "After epoch 3: 2 epochs had brought no better validation loss." in html
    assert "after 2 epochs without a better validation loss (by 0.1)" in html
