"""What a run's page tells while it trains: memory, rate, and the end of the log, to whom it may be shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.training.events import Log
from tests.training.factories import RunFactory
from training.choices import RunState
from training.engine import launch
from training.models import TrainingRun
from training.services import run_ingest_events, run_log_tail

pytestmark = pytest.mark.django_db

GIB = 1024**3


@pytest.fixture
def run(people: Any) -> TrainingRun:
    return RunFactory(owner=people.tom, state=RunState.RUNNING)


def facts(page: Any, run: TrainingRun) -> str:
    return str(page.get(f"/runs/{run.pk}/facts/").content.decode()).replace("\xa0", " ")


def test_the_figures_name_rate_and_memory_of_a_processor(people: Any, page_for: Any, run: TrainingRun) -> None:
    assert "<meter" not in facts(page_for(people.tom), run)
    log = Log(run)
    log.started()
    log.steps(1, (1, 2))
    log.usage(3 * GIB, 5 * GIB, 16 * GIB)
    run_ingest_events(run=run)
    html = facts(page_for(people.tom), run)
    assert "<dt>Learning rate</dt><dd>2.00e-04</dd>" in html
    assert "<dt>Memory</dt>" in html
    assert "3.0 GB of 16.0 GB, at most 5.0 GB so far" in html
    assert f'max="{16 * GIB}" value="{3 * GIB}"' in html


def test_memory_of_a_device_is_named_by_the_device_and_told_by_the_api(
    people: Any, page_for: Any, api_for: Any, run: TrainingRun
) -> None:
    log = Log(run)
    log.started()
    log.usage(3 * GIB, 5 * GIB, 80 * GIB, device="cuda:0")
    run_ingest_events(run=run)
    html = facts(page_for(people.tom), run)
    assert "<dt>Device memory</dt>" in html
    assert "3.0 GB of 80.0 GB on cuda:0, at most 5.0 GB so far" in html
    told = api_for(people.tom).get(f"/api/v1/training-runs/{run.pk}/").json()["facts"]["usage"]
    assert told == {"device": "cuda:0", "used": 3 * GIB, "peak": 5 * GIB, "total": 80 * GIB}


def test_the_page_has_a_chart_of_each_loss(people: Any, page_for: Any, run: TrainingRun) -> None:
    html = page_for(people.tom).get(f"/runs/{run.pk}/").content.decode()
    for part in ("loss", "loss_mel", "loss_text"):
        assert html.count(f'data-curve="{part}"') == 1


def test_the_end_of_the_log_is_shown_without_this_machines_folders(
    people: Any, page_for: Any, run: TrainingRun, settings: Any
) -> None:
    run.folder.mkdir(parents=True)
    lines = [
        f"Process 7 starts on {run.folder}.",
        f'File "{settings.BASE_DIR}/training/engine/run.py", line 1',
        f'File "{Path(sys.prefix)}/lib/python/torch.py", line 2',
        f"{settings.MODELS_DIR}/tiny/config.json",
    ]
    (run.folder / launch.LOG).write_text("\n".join(["x" * 79] * 1000 + lines))
    tail = run_log_tail(run=run)
    assert len(tail) <= 6000
    assert tail.splitlines()[-4:] == [
        f"Process 7 starts on RUNS/{run.pk}.",
        'File "PORTAL/training/engine/run.py", line 1',
        'File "PYTHON/lib/python/torch.py", line 2',
        "MODELS_DIR/tiny/config.json",
    ]
    # No line is shown from its middle on.
    assert all(line == "x" * 79 for line in tail.splitlines()[:-4])
    assert f"RUNS/{run.pk}" in page_for(people.tom).get(f"/runs/{run.pk}/").content.decode()


def test_the_log_is_asked_for_as_long_as_there_is_more_to_come(people: Any, page_for: Any, run: TrainingRun) -> None:
    page, address = page_for(people.tom), f"/runs/{run.pk}/log/"
    assert page.get(address, headers={"HX-Request": "true"}).status_code == 200
    assert run.succeed()
    # The status at which htmx stops polling; whoever reads it otherwise gets a plain answer.
    assert page.get(address, headers={"HX-Request": "true"}).status_code == 286
    assert page.get(address).status_code == 200
