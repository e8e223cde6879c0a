"""Real processes, killed at any instruction: what they began is finished by another, once, and nothing half is left.

The tests of this file go through one run: it is trained, scored, averaged, exported and pruned. The last one is of a
sweep on the same recordings.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.training.killed.conftest import House, is_running, wait_for
from tests.training.killed.deeds import EPOCHS
from training.engine.events import read_events
from training.engine.launch import EVENTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def steps_told(folder: Path) -> list[dict[str, Any]]:
    return [event.data for event in read_events(folder / EVENTS) if event.kind == "step"]


@pytest.fixture(scope="module")
def trained(house: House, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The run after its worker was killed while its process trained, and that of the next worker as well."""
    about = house.do("the_run", run=house.run)
    folder, job = Path(about["folder"]), about["job"]

    # The worker dies; its training process notices, keeps what is whole, and ends.
    worker = house.start("work", job=job)
    wait_for(lambda: any(step["epoch"] == 2 for step in steps_told(folder)) or worker.ended)
    engine = json.loads((folder / "process.json").read_text())["pid"]
    assert is_running(engine)
    worker.kill()
    wait_for(lambda: not is_running(engine), seconds=10)
    assert house.do("the_run", run=house.run)["state"] == "running"
    first = len(steps_told(folder))
    assert house.do("rescue") == 1
    assert house.do("job", key=job)["state"] == "queued"

    # The next one is killed together with its process, which cannot keep anything any more.
    worker = house.start("work", job=job)
    wait_for(lambda: len(steps_told(folder)) > first or worker.ended)
    engine = json.loads((folder / "process.json").read_text())["pid"]
    os.killpg(engine, signal.SIGKILL)
    worker.kill()
    assert house.do("rescue") == 1

    assert house.do("work", job=job) == "succeeded", house.do("job", key=job)
    plain = house.do("uninterrupted", run=house.run, folder=str(tmp_path_factory.mktemp("plain")))
    return {**house.do("the_run", run=house.run), "plain": plain, "attempts": house.do("job", key=job)["attempt"]}


def test_a_run_whose_worker_and_process_were_killed_ends_as_the_uninterrupted_one(
    house: House, trained: dict[str, Any]
) -> None:
    assert (trained["state"], trained["attempts"]) == ("succeeded", 3)
    assert trained["epochs"] == trained["samples"] == list(range(1, EPOCHS + 1))
    assert trained["steps"] == list(range(1, trained["steps_total"] + 1))
    for name in ("loss", "validation"):
        assert trained[name] == pytest.approx(trained["plain"][name], abs=1e-5)
    assert trained["weights"] == trained["on_disk"] == trained["plain"]["weights"]
    assert house.do("leftovers", run=house.run) == []


def test_scoring_goes_on_where_its_workers_were_killed(house: House, trained: dict[str, Any]) -> None:
    seconds = house.timed(house.do("score", run=house.run))
    whole = house.do("cards", run=house.run)
    assert len(whole) == EPOCHS + 2  # the base model's and the speaker's besides
    house.do("forget_cards", run=house.run)
    moments = house.killed_twice(house.do("score", run=house.run), seconds)
    again = house.do("cards", run=house.run)
    assert [[card[0], card[2]] for card in again] == [[card[0], card[2]] for card in whole], moments
    # There is nothing left to measure, and what was measured is not measured again.
    assert house.do("work", job=house.do("score", run=house.run)) == "succeeded"
    assert house.do("cards", run=house.run) == again


def test_an_average_is_the_same_when_its_workers_were_killed(house: House, trained: dict[str, Any]) -> None:
    seconds = house.timed(house.do("average", run=house.run, epochs=[1, 2]))
    whole = house.do("averages", run=house.run)
    assert len(whole) == 1
    house.do("forget_averages", run=house.run)
    moments = house.killed_twice(house.do("average", run=house.run, epochs=[1, 2]), seconds)
    assert house.do("averages", run=house.run) == whole, moments
    assert house.do("leftovers", run=house.run) == [], moments


def test_an_export_is_the_same_when_its_workers_were_killed(house: House, trained: dict[str, Any]) -> None:
    seconds = house.timed(house.do("export", run=house.run, bundle="stock", epoch=2))
    whole = house.do("exported", run=house.run)
    ((state, is_whole, members, files),) = whole
    assert (state, is_whole, len(files)) == ("ready", True, 1)
    assert len(members) > 4
    house.do("forget_exports", run=house.run)
    moments = house.killed_twice(house.do("export", run=house.run, bundle="stock", epoch=2), seconds)
    ((state, is_whole, again, files),) = house.do("exported", run=house.run)
    assert (state, is_whole, again, len(files)) == ("ready", True, members, 1), moments
    assert house.do("leftovers", run=house.run) == [], moments


def test_pruning_may_die_at_every_line(house: House, trained: dict[str, Any]) -> None:
    house.do("forget_exports", run=house.run)
    found = house.do("prune_killed_at_every_line", run=house.run)
    assert found["broken"] == []
    assert found["deaths"] > 20
    # Some of them between the row and the file.
    assert found["between"] > 0


def test_a_sweep_goes_on_when_the_worker_of_a_trial_is_killed(house: House) -> None:
    key = house.do("sweep", run=house.run)
    (first,) = house.do("the_sweep", key=key)["trials"]
    folder = Path(first["folder"])
    began = time.monotonic()
    worker = house.start("work", job=first["job"])
    wait_for(lambda: bool(steps_told(folder)) or worker.ended)
    engine = json.loads((folder / "process.json").read_text())["pid"]
    worker.kill()
    wait_for(lambda: not is_running(engine), seconds=10)
    worked = time.monotonic() - began

    # The sweep has no process of its own that could have died: the next trial waits already, and is trained meanwhile.
    seen = house.do("the_sweep", key=key)
    assert [trial["state"] for trial in seen["trials"]] == ["running", "queued"]
    assert house.do("work", job=seen["trials"][1]["job"]) == "succeeded"
    assert house.do("the_sweep", key=key)["state"] == "running"

    assert house.do("rescue") == 1
    began = time.monotonic()
    assert house.do("work", job=first["job"]) == "succeeded", house.do("job", key=first["job"])
    worked += time.monotonic() - began
    seen = house.do("the_sweep", key=key)
    assert (seen["state"], seen["begun"]) == ("succeeded", 2)
    for trial in seen["trials"]:
        assert (trial["state"], trial["epochs"]) == ("succeeded", [1, 2])
        assert trial["steps"] == list(range(1, trial["steps_total"] + 1))
        assert house.do("leftovers", run=trial["run"]) == []
    # Both starts of the first trial count, and nothing of the time in between.
    assert 0 < seen["trials"][0]["trained_seconds"] <= worked
    assert seen["spent"] == pytest.approx(sum(trial["trained_seconds"] for trial in seen["trials"]), abs=1e-3)
