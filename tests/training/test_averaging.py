"""An average of checkpoints is a checkpoint like the others: measured, heard, ranked, offered to voices and exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.factories import CheckpointFactory, RunFactory, frozen_version
from training.choices import RunState
from training.models import EpochSample, TrainingRun
from training.services import RunValues, average_create, average_make, checkpoints_prune, run_create
from voices.forms import VoiceForm
from xttsproject.jobs.models import Job
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Silent

pytestmark = pytest.mark.django_db


@pytest.fixture
def listed(people: Any) -> TrainingRun:
    """A finished run of tom's with three checkpoints, without files."""
    run: TrainingRun = RunFactory(owner=people.tom)
    for epoch in (1, 2, 3):
        CheckpointFactory(run=run, epoch=epoch)
    return run


@pytest.mark.slow
def test_a_trained_runs_average_stands_beside_its_checkpoints(
    people: Any, page_for: Any, api_for: Any, work: Any, settings: Any, random_bundle: Path
) -> None:
    settings.MODELS_DIR, settings.XTTS_BUNDLE = random_bundle.parent, random_bundle.name
    settings.DEVICE, settings.TRAINING_THREADS = "cpu", 1
    values = RunValues(
        epochs=3,
        batch_size=4,
        lora_rank=2,
        learning_rate=2e-3,
        keep_best=None,
        prompts=["A line."],
        fixed_prompts=False,
    )
    version = frozen_version(people.tom, clips=6)
    run = run_create(owner=people.tom, version=version, name="Evening", values=values)
    assert work() == ["succeeded"]
    kept = [2, 3]
    page = page_for(people.tom)
    settings.SCORE_RUNS = True
    page.post(f"/runs/{run.pk}/average/", {"epochs": [str(epoch) for epoch in kept]})
    # It is scored as soon as it is made, like the checkpoints of a run that has finished.
    assert work() == ["succeeded", "succeeded"]
    made = run.checkpoints.get(kind="average")
    assert 0 <= (made.scorecard.composite or -1) <= 1
    assert made.averaged == kept
    assert (made.folder / "adapter_model.safetensors").stat().st_size == made.bytes
    losses = {row.pk: row.validation_loss or 0.0 for row in run.checkpoints.all()}
    own = losses.pop(made.pk)
    assert min(losses.values()) - 0.5 < own < max(losses.values()) + 0.5
    (sample,) = made.samples.all()
    assert sample.audio_path.stat().st_size > 1000
    assert "average-" in sample.path
    assert EpochSample.objects.filter(run=run, epoch=made.epoch).count() == 2
    losses[made.pk] = own
    assert run.checkpoints.get(is_best=True).pk == min(losses, key=lambda key: losses[key])

    html = page.get(f"/runs/{run.pk}/").content.decode()
    assert f"Average of epochs {', '.join(map(str, kept))}" in html
    assert f"{run.name}, average of epochs" in str(VoiceForm(user=people.tom)["checkpoint"])
    shown = api_for(people.tom).get(f"/api/v1/checkpoints/{made.pk}/").json()
    assert (shown["kind"], shown["averaged"]) == ("average", kept)
    # Again, as after a worker's death: the same row, the same file.
    before = made.sha256
    assert average_make(run=run, epochs=kept, progress=Silent()).pk == made.pk
    made.refresh_from_db()
    assert made.sha256 == before
    # Somebody asked for it, so the policy leaves it alone.
    run.spec["keep_best"] = 1
    assert made not in checkpoints_prune(run=run)
    with pytest.raises(DomainError) as again:
        average_create(run=run, epochs=kept, user=people.tom)
    assert again.value.code in ("duplicate", "checkpoint_removed")


@pytest.mark.parametrize(
    ("epochs", "code"), [([2], "epochs_invalid"), ([], "epochs_invalid"), ([1, 9], "checkpoint_unknown")]
)
def test_what_has_no_average_is_said_at_once(people: Any, listed: TrainingRun, epochs: list[int], code: str) -> None:
    with pytest.raises(DomainError) as caught:
        average_create(run=listed, epochs=epochs, user=people.tom)
    assert caught.value.code == code
    assert not Job.objects.exists()


