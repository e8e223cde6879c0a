"""The pages of runs: what they show, to whom, and what they do."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.training.events import Log
from tests.training.factories import CheckpointFactory, RunFactory, SampleFactory, frozen_version, write_sample
from training.choices import RunState
from training.models import EpochSample, TrainingRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def trained(people: Any) -> TrainingRun:
    """A finished run of tom's: the base model's sample and two checkpoints with theirs, the second one best."""
    run = RunFactory(owner=people.tom, name="Evening voice", base_validation_loss=9.5)
    EpochSample.objects.create(
        run=run, epoch=0, prompt_index=0, text="Hear me.", seed=1, path="samples/base/prompt-0.wav", seconds=1.0
    )
    for epoch in (1, 2):
        SampleFactory(checkpoint=CheckpointFactory(run=run, epoch=epoch, is_best=epoch == 2))
    return run


def form_of(version: Any, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Evening",
        "version": str(version.pk),
        "bundle": "tiny",
        "epochs": 3,
        "batch_size": 2,
        "learning_rate": "2e-4",
        "method": "lora",
        "lora_rank": 8,
        "lora_alpha": 16,
        "lora_targets": ["c_attn", "c_proj", "c_fc"],
        "precision": "fp32",
        "seed": 1,
        "prompt": "",
        "visibility": "private",
        **changes,
    }


def test_the_list_shows_own_and_shared_runs(people: Any, page_for: Any, trained: TrainingRun) -> None:
    RunFactory(owner=people.ben, name="Bens secret")
    RunFactory(owner=people.ben, name="Bens gift", visibility="team")
    html = page_for(people.tom).get("/runs/").content.decode()
    assert "Evening voice" in html
    assert "Bens gift" in html
    assert "Bens secret" not in html
    # The best of the two validation losses, 4.9 and 4.8.
    assert "4.800" in html


def test_the_list_asks_as_often_for_many_runs_as_for_few(people: Any, page_for: Any) -> None:
    page = page_for(people.tom)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert page.get("/runs/").status_code == 200
        return len(captured)

    RunFactory(owner=people.tom)
    few = queries()
    for _ in range(5):
        CheckpointFactory(run=RunFactory(owner=people.tom))
    assert queries() == few


def test_the_run_shows_every_checkpoint_beside_its_sample(people: Any, page_for: Any, trained: TrainingRun) -> None:
    html = page_for(people.tom).get(f"/runs/{trained.pk}/").content.decode()
    parts = html.split('<tr id="row-')[1:]
    assert [part.split('"')[0] for part in parts] == ["base", "1", "2"]
    for part, sample in zip(parts, trained.samples.order_by("epoch"), strict=True):
        assert f'src="/runs/samples/{sample.pk}/audio/"' in part.split("</tr>")[0]
    assert "9.500" in parts[0]
    for word in (">recommended<", ">lowest loss<"):
        assert word not in parts[1].split("</tr>")[0]
        assert word in parts[2].split("</tr>")[0]


@pytest.mark.parametrize(
    ("spec", "facts", "words"),
    [
        ({"speech_precision": "auto"}, {"speech_precision": "bf16"}, "spoken in bf16, as the machine allows"),
        ({"speech_precision": "int8"}, {}, "spoken in int8<"),
        # Made before samples had a precision.
        ({}, {}, "spoken in fp32<"),
    ],
)
def test_the_run_tells_in_what_precision_its_samples_are_spoken(
    people: Any, page_for: Any, spec: dict[str, Any], facts: dict[str, Any], words: str
) -> None:
    run = RunFactory(
        owner=people.tom, spec={"epochs": 2, "sample_prompts": [{"text": "Hear me."}], **spec}, facts=facts
    )
    assert words in page_for(people.tom).get(f"/runs/{run.pk}/").content.decode()


def test_another_persons_run_is_not_there(people: Any, page_for: Any, trained: TrainingRun) -> None:
    page = page_for(people.anna)
    sample = trained.samples.get(epoch=1)
    for path in ("", "facts/", "checkpoints/", "curves/", "log/"):
        assert page.get(f"/runs/{trained.pk}/{path}").status_code == 404
    for path in ("cancel/", "resume/", "delete/"):
        assert page.post(f"/runs/{trained.pk}/{path}").status_code == 404
    assert page.get(f"/runs/samples/{sample.pk}/audio/").status_code == 404


def test_a_shared_run_can_be_heard_but_not_changed(people: Any, page_for: Any, trained: TrainingRun) -> None:
    trained.visibility = "team"
    trained.save()
    sample = trained.samples.get(epoch=1)
    write_sample(sample)
    page = page_for(people.anna)
    html = page.get(f"/runs/{trained.pk}/").content.decode()
    for word in ("run-delete", "/delete/", "/resume/", "The last lines"):
        assert word not in html
    assert page.get(f"/runs/samples/{sample.pk}/audio/").status_code == 200
    for path in ("cancel/", "resume/", "delete/"):
        assert page.post(f"/runs/{trained.pk}/{path}").status_code == 403
    assert page.get(f"/runs/{trained.pk}/log/").status_code == 403
    assert TrainingRun.objects.filter(pk=trained.pk).exists()


def test_strangers_are_sent_to_sign_in(client: Any, trained: TrainingRun) -> None:
    for path in ("/runs/", f"/runs/{trained.pk}/", "/runs/new/"):
        response = client.get(path)
        assert response.status_code == 302
        assert "login" in response.headers["Location"]


def test_the_form_is_for_trainers(people: Any, page_for: Any) -> None:
    for person in (people.anna, people.cora):
        assert page_for(person).get("/runs/new/").status_code == 403
        assert page_for(person).post("/runs/new/", {}).status_code == 403
        assert page_for(person).get("/runs/new/preflight/").status_code == 403


def test_the_form_comes_with_the_version_chosen(tiny: Path, people: Any, page_for: Any) -> None:
    version = frozen_version(people.tom, clips=2)
    hidden = frozen_version(people.ben, clips=2)
    page = page_for(people.tom)
    html = page.get("/runs/new/", {"version": str(version.pk)}).content.decode()
    assert f'<option value="{version.pk}" selected>' in html
    assert str(hidden.pk) not in html
    for odd in ("nonsense", str(hidden.pk)):
        assert page.get("/runs/new/", {"version": odd}).status_code == 200


def test_a_sent_form_starts_the_run(tiny: Path, people: Any, page_for: Any) -> None:
    version = frozen_version(people.tom, clips=2)
    response = page_for(people.tom).post("/runs/new/", form_of(version, prompt="Say this.", visibility="team"))
    run = TrainingRun.objects.get()
    assert response.headers["Location"] == f"/runs/{run.pk}/"
    assert (run.name, run.state, run.visibility) == ("Evening", RunState.QUEUED, "team")
    assert run.spec["sample_prompts"] == [{"text": "Say this.", "language": "en", "seed": 1}]
    assert page_for(people.tom).get(f"/runs/{run.pk}/").status_code == 200


def test_every_choice_of_the_method_reaches_the_spec(tiny: Path, people: Any, page_for: Any) -> None:
    version = frozen_version(people.tom, clips=3)
    page = page_for(people.tom)
    chosen = {"train_conditioning": "on", "train_heads": "on", "augment_conditioning": "on", "lora_targets": ["c_fc"]}
    advanced = {"lora_dropout": 0.2, "schedule": "linear", "warmup_fraction": 0.1, "accumulation": 2}
    page.post("/runs/new/", form_of(version, **chosen, **advanced, weight_decay=0, max_grad_norm=0.5))
    run = TrainingRun.objects.get()
    spec = run.spec
    assert (spec["train_conditioning"], spec["train_heads"], spec["augment_conditioning"]) == (True, True, True)
    assert (spec["lora"]["targets"], spec["lora"]["dropout"]) == (["c_fc"], 0.2)
    assert (spec["schedule"], spec["warmup_fraction"], spec["accumulation"]) == ("linear", 0.1, 2)
    assert (spec["weight_decay"], spec["max_grad_norm"]) == (0.0, 0.5)
    html = page.get(f"/runs/{run.pk}/").content.decode()
    assert "LoRA of rank 8, alpha 16.0, conditioning networks whole, heads whole" in html
    page.post("/runs/new/", form_of(version, name="Whole", method="full"))
    whole = TrainingRun.objects.get(name="Whole")
    assert whole.spec["method"] == "full"
    assert "every weight (full fine-tuning)" in page.get(f"/runs/{whole.pk}/").content.decode()
    refused = page.post("/runs/new/", form_of(version, name="None", lora_targets=[]))
    assert refused.status_code == 400
    # A group that is folded up opens where something in it was refused.
    assert refused.content.decode().count("<details open") + refused.content.decode().count('" open>') == 1


def test_devices_are_asked_for_where_there_are_several(tiny: Path, people: Any, page_for: Any, settings: Any) -> None:
    version = frozen_version(people.tom, clips=3)
    page = page_for(people.tom)
    for address in ("/runs/new/", "/sweeps/new/"):
        assert 'name="devices"' not in page.get(address).content.decode()
    settings.TRAINING_DEVICES = 2
    for address in ("/runs/new/", "/sweeps/new/"):
        assert 'name="devices"' in page.get(address).content.decode()
    refused = page.post("/runs/new/", form_of(version, devices=3))
    assert refused.status_code == 400
    assert "A run may take 2 GPUs here, and 3 were asked for." in refused.content.decode()
    html = page.get("/runs/new/preflight/", form_of(version, devices=2)).content.decode()
    assert "on each of 2 GPUs" in html
    page.post("/runs/new/", form_of(version, devices=2))
    run = TrainingRun.objects.get()
    assert run.spec["devices"] == 2
    assert "2, sharing each batch" in page.get(f"/runs/{run.pk}/").content.decode()


def test_the_preflight_of_full_fine_tuning_warns_of_a_rate_for_adapters(tiny: Path, people: Any, page_for: Any) -> None:
    version = frozen_version(people.tom, clips=4)
    page = page_for(people.tom)
    html = page.get("/runs/new/preflight/", form_of(version, method="full")).content.decode()
    assert "A learning rate of 0.0002 suits adapters" in html
    calm = page.get("/runs/new/preflight/", form_of(version, method="full", learning_rate="1e-5")).content.decode()
    assert "suits adapters" not in calm
    assert "parameters" in calm


def test_a_second_click_leads_to_the_name_and_not_to_a_second_run(tiny: Path, people: Any, page_for: Any) -> None:
    version = frozen_version(people.tom, clips=2)
    page = page_for(people.tom)
    page.post("/runs/new/", form_of(version))
    response = page.post("/runs/new/", form_of(version))
    assert response.status_code == 400
    assert "“Evening”" in str(response.context["form"].errors["name"])
    assert TrainingRun.objects.count() == 1


def test_a_wrong_value_stays_in_the_form_with_its_reason(tiny: Path, people: Any, page_for: Any) -> None:
    version = frozen_version(people.tom, clips=2)
    response = page_for(people.tom).post("/runs/new/", form_of(version, lora_rank=0))
    assert response.status_code == 400
    assert "lora_rank" in response.context["form"].errors
    assert not TrainingRun.objects.exists()


def test_the_preflight_answers_while_the_form_is_filled_in(tiny: Path, people: Any, page_for: Any) -> None:
    version = frozen_version(people.tom, clips=6)
    page = page_for(people.tom)
    html = page.get("/runs/new/preflight/", form_of(version, name="", epochs=4)).content.decode()
    steps = -(-version.clips_train // 2)
    assert f"{4 * steps} ({steps} per epoch)" in html
    assert f"{version.clips_train} to train on, {version.clips_validation} to validate with" in html
    assert "must be" in page.get("/runs/new/preflight/", form_of(version, epochs=0)).content.decode()
    assert "Choose a dataset version" in page.get("/runs/new/preflight/", {"name": "x"}).content.decode()


def test_cancel_resume_and_delete_by_button(tiny: Path, people: Any, page_for: Any) -> None:
    page = page_for(people.tom)
    page.post("/runs/new/", form_of(frozen_version(people.tom, clips=2)))
    run = TrainingRun.objects.get()
    address = f"/runs/{run.pk}/"

    def state() -> str:
        run.refresh_from_db()
        return run.state

    page.post(f"{address}delete/")
    assert state() == RunState.QUEUED
    page.post(f"{address}cancel/")
    assert state() == RunState.CANCELLED
    page.post(f"{address}resume/")
    assert state() == RunState.QUEUED
    page.post(f"{address}cancel/")
    assert page.post(f"{address}delete/").headers["Location"] == "/runs/"
    assert not TrainingRun.objects.exists()


def test_a_run_whose_job_is_gone_offers_every_way_on(people: Any, page_for: Any) -> None:
    run = RunFactory(owner=people.tom, state=RunState.RUNNING)
    html = page_for(people.tom).get(f"/runs/{run.pk}/").content.decode()
    assert "The job of this run is gone" in html
    for verb in ("cancel", "resume", "delete"):
        assert f'action="/runs/{run.pk}/{verb}/"' in html
    page_for(people.tom).post(f"/runs/{run.pk}/cancel/")
    html = page_for(people.tom).get(f"/runs/{run.pk}/").content.decode()
    assert "The job of this run is gone" not in html
    assert f'action="/runs/{run.pk}/cancel/"' not in html


def test_the_chart_learns_of_new_rows(people: Any, page_for: Any, trained: TrainingRun) -> None:
    page = page_for(people.tom)
    log = Log(trained)
    log.started()
    log.steps(1, (1, 2))
    before = page.get(f"/runs/{trained.pk}/curves/").json()
    assert before["steps"]["step"] == [1, 2]
    assert before["active"] is False
    assert f'data-rows="{before["rows"]}"' in page.get(f"/runs/{trained.pk}/checkpoints/").content.decode()
    CheckpointFactory(run=trained, epoch=3)
    assert page.get(f"/runs/{trained.pk}/curves/").json()["rows"] != before["rows"]
    assert 'id="row-3"' in page.get(f"/runs/{trained.pk}/checkpoints/").content.decode()


def test_a_failed_run_tells_the_cause(people: Any, page_for: Any) -> None:
    run = RunFactory(owner=people.tom, state=RunState.FAILED, error="The disk is full.", error_code="disk_full")
    html = page_for(people.tom).get(f"/runs/{run.pk}/").content.decode()
    assert "The disk is full." in html
    assert f"/runs/{run.pk}/resume/" in html


def test_tensorboard_is_linked_where_there_is_one(
    people: Any, page_for: Any, trained: TrainingRun, settings: Any
) -> None:
    page = page_for(people.tom)
    settings.TENSORBOARD_URL = ""
    assert "TensorBoard" not in page.get(f"/runs/{trained.pk}/").content.decode()
    for address in ("https://boards.example.org", "/tensorboard/"):
        settings.TENSORBOARD_URL = address
        html = page.get(f"/runs/{trained.pk}/").content.decode()
        assert f'href="{address}"' in html
        # The run's own page leads to the run's own curves.
        assert f'href="{address.rstrip("/")}/?runFilter={trained.pk}#timeseries"' in html


def test_a_run_that_is_not_there_is_not_found(people: Any, page_for: Any) -> None:
    assert page_for(people.tom).get(f"/runs/{uuid.uuid4()}/").status_code == 404
