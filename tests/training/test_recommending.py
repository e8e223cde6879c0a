"""Of which checkpoint a voice is best made: one statement, the same on the page, in the admin, in forms and the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from tests.training.factories import CheckpointFactory, RunFactory
from training.choices import RunState, Scored
from training.models import Checkpoint, Scorecard, TrainingRun
from training.services import checkpoints_prune, run_recommendation
from voices.forms import VoiceForm

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(people: Any) -> TrainingRun:
    """Three checkpoints, the second of the lowest loss."""
    run: TrainingRun = RunFactory(owner=people.tom, name="Evening")
    for epoch, loss in ((1, 4.5), (2, 4.0), (3, 4.2)):
        CheckpointFactory(run=run, epoch=epoch, validation_loss=loss, is_best=epoch == 2)
    return run


def score(run: TrainingRun, **composites: float) -> None:
    """``e3=0.8``: epoch 3 scores 0.8."""
    for name, composite in composites.items():
        checkpoint = run.checkpoints.get(epoch=int(name[1:]), kind="epoch")
        Scorecard.objects.create(
            run=run, checkpoint=checkpoint, subject=Scored.CHECKPOINT, epoch=checkpoint.epoch, composite=composite
        )


def chosen(run: TrainingRun) -> list[str]:
    return [row.label for row in Checkpoint.objects.filter(run=run).recommended()]


def test_the_lowest_loss_is_recommended_until_something_is_scored(run: TrainingRun) -> None:
    found = run_recommendation(run=run)
    assert found is not None
    assert (found.checkpoint.epoch, found.by_score) == (2, False)
    assert found.why == "It has the lowest validation loss, 4.000; its samples are not scored yet."
    score(run, e1=0.6, e2=0.5, e3=0.7)
    found = run_recommendation(run=run)
    assert found is not None
    assert (found.checkpoint.epoch, found.by_score, found.why) == (3, True, "It has the best score, 0.70 of 1.")
    assert chosen(run) == ["epoch 3"]


def test_of_equal_scores_it_is_the_first(run: TrainingRun) -> None:
    score(run, e1=0.7, e3=0.7)
    assert chosen(run) == ["epoch 1"]


def test_only_what_still_has_its_file_is_recommended(run: TrainingRun) -> None:
    score(run, e1=0.6, e3=0.7)
    run.checkpoints.filter(epoch=3).update(removed_at=timezone.now())
    found = run_recommendation(run=run)
    assert found is not None
    assert found.checkpoint.epoch == 1
    assert "that of epoch 3, which scores higher, is gone" in found.why
    run.checkpoints.update(removed_at=timezone.now())
    assert run_recommendation(run=run) is None


def test_without_validation_clips_the_training_loss_decides(run: TrainingRun) -> None:
    for epoch, loss in ((1, 3.0), (2, 2.5), (3, 2.7)):
        run.checkpoints.filter(epoch=epoch).update(validation_loss=None, train_loss=loss)
    found = run_recommendation(run=run)
    assert found is not None
    assert found.checkpoint.epoch == 2
    assert "lowest training loss, 2.500; the dataset has no validation clips" in found.why


def test_runs_do_not_mix(people: Any, run: TrainingRun) -> None:
    other = RunFactory(owner=people.tom)
    CheckpointFactory(run=other, epoch=1, validation_loss=9.0)
    score(run, e3=0.7)
    assert chosen(other) == ["epoch 1"]
    assert run_recommendation(run=RunFactory(owner=people.tom)) is None


def test_page_forms_admin_and_api_say_the_same(people: Any, run: TrainingRun, page_for: Any, api_for: Any) -> None:
    score(run, e1=0.6, e3=0.7)
    best = run.checkpoints.get(epoch=3)
    page, api = page_for(people.tom), api_for(people.tom)
    html = page.get(f"/runs/{run.pk}/").content.decode()
    statement = html.split('id="recommended-head"')[1].split("</section>")[0]
    assert "Recommended: epoch 3" in statement
    assert "0.70 of 1" in statement
    assert f'href="/voices/add/?checkpoint={best.pk}"' in statement
    assert html.count(">recommended<") == 1
    assert "Evening, epoch 3 (recommended)" in str(VoiceForm(user=people.tom)["checkpoint"])
    assert api.get(f"/api/v1/training-runs/{run.pk}/").json()["recommended_checkpoint"] == best.pk
    rows = api.get("/api/v1/checkpoints/", {"run": str(run.pk)}).json()["results"]
    assert {row["title"]: (row["is_recommended"], row["is_best"]) for row in rows} == {
        "epoch 1": (False, False), "epoch 2": (False, True), "epoch 3": (True, False)
    }  # fmt: skip
    cells = page.get("/admin/training/checkpoint/").content.decode().split('class="field-recommended')[1:]
    assert ['title="True"' in cell.split("</td>")[0] for cell in cells] == [False, False, True]
    # While it trains nothing is settled.
    TrainingRun.objects.update(state=RunState.RUNNING)
    assert "recommended-head" not in page.get(f"/runs/{run.pk}/").content.decode()


def test_the_best_by_score_keeps_its_file(run: TrainingRun) -> None:
    run.spec["keep_best"] = 1
    score(run, e1=0.7, e2=0.4)
    CheckpointFactory(run=run, epoch=4, validation_loss=4.6)
    assert [row.epoch for row in checkpoints_prune(run=run)] == [3]
    assert set(run.checkpoints.kept().values_list("epoch", flat=True)) == {1, 2, 4}