def test_adapters_whose_ranks_add_up_to_too_much_are_refused_before_any_work(people: Any, listed: TrainingRun) -> None:
    listed.spec["lora"] = {"rank": 512}
    with pytest.raises(DomainError, match="rank 1536, and 1024 is the limit; choose 2 of them at most") as caught:
        average_create(run=listed, epochs=[1, 2, 3], user=people.tom)
    assert (caught.value.code, caught.value.field) == ("epochs_invalid", "epochs")
    assert average_create(run=listed, epochs=[1, 2], user=people.tom).arguments == {"epochs": [1, 2]}


def test_a_removed_checkpoint_and_a_run_at_work_are_refused(people: Any, listed: TrainingRun) -> None:
    listed.spec["keep_best"] = 1
    checkpoints_prune(run=listed)
    with pytest.raises(DomainError) as removed:
        average_create(run=listed, epochs=[1, 3], user=people.tom)
    assert removed.value.code == "checkpoint_removed"
    running = RunFactory(owner=people.tom, state=RunState.RUNNING)
    running.job = Job.objects.create(kind="training.run", queue="gpu", title="at work", owner=people.tom)
    with pytest.raises(DomainError) as active:
        average_create(run=running, epochs=[1, 2], user=people.tom)
    assert active.value.code == "run_active"


def test_one_average_of_a_run_at_a_time_and_none_for_strangers(
    people: Any, listed: TrainingRun, page_for: Any, api_for: Any
) -> None:
    where = f"/api/v1/training-runs/{listed.pk}/average/"
    first = api_for(people.tom).post(where, {"epochs": [1, 2]})
    assert (first.status_code, first.json()["kind"]) == (202, "training.average")
    assert api_for(people.tom).post(where, {"epochs": [2, 1]}).json()["id"] == first.json()["id"]
    assert api_for(people.tom).post(where, {"epochs": [1, 3]}).json()["error"]["code"] == "average_active"
    assert api_for(people.anna).post(where, {"epochs": [1, 2]}).status_code == 404
    assert page_for(people.anna).post(f"/runs/{listed.pk}/average/", {"epochs": ["1", "2"]}).status_code == 404
    assert "Average epochs 1, 2" in page_for(people.tom).get(f"/runs/{listed.pk}/").content.decode()


def test_numbers_that_are_none_are_no_epochs(people: Any, listed: TrainingRun, page_for: Any) -> None:
    page = page_for(people.tom)
    sent = page.post(f"/runs/{listed.pk}/average/", {"epochs": ["9" * 5000, "x", "1"]}, follow=True)
    assert sent.status_code == 200
    assert "An average is of 2 to 16 checkpoints; 1 were chosen." in sent.content.decode()


def test_the_admin_averages_checkpoints_of_one_run(people: Any, listed: TrainingRun, page_for: Any) -> None:
    other = CheckpointFactory(run=RunFactory(owner=people.tom))
    rows = [str(row.pk) for row in listed.checkpoints.filter(epoch__in=(1, 3))]
    page = page_for(people.tom)
    page.post("/admin/training/checkpoint/", {"action": "average", "_selected_action": [*rows, str(other.pk)]})
    average = CheckpointFactory(run=listed, kind="average", averaged=[1, 2], epoch=2, path="checkpoints/average-1")
    page.post("/admin/training/checkpoint/", {"action": "average", "_selected_action": [*rows, str(average.pk)]})
    assert not Job.objects.exists()
    page.post("/admin/training/checkpoint/", {"action": "average", "_selected_action": rows})
    assert Job.objects.get().arguments == {"epochs": [1, 3]}


def test_a_failed_average_leaves_no_folder(people: Any, listed: TrainingRun, work: Any) -> None:
    average_create(run=listed, epochs=[1, 2], user=people.tom)
    half = listed.folder / "checkpoints" / "average-0001-0002"
    half.mkdir(parents=True)
    assert work() == ["failed"]
    assert not half.exists()
    assert listed.checkpoints.count() == 3
