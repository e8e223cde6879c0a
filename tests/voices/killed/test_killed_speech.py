"""Real workers, killed while they speak a long text: what is finished stays, and the outcome is that of no kill."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.training.killed.conftest import House, Process, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SENTENCES = 12
SEED = 5
IN_FLIGHT = 4


def spoken(folder: Path) -> int:
    return sum(1 for path in folder.glob("[0-9]*.wav"))


def enough(folder: Path, least: int, worker: Process) -> bool:
    return spoken(folder) >= least or worker.ended


@pytest.fixture(scope="module")
def killed(house: House) -> dict[str, Any]:
    """A long text two of whose workers were killed, and what was there after each."""
    synthesis = house.do("ask", voice=house.run, sentences=SENTENCES, seed=SEED)
    job = house.do("job_of", synthesis=synthesis)
    folder = Path(house.do("look", synthesis=synthesis)["folder"])
    looks = []
    for least in (2, 6):
        worker = house.start("work", job=job)
        wait_for(partial(enough, folder, least, worker))
        assert not worker.ended, house.do("job", key=job)
        worker.kill()
        looks.append(house.do("look", synthesis=synthesis))
        assert house.do("rescue") == 1
        assert house.do("job", key=job)["state"] == "queued"
    assert house.do("work", job=job) == "succeeded", house.do("job", key=job)
    return {
        "looks": looks,
        "end": house.do("look", synthesis=synthesis),
        "attempts": house.do("job", key=job)["attempt"],
    }


def test_it_was_really_interrupted(killed):
    first, second = (len(look["files"]) for look in killed["looks"])
    assert 0 < first < second < SENTENCES + 1
    assert killed["attempts"] == 3
    assert [look["state"] for look in killed["looks"]] == ["running", "running"]


def test_what_was_finished_is_not_spoken_again(killed):
    end = killed["end"]
    assert end["state"] == "succeeded"
    for look in killed["looks"]:
        assert look["files"].items() <= end["files"].items()
        assert look["spoken_at"].items() <= end["spoken_at"].items()
    assert end["leftovers"] == []
    assert all(take == 1 for _number, take, *_ in end["sentences"])


def test_a_kill_repeats_at_most_the_sentences_that_were_in_flight(killed):
    """Whose file was there already but whose row was not is among them."""
    for look in killed["looks"]:
        assert len(look["leftovers"]) <= IN_FLIGHT


def test_the_outcome_is_that_of_a_worker_that_was_left_alone(house, killed):
    synthesis = house.do("ask", voice=house.run, sentences=SENTENCES, seed=SEED)
    assert house.do("work", job=house.do("job_of", synthesis=synthesis)) == "succeeded"
    plain, end = house.do("look", synthesis=synthesis), killed["end"]
    assert plain["sentences"] == end["sentences"]
    sums = [{name: digest for name, (_when, digest) in look["files"].items()} for look in (plain, end)]
    assert sums[0] == sums[1]
    assert (plain["chapters"], plain["seconds"]) == (end["chapters"], end["seconds"])
    # The whole too, to the last sample.
    assert plain["whole"] == end["whole"]
