"""Runs, checkpoints and samples over the API, for several people."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test.utils import CaptureQueriesContext

from tests.training.events import Log
from tests.training.factories import CheckpointFactory, RunFactory, SampleFactory, frozen_version, write_sample
from training.choices import RunState
from training.models import TrainingRun
from training.prompts import FIXED_PROMPTS

pytestmark = pytest.mark.django_db

RUNS = "/api/v1/training-runs/"


def test_a_trainer_starts_a_run(tiny: Path, people: Any, api_for: Any) -> None:
    version = frozen_version(people.tom, clips=3)
    body = {
        "name": "Evening",
        "version": str(version.pk),
        "epochs": 2,
        "batch_size": 2,
        "lora_rank": 4,
        "prompts": ["Say this.", "And that."],
    }
    response = api_for(people.tom).post(RUNS, body)
    assert response.status_code == 201
    data = response.json()
    assert (data["state"], data["epochs_total"], data["dataset"]) == ("queued", 2, version.dataset.name)
    assert data["spec"]["lora"]["rank"] == 4
    spoken = [prompt["text"] for prompt in data["spec"]["sample_prompts"]]
    assert spoken == ["Say this.", "And that.", *FIXED_PROMPTS["en"]]
    job = api_for(people.tom).get(f"/api/v1/jobs/{data['job']}/").json()
    assert (job["kind"], job["queue"], job["subject_id"]) == ("training.run", "gpu", data["id"])


def test_full_fine_tuning_and_its_neighbours_are_asked_for_over_the_api(tiny: Path, people: Any, api_for: Any) -> None:
    version = str(frozen_version(people.tom, clips=3).pk)
    api = api_for(people.tom)
    full = api.post(RUNS, {"name": "Whole", "version": version, "method": "full", "learning_rate": 1e-5}).json()
    assert (full["spec"]["method"], full["spec"]["augment_conditioning"]) == ("full", False)
    body = {"train_heads": True, "augment_conditioning": True, "lora_targets": ["c_attn"], "max_grad_norm": 2.0}
    wide = api.post(RUNS, {"name": "Heads", "version": version, **body}).json()["spec"]
    assert (wide["method"], wide["train_heads"], wide["train_conditioning"]) == ("lora", True, False)
    assert (wide["lora"]["targets"], wide["max_grad_norm"], wide["augment_conditioning"]) == (["c_attn"], 2.0, True)
    wrongs: list[dict[str, Any]] = [{"method": "half"}, {"lora_targets": ["q_proj"]}, {"lora_targets": []}]
    for wrong in wrongs:
        assert api.post(RUNS, {"name": "Wrong", "version": version, **wrong}).status_code == 400
    assert TrainingRun.objects.count() == 2


def test_sending_twice_starts_one_run(tiny: Path, people: Any, api_for: Any) -> None:
    body = {"name": "Evening", "version": str(frozen_version(people.tom, clips=2).pk)}
    api = api_for(people.tom)
    answers = [api.post(RUNS, body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 409, 409]
    error = answers[1].json()["error"]
    assert (error["code"], error["param"]) == ("duplicate", "name")
    assert TrainingRun.objects.count() == 1


def test_a_former_trainer_does_not_train_on_by_trying_the_job_again(tiny: Path, people: Any, api_for: Any) -> None:
    body = {"name": "Evening", "version": str(frozen_version(people.tom, clips=2).pk)}
    run = api_for(people.tom).post(RUNS, body).json()
    api_for(people.tom).post(f"{RUNS}{run['id']}/cancel/")
    people.tom.groups.clear()
    former = get_user_model().objects.get(pk=people.tom.pk)
    answer = api_for(former).post(f"/api/v1/jobs/{run['job']}/retry/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert TrainingRun.objects.get().state == RunState.CANCELLED


def test_lists_are_not_narrowed_by_what_one_may_not_see(people: Any, api_for: Any) -> None:
    """Somebody else's private run, version or checkpoint is answered like one that does not exist."""
    hidden = CheckpointFactory(run=RunFactory(owner=people.ben))
    own = CheckpointFactory(run=RunFactory(owner=people.tom))
    api = api_for(people.tom)
    asked = [
        (RUNS, "version", hidden.run.version_id, own.run.version_id, uuid.uuid4()),
        ("/api/v1/checkpoints/", "run", hidden.run_id, own.run_id, uuid.uuid4()),
        ("/api/v1/epoch-samples/", "run", hidden.run_id, own.run_id, uuid.uuid4()),
        ("/api/v1/epoch-samples/", "checkpoint", hidden.pk, own.pk, 10**6),
    ]
    for path, field, theirs, mine, nobodys in asked:
        assert api.get(path, {field: str(mine)}).status_code == 200
        keys = (theirs, nobodys)
        refusals = [api.get(path, {field: str(key)}) for key in keys]
        assert [answer.status_code for answer in refusals] == [400, 400], (path, field)
        # The same words, but for the value that each of them quotes.
        words = [answer.content.decode().split(f"'{key}'") for answer, key in zip(refusals, keys, strict=True)]
        assert len(words[0]) > 1
        assert words[0] == words[1]


