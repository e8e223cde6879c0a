"""Trainers look and listen in the admin, at their own and the team's runs only."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.training.factories import CheckpointFactory, RunFactory, SampleFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def runs(people: Any) -> dict[str, Any]:
    """A checkpoint with a sample in a run of tom's, a private one of ben's and a shared one of anna's."""
    made = {
        "mine": RunFactory(owner=people.tom, name="Mine"),
        "private": RunFactory(owner=people.ben, name="Secret"),
        "shared": RunFactory(owner=people.anna, name="Shared", visibility="team"),
    }
    return {name: SampleFactory(checkpoint=CheckpointFactory(run=run)) for name, run in made.items()}


@pytest.mark.parametrize("model", ["trainingrun", "checkpoint", "epochsample"])
def test_lists_hold_what_the_trainer_may_see(model: str, people: Any, runs: Any, page_for: Any) -> None:
    response = page_for(people.tom).get(f"/admin/training/{model}/")
    assert response.status_code == 200
    html = response.content.decode()
    assert "Mine" in html
    assert "Shared" in html
    assert "Secret" not in html


def test_a_checkpoint_can_be_heard_beside_its_figures(people: Any, runs: Any, page_for: Any) -> None:
    sample = runs["mine"]
    page = page_for(people.tom)
    listing = page.get("/admin/training/checkpoint/", {"run__id__exact": str(sample.run.pk)}).content.decode()
    assert f"/runs/samples/{sample.pk}/audio/" in listing
    assert sample.checkpoint.sha256[:12] in listing
    assert f"/runs/samples/{runs['shared'].pk}/audio/" not in listing
    single = page.get(f"/admin/training/checkpoint/{sample.checkpoint.pk}/change/")
    assert f"/runs/samples/{sample.pk}/audio/" in single.content.decode()


def test_the_checkpoints_take_as_many_queries_for_many_as_for_few(people: Any, page_for: Any) -> None:
    page = page_for(people.tom)
    run = RunFactory(owner=people.tom)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert page.get("/admin/training/checkpoint/").status_code == 200
        return len(captured)

    SampleFactory(checkpoint=CheckpointFactory(run=run))
    few = queries()
    for _ in range(30):
        SampleFactory(checkpoint=CheckpointFactory(run=run))
    assert queries() == few
    assert few <= 12


def test_nothing_is_changed_or_deleted_there(people: Any, runs: Any, page_for: Any) -> None:
    sample = runs["mine"]
    for person in (people.tom, people.root):
        page = page_for(person)
        assert page.get(f"/admin/training/trainingrun/{sample.run.pk}/delete/").status_code == 403
        assert page.post(f"/admin/training/trainingrun/{sample.run.pk}/change/", {"name": "x"}).status_code == 403
        assert page.get("/admin/training/checkpoint/add/").status_code == 403


def test_another_persons_run_is_not_there(people: Any, runs: Any, page_for: Any) -> None:
    page = page_for(people.tom)
    response = page.get(f"/admin/training/trainingrun/{runs['private'].run.pk}/change/")
    # The admin sends people back to its start, saying that there is no such run.
    assert response.status_code == 302
    assert response.headers["Location"] == "/admin/"


def test_people_without_a_group_do_not_get_in(people: Any, runs: Any, page_for: Any) -> None:
    assert page_for(people.anna).get("/admin/training/checkpoint/").status_code == 302
