"""Texts that nobody has looked at with a model yet: no page waits for it, and nothing is refused or lost by it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.training.factories import frozen_version
from tests.training.test_pages import form_of
from training.models import TrainingRun
from training.services import usable
from xttsproject.xtts import networks

pytestmark = pytest.mark.django_db


class Slow:
    """A tokenizer that takes as long to load as the test wants."""

    def __init__(self) -> None:
        self.loads, self.may_go_on = 0, threading.Event()

    def __call__(self, bundle: Path) -> Any:
        self.loads += 1
        assert self.may_go_on.wait(60)
        return REAL(bundle)

    def finish(self) -> None:
        self.may_go_on.set()
        for work in list(usable._at_work.values()):
            work.result(60)


REAL = networks.load_tokenizer


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    loader = Slow()
    monkeypatch.setattr(networks, "load_tokenizer", loader)
    monkeypatch.setattr(usable, "PATIENCE", 0.05)
    yield loader
    loader.finish()


def test_the_page_says_that_it_is_checking_and_shows_what_was_found_then(
    tiny: Path, people: Any, page_for: Any, slow: Slow
) -> None:
    version, page = frozen_version(people.tom, clips=4), page_for(people.tom)
    for _ in range(3):
        html = page.get("/runs/new/preflight/", form_of(version)).content.decode()
        assert "Checking which texts the model can read" in html
        # It asks again by itself.
        assert 'hx-get="/runs/new/preflight/"' in html
    form = {
        **form_of(version),
        "searched_lora_rank": "4, 8",
        "search_method": "grid",
        "search_seed": 1,
        "grace_epochs": 3,
    }
    assert "Checking which texts" in page.get("/sweeps/new/preflight/", form).content.decode()
    assert slow.loads == 1
    slow.finish()
    html = page.get("/runs/new/preflight/", form_of(version)).content.decode()
    assert f"{version.clips_train} to train on" in html
    assert slow.loads == 1


def test_the_api_says_when_to_ask_again(tiny: Path, people: Any, api_for: Any, slow: Slow) -> None:
    version, api = frozen_version(people.tom, clips=4), api_for(people.tom)
    body = {"name": "Run", "version": str(version.pk)}
    answer = api.post("/api/v1/training-runs/preflight/", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "check_pending")
    assert str(version) in answer.json()["error"]["message"]
    slow.finish()
    assert api.post("/api/v1/training-runs/preflight/", body).json()["clips_train"] == version.clips_train


def test_a_run_is_made_without_waiting_and_reckons_with_the_clips_as_they_were_frozen(
    tiny: Path, people: Any, page_for: Any, api_for: Any, slow: Slow
) -> None:
    version = frozen_version(people.tom, clips=4)
    page_for(people.tom).post("/runs/new/", form_of(version, name="By hand", epochs=2, batch_size=1))
    made = api_for(people.tom).post(
        "/api/v1/training-runs/", {"name": "By program", "version": str(version.pk), "epochs": 2, "batch_size": 1}
    )
    assert made.status_code == 201, made.content
    steps = set(TrainingRun.objects.values_list("steps_total", flat=True))
    assert (TrainingRun.objects.count(), steps) == (2, {2 * version.clips_train})


def test_a_version_without_its_files_is_refused_at_once(
    tiny: Path, people: Any, page_for: Any, api_for: Any, slow: Slow
) -> None:
    version = frozen_version(people.tom, clips=4)
    version.manifest_path.unlink()
    assert "freeze anew" in page_for(people.tom).get("/runs/new/preflight/", form_of(version)).content.decode()
    answer = api_for(people.tom).post("/api/v1/training-runs/preflight/", {"name": "Run", "version": str(version.pk)})
    assert answer.json()["error"]["code"] == "version_damaged"
    assert slow.loads == 0