def test_others_than_trainers_are_forbidden_to_start(people: Any, api_for: Any) -> None:
    for person in (people.anna, people.cora):
        response = api_for(person).post(RUNS, {"name": "Run", "version": str(uuid.uuid4())})
        assert response.status_code == 403
        assert response.json()["error"]["code"] == "forbidden"
    assert not TrainingRun.objects.exists()


def test_an_invisible_version_is_like_one_that_is_not_there(tiny: Path, people: Any, api_for: Any) -> None:
    hidden = frozen_version(people.ben, clips=2)
    answers = [
        api_for(people.tom).post(RUNS, {"name": "Run", "version": str(key)}) for key in (hidden.pk, uuid.uuid4())
    ]
    for answer in answers:
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "version"
    first, second = (answer.json()["error"]["message"].split('"')[0] for answer in answers)
    assert first == second


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ({"epochs": 0}, "epochs", "spec_invalid"),
        ({"lora_rank": 0}, "lora_rank", "spec_invalid"),
        ({"learning_rate": 7}, "learning_rate", "spec_invalid"),
        ({"epochs": "many"}, "epochs", "invalid"),
        ({"precision": "fp8"}, "precision", "invalid"),
        ({"devices": 2}, "devices", "device_missing"),
        ({"name": " "}, "name", "invalid"),
    ],
)
def test_a_wrong_value_gets_one_clear_answer(
    tiny: Path, people: Any, api_for: Any, given: dict[str, Any], param: str, code: str
) -> None:
    version = frozen_version(people.tom, clips=2)
    response = api_for(people.tom).post(RUNS, {"name": "Run", "version": str(version.pk), **given})
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["param"], error["code"]) == (param, code)
    assert not TrainingRun.objects.exists()


def test_without_a_model_the_service_is_unavailable(tiny: Path, people: Any, api_for: Any) -> None:
    version = frozen_version(people.tom, clips=2)
    response = api_for(people.tom).post(RUNS, {"name": "Run", "version": str(version.pk), "bundle": "gone"})
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "model_missing"


def test_people_see_their_own_and_shared_runs(people: Any, api_for: Any) -> None:
    mine = SampleFactory(checkpoint=CheckpointFactory(run=RunFactory(owner=people.tom, name="mine")))
    shared = SampleFactory(
        checkpoint=CheckpointFactory(run=RunFactory(owner=people.ben, name="shared", visibility="team"))
    )
    hidden = SampleFactory(checkpoint=CheckpointFactory(run=RunFactory(owner=people.ben, name="hidden")))
    api = api_for(people.tom)
    assert {run["name"] for run in api.get(RUNS).json()["results"]} == {"mine", "shared"}
    seen = {mine.checkpoint.pk, shared.checkpoint.pk}
    assert {row["id"] for row in api.get("/api/v1/checkpoints/").json()["results"]} == seen
    assert {row["id"] for row in api.get("/api/v1/epoch-samples/").json()["results"]} == {mine.pk, shared.pk}
    run, checkpoint = hidden.run.pk, hidden.checkpoint.pk
    for path in (f"{RUNS}{run}/", f"{RUNS}{run}/curves/", f"/api/v1/checkpoints/{checkpoint}/"):
        assert api.get(path).status_code == 404
    for path in (f"/api/v1/checkpoints/{checkpoint}/download/", f"/api/v1/epoch-samples/{hidden.pk}/audio/"):
        assert api.get(path).status_code == 404
    for verb in ("cancel", "resume"):
        assert api.post(f"{RUNS}{run}/{verb}/").status_code == 404
    assert api.delete(f"{RUNS}{run}/").status_code == 404
    assert TrainingRun.objects.filter(pk=run).exists()


