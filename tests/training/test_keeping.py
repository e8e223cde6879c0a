"""Which checkpoints keep their files: what is removed, what never is, and what a death in between leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.factories import CheckpointFactory, RunFactory, SampleFactory
from tests.voices.factories import SpeakerFactory
from training.models import Checkpoint, TrainingRun
from training.services import checkpoint_pin, checkpoints_prune
from voices.models import Voice
from voices.services import voice_create
from xttsproject.lib.errors import DomainError

pytestmark = pytest.mark.django_db

LOSSES = (5.0, 4.0, 3.0, 4.5, 4.8)


@pytest.fixture
def run(people: Any) -> TrainingRun:
    """Five checkpoints with files, the third the best; the policy keeps the best one and the last."""
    run: TrainingRun = RunFactory(owner=people.tom, spec={"epochs": 5, "batch_size": 4, "keep_best": 1})
    for epoch, loss in enumerate(LOSSES, start=1):
        row = CheckpointFactory(run=run, epoch=epoch, validation_loss=loss)
        row.folder.mkdir(parents=True)
        for name in ("adapter_model.safetensors", "adapter_config.json", "checkpoint.json"):
            (row.folder / name).write_text("{}")
        SampleFactory(checkpoint=row)
    return run


def with_files(run: TrainingRun) -> list[int]:
    return [row.epoch for row in run.checkpoints.order_by("epoch") if row.weights_path.exists()]


def kept(run: TrainingRun) -> list[int]:
    return list(run.checkpoints.kept().order_by("epoch").values_list("epoch", flat=True))


def test_the_best_and_the_last_stay_and_the_rest_keep_losses_and_samples(run: TrainingRun) -> None:
    removed = checkpoints_prune(run=run)
    assert [row.epoch for row in removed] == [1, 2, 4]
    assert kept(run) == with_files(run) == [3, 5]
    for row in run.checkpoints.all():
        assert row.validation_loss == LOSSES[row.epoch - 1]
        assert row.samples.count() == 1
        assert (row.folder / "checkpoint.json").exists()
    assert checkpoints_prune(run=run) == []


def test_a_run_that_keeps_all_loses_none(run: TrainingRun) -> None:
    run.spec["keep_best"] = None
    assert checkpoints_prune(run=run) == []
    del run.spec["keep_best"]  # as runs of earlier releases are
    assert checkpoints_prune(run=run) == []
    assert with_files(run) == [1, 2, 3, 4, 5]


def test_what_is_pinned_or_speaks_in_a_voice_is_never_removed(people: Any, run: TrainingRun) -> None:
    pinned, used = run.checkpoints.get(epoch=1), run.checkpoints.get(epoch=2)
    checkpoint_pin(checkpoint=pinned, pinned=True)
    voice = Voice.objects.create(
        owner=people.anna, name="Hers", speaker=SpeakerFactory(owner=people.tom), checkpoint=used, bundle="tiny"
    )
    checkpoints_prune(run=run)
    assert kept(run) == with_files(run) == [1, 2, 3, 5]
    checkpoint_pin(checkpoint=pinned, pinned=False)
    voice.delete()
    checkpoints_prune(run=run)
    assert kept(run) == with_files(run) == [3, 5]


def test_a_death_between_row_and_file_is_made_good_at_the_next_call(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(folder: Path) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("training.services.pruning.remove_weights", die)
        checkpoints_prune(run=run)
    assert kept(run) == [3, 5]
    assert with_files(run) == [1, 2, 3, 4, 5]
    checkpoints_prune(run=run)
    assert with_files(run) == [3, 5]


def test_of_a_removed_checkpoint_nothing_can_be_made(people: Any, run: TrainingRun, api_for: Any) -> None:
    checkpoints_prune(run=run)
    gone = run.checkpoints.get(epoch=1)
    assert not gone.mark_removed()
    with pytest.raises(DomainError) as caught:
        checkpoint_pin(checkpoint=gone, pinned=True)
    assert caught.value.code == "checkpoint_removed"
    assert "epoch 1" in caught.value.message
    answer = api_for(people.tom).get(f"/api/v1/checkpoints/{gone.pk}/download/")
    assert answer.json()["error"]["code"] == "checkpoint_removed"


def test_a_voice_is_refused_by_a_checkpoint_whose_file_has_gone(
    people: Any, run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints_prune(run=run)
    # The clips are looked at before the row is held; here only the row counts.
    monkeypatch.setattr("voices.services.voices._write", lambda voice, clips: [])
    monkeypatch.setattr("voices.services.voices._clips", lambda *_: [])
    with pytest.raises(DomainError) as caught:
        voice_create(owner=people.tom, name="Late", checkpoint=run.checkpoints.get(epoch=1))
    assert caught.value.code == "checkpoint_removed"
    assert not Voice.objects.exists()


def test_the_page_says_that_a_file_is_gone_and_pins_what_is_there(people: Any, run: TrainingRun, page_for: Any) -> None:
    checkpoints_prune(run=run)
    page = page_for(people.tom)
    rows = {
        part.split('"')[0]: part.split("</tr>")[0]
        for part in page.get(f"/runs/{run.pk}/").content.decode().split('<tr id="row-')[1:]
    }
    assert "The file was removed on" in rows["1"]
    assert "Make a voice" not in rows["1"]
    assert "5.000" in rows["1"]
    assert "Make a voice" in rows["3"]
    best = run.checkpoints.get(epoch=3)
    assert page.post(f"/runs/checkpoints/{best.pk}/pin/", {"pinned": "1"}).status_code == 302
    assert Checkpoint.objects.get(pk=best.pk).pinned
    assert ">pinned<" in page.get(f"/runs/{run.pk}/").content.decode()
    page.post(f"/runs/checkpoints/{best.pk}/pin/", {"pinned": "0"})
    assert not Checkpoint.objects.get(pk=best.pk).pinned


def test_strangers_pin_nothing(people: Any, run: TrainingRun, page_for: Any, api_for: Any) -> None:
    best = run.checkpoints.get(epoch=3)
    assert page_for(people.anna).post(f"/runs/checkpoints/{best.pk}/pin/", {"pinned": "1"}).status_code == 404
    assert api_for(people.anna).post(f"/api/v1/checkpoints/{best.pk}/pin/", {"pinned": True}).status_code == 404
    run.visibility = "team"
    run.save()
    assert page_for(people.anna).post(f"/runs/checkpoints/{best.pk}/pin/", {"pinned": "1"}).status_code == 403
    assert api_for(people.anna).post(f"/api/v1/checkpoints/{best.pk}/pin/", {"pinned": True}).status_code == 403
    assert not Checkpoint.objects.filter(pinned=True).exists()
    answer = api_for(people.tom).post(f"/api/v1/checkpoints/{best.pk}/pin/", {"pinned": True})
    assert answer.json()["pinned"] is True


def test_the_admin_pins_several(people: Any, run: TrainingRun, page_for: Any) -> None:
    chosen = [str(row.pk) for row in run.checkpoints.filter(epoch__in=(1, 2))]
    body = {"action": "pin", "_selected_action": chosen}
    page_for(people.tom).post("/admin/training/checkpoint/", body)
    assert set(run.checkpoints.filter(pinned=True).values_list("epoch", flat=True)) == {1, 2}