def test_a_shared_run_is_not_for_everybody_to_change(people: Any, api_for: Any) -> None:
    run = RunFactory(owner=people.ben, visibility="team", state=RunState.FAILED)
    api = api_for(people.anna)
    assert api.get(f"{RUNS}{run.pk}/").status_code == 200
    for verb in ("cancel", "resume"):
        assert api.post(f"{RUNS}{run.pk}/{verb}/").status_code == 403
    # A trainer may work on it, but only its owner throws it away.
    for person in (people.anna, people.tom):
        assert api_for(person).delete(f"{RUNS}{run.pk}/").status_code == 403
    run.refresh_from_db()
    assert run.state == RunState.FAILED
    assert api_for(people.tom).post(f"{RUNS}{run.pk}/resume/").status_code == 200


def test_cancel_resume_and_delete(tiny: Path, people: Any, api_for: Any) -> None:
    api = api_for(people.tom)
    version = frozen_version(people.tom, clips=2)
    run = api.post(RUNS, {"name": "Run", "version": str(version.pk)}).json()
    address = f"{RUNS}{run['id']}/"
    refusal = api.delete(address)
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (409, "run_active")
    assert api.post(f"{address}cancel/").json()["state"] == "cancelled"
    assert api.post(f"{address}cancel/").json()["error"]["code"] == "run_ended"
    resumed = api.post(f"{address}resume/").json()
    assert resumed["state"] == "queued"
    assert resumed["job"] != run["job"]
    api.post(f"{address}cancel/")
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404


def test_curves_and_checkpoints_of_a_run(people: Any, api_for: Any) -> None:
    run = RunFactory(owner=people.tom, base_validation_loss=9.0)
    log = Log(run)
    log.started()
    log.steps(1, (1, 2, 3))
    log.epoch(1, validation=6.0)
    checkpoint = CheckpointFactory(run=run, epoch=1)
    CheckpointFactory(run=RunFactory(owner=people.tom))
    SampleFactory(checkpoint=checkpoint)
    api = api_for(people.tom)
    curves = api.get(f"{RUNS}{run.pk}/curves/").json()
    assert curves["steps"]["step"] == [1, 2, 3]
    assert curves["epochs"]["validation_loss"] == [6.0]
    assert curves["base_validation_loss"] == 9.0
    (row,) = api.get("/api/v1/checkpoints/", {"run": str(run.pk)}).json()["results"]
    assert row["samples"][0]["audio"].endswith(f"/api/v1/epoch-samples/{row['samples'][0]['id']}/audio/")


def test_a_samples_stretch_can_be_asked_for(people: Any, api_for: Any) -> None:
    sample = SampleFactory(checkpoint=CheckpointFactory(run=RunFactory(owner=people.tom)))
    write_sample(sample)
    api = api_for(people.tom)
    response = api.get(f"/api/v1/epoch-samples/{sample.pk}/audio/", headers={"range": "bytes=0-43"})
    assert response.status_code == 206
    assert response.headers["Content-Type"] == "audio/wav"
    header = b"".join(response)
    assert header[:4] == b"RIFF"
    assert int.from_bytes(header[24:28], "little") == 24_000


def test_a_download_carries_a_name_and_vanished_files_are_not_found(people: Any, api_for: Any) -> None:
    checkpoint = CheckpointFactory(run=RunFactory(owner=people.tom, name="Evening voice"), epoch=3)
    api = api_for(people.tom)
    address = f"/api/v1/checkpoints/{checkpoint.pk}/download/"
    assert api.get(address).status_code == 404
    checkpoint.folder.mkdir(parents=True)
    checkpoint.weights_path.write_bytes(b"weights")
    response = api.get(address)
    assert b"".join(response) == b"weights"
    assert "evening-voice-epoch-0003.safetensors" in response.headers["Content-Disposition"]


def test_lists_ask_the_database_as_often_for_many_rows_as_for_few(people: Any, api_for: Any) -> None:
    from django.db import connection

    api = api_for(people.tom)

    def queries(path: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert api.get(path).status_code == 200
        return len(captured)

    def add() -> None:
        SampleFactory(checkpoint=CheckpointFactory(run=RunFactory(owner=people.tom)))

    add()
    few = {path: queries(path) for path in (RUNS, "/api/v1/checkpoints/", "/api/v1/epoch-samples/")}
    for _ in range(4):
        add()
    assert {path: queries(path) for path in few} == few
