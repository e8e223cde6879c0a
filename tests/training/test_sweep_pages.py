"""Sweeps on pages, over the API and in the admin; and for whom they are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.factories import CheckpointFactory, RunFactory, frozen_version
from training.choices import RunState
from training.models import Sweep, TrainingRun
from xttsproject.jobs.models import Job

pytestmark = pytest.mark.django_db

FORM = {
    "name": "Rates",
    "search_method": "sobol",
    "searched_learning_rate": "5e-5 to 1e-3",
    "searched_lora_rank": "4, 8",
    "budget_runs": "3",
    "grace_epochs": "3",
    "search_seed": "1",
    "stop_unpromising": "on",
    "bundle": "tiny",
    "epochs": "5",
    "batch_size": "2",
    "learning_rate": "2e-4",
    "lora_rank": "8",
    "lora_alpha": "16",
    "precision": "fp32",
    "seed": "1",
    "visibility": "private",
}


@pytest.fixture(autouse=True)
def model(settings: Any, random_bundle: Path) -> None:
    settings.MODELS_DIR, settings.XTTS_BUNDLE = random_bundle.parent, random_bundle.name


@pytest.fixture
def form(people: Any) -> dict[str, Any]:
    """The new sweep's form as the page sends it, whatever fields a run's form has."""
    from training.sweepforms import SweepForm

    blank = SweepForm(user=people.tom)
    presets = {
        name: field.initial
        for name, field in blank.fields.items()
        if field.initial not in (None, False) and field.required
    }
    return {**presets, **FORM, "version": str(frozen_version(people.tom, clips=5).pk)}


@pytest.fixture
def sweep(people: Any) -> Sweep:
    """A sweep of tom's at work: one trial has ended, one was stopped, one trains."""
    version = frozen_version(people.tom, clips=5)
    made = Sweep.objects.create(
        owner=people.tom,
        name="Evening",
        version=version,
        bundle="tiny",
        method="grid",
        space={"lora_rank": {"values": [2, 4, 8]}},
        base={"epochs": 5},
        grace_epochs=2,
        plan=[{"lora_rank": 2}, {"lora_rank": 4}, {"lora_rank": 8}],
        begun=3,
        state=RunState.RUNNING,
    )
    for trial, (state, losses) in enumerate(
        ((RunState.SUCCEEDED, [4.0, 3.0]), (RunState.CANCELLED, [6.0, 5.5]), (RunState.RUNNING, [4.5]))
    ):
        run = RunFactory(
            owner=people.tom, version=version, sweep=made, trial=trial, state=state, epoch=len(losses), step=4
        )
        for epoch, loss in enumerate(losses, start=1):
            CheckpointFactory(run=run, epoch=epoch, validation_loss=loss)
    stopped = made.trials.get(trial=1)
    stopped.stop_reason = "Stopped after epoch 2: its loss was worse than the median."
    stopped.save()
    return made


def test_a_sweep_is_started_from_its_page(people: Any, page_for: Any, form: dict[str, Any]) -> None:
    page = page_for(people.tom)
    assert "Start the sweep" in page.get("/sweeps/new/").content.decode()
    told = page.get("/sweeps/new/preflight/", form).content.decode()
    assert "<dt>Trials</dt><dd>3" in told
    assert "The first trial will tell" in told
    answer = page.post("/sweeps/new/", form)
    made = Sweep.objects.get()
    assert answer["Location"] == f"/sweeps/{made.pk}/"
    assert made.space == {"learning_rate": {"low": 5e-5, "high": 1e-3}, "lora_rank": {"values": [4, 8]}}
    assert (made.budget_runs, made.stop_unpromising, made.base["epochs"]) == (3, True, 5)
    assert Job.objects.get().kind == "training.sweep"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"searched_lora_rank": "0, 4"}, "LoRA rank must be a whole number at least 1"),
        ({"searched_learning_rate": "1e-3 to 1e-4"}, "is empty"),
        ({"searched_learning_rate": "", "searched_lora_rank": ""}, "Nothing is searched"),
        ({"search_method": "grid"}, "a grid tries values"),
        ({"parallel": "0"}, "Trials at once must be a whole number from 1 to 1000, got 0."),
        ({"budget_runs": ""}, "Say how many trials"),
    ],
)
def test_what_cannot_be_searched_is_said_on_the_form_and_before_it_is_sent(
    people: Any, page_for: Any, form: dict[str, Any], changes: dict[str, str], said: str
) -> None:
    page = page_for(people.tom)
    answer = page.post("/sweeps/new/", {**form, **changes})
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert said in page.get("/sweeps/new/preflight/", {**form, **changes}).content.decode()
    assert not Sweep.objects.exists()


def test_beside_the_form_each_field_is_called_by_its_label(people: Any, page_for: Any, form: dict[str, Any]) -> None:
    changes = {"searched_learning_rate": "x", "grace_epochs": "y", "early_stopping_min_delta": "z"}
    html = page_for(people.tom).get("/sweeps/new/preflight/", {**form, **changes}).content.decode()
    for said in (
        "<div>Learning rate: “x” is no number",
        "<div>Not before epoch: Enter a whole number.</div>",
        "<div>Better by at least: Enter a number.</div>",
    ):
        assert said in html


def test_the_page_ranks_the_trials_and_says_why_one_was_stopped(people: Any, page_for: Any, sweep: Sweep) -> None:
    page = page_for(people.tom)
    html = page.get(f"/sweeps/{sweep.pk}/").content.decode()
    rows = html.split("<tbody>")[1].split("</tbody>")[0].split("<tr")[1:]
    assert [row.split('data-trial="')[1][0] for row in rows] == ["0", "2", "1"]
    assert "badge text-bg-success" in rows[0]
    best = sweep.trials.get(trial=0).checkpoints.get(epoch=2)
    assert f"/voices/add/?checkpoint={best.pk}" in rows[0]
    assert "worse than the median" in rows[2]
    assert "Stopped early" in rows[2]
    # At work: no longer run of it yet.
    assert "Train this one longer" in rows[0]
    assert "Train this one longer" not in rows[1]
    table = page.get(f"/sweeps/{sweep.pk}/trials/").content.decode()
    assert "2 ended, 3 begun, 3 in all" in table
    curves = page.get(f"/sweeps/{sweep.pk}/curves/").json()
    assert curves["active"] is True
    assert [curve["losses"] for curve in curves["trials"]] == [[4.0, 3.0], [6.0, 5.5], [4.5]]
    assert "Evening" in page.get("/sweeps/").content.decode()
    # Its trials say whose they are.
    run = sweep.trials.get(trial=1)
    detail = page.get(f"/runs/{run.pk}/").content.decode()
    assert f'href="/sweeps/{sweep.pk}/"' in detail
    assert "worse than the median" in detail
    assert f'href="/sweeps/{sweep.pk}/"' in page.get("/runs/").content.decode()


def test_a_trial_is_trained_longer_as_a_run_of_its_own(people: Any, page_for: Any, api_for: Any) -> None:
    version = frozen_version(people.tom, clips=5)
    from training.services import RunValues, run_create

    run = run_create(owner=people.tom, version=version, name="Short", values=RunValues(epochs=4, lora_rank=2))
    page = page_for(people.tom)
    shown = page.get(f"/runs/{run.pk}/longer/").content.decode()
    assert 'value="8"' in shown
    assert 'value="Short, longer"' in shown
    refused = page.post(f"/runs/{run.pk}/longer/", {"name": "Short", "epochs": "8", "visibility": "private"})
    assert refused.status_code == 400
    page.post(f"/runs/{run.pk}/longer/", {"name": "Long", "epochs": "8", "visibility": "team"})
    longer = TrainingRun.objects.get(name="Long")
    assert (longer.spec["epochs"], longer.spec["lora"]["rank"], longer.visibility) == (8, 2, "team")
    api = api_for(people.tom).post(f"/api/v1/training-runs/{run.pk}/longer/", {"name": "Longest", "epochs": 16})
    assert (api.status_code, api.json()["spec"]["epochs"]) == (201, 16)
    assert api_for(people.anna).post(f"/api/v1/training-runs/{run.pk}/longer/", {}).status_code == 403


def test_the_api_does_what_the_pages_do(people: Any, api_for: Any) -> None:
    api = api_for(people.tom)
    version = frozen_version(people.tom, clips=5)
    asked = {
        "name": "Rates",
        "version": str(version.pk),
        "search_method": "grid",
        "space": {"lora_rank": {"values": [4, 8]}, "learning_rate": {"values": [1e-4, 2e-4]}},
        "epochs": 3,
        "budget_runs": 3,
    }
    found = api.post("/api/v1/sweeps/preflight/", asked).json()
    assert (found["trials"], found["left_out"], found["epochs"]) == (3, 1, 9)
    made = api.post("/api/v1/sweeps/", asked)
    assert made.status_code == 201, made.json()
    where = f"/api/v1/sweeps/{made.json()['id']}/"
    assert made.json()["state"] == "queued"
    wrong = api.post("/api/v1/sweeps/", {**asked, "name": "Wrong", "space": {"lora_rank": {"values": [0]}}})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "space_invalid")
    spaces: list[Any] = [{}, [], {"lora_rank": 3}]
    for space in spaces:
        assert api.post("/api/v1/sweeps/", {**asked, "name": "Wrong", "space": space}).status_code == 400
    assert [row["id"] for row in api.get("/api/v1/sweeps/", {"state": "queued"}).json()["results"]] == [
        made.json()["id"]
    ]
    assert api.post(f"{where}cancel/").json()["state"] == "cancelled"
    assert api.post(f"{where}cancel/").json()["error"]["code"] == "sweep_ended"
    assert api.post(f"{where}go-on/").json()["state"] == "queued"
    api.post(f"{where}cancel/")
    assert api.delete(where).status_code == 204


def test_the_api_tells_trials_and_curves(people: Any, api_for: Any, sweep: Sweep) -> None:
    api = api_for(people.tom)
    trials = api.get(f"/api/v1/sweeps/{sweep.pk}/trials/").json()
    assert [(row["trial"], row["values"], row["validation_loss"]) for row in trials] == [
        (0, {"lora_rank": 2}, 3.0),
        (2, {"lora_rank": 8}, 4.5),
        (1, {"lora_rank": 4}, 5.5),
    ]
    assert trials[2]["stop_reason"].startswith("Stopped after epoch 2")
    assert len(api.get(f"/api/v1/sweeps/{sweep.pk}/curves/").json()) == 3
    runs = api.get("/api/v1/training-runs/", {"sweep": str(sweep.pk)}).json()["results"]
    assert {run["trial"] for run in runs} == {0, 1, 2}


def test_a_sweep_is_cancelled_and_gone_on_with_from_its_page(people: Any, page_for: Any, sweep: Sweep) -> None:
    page = page_for(people.tom)
    page.post(f"/sweeps/{sweep.pk}/cancel/")
    sweep.refresh_from_db()
    assert (sweep.state, sweep.trials.get(trial=2).state) == (RunState.CANCELLED, RunState.CANCELLED)
    page.post(f"/sweeps/{sweep.pk}/go-on/")
    sweep.refresh_from_db()
    assert sweep.state == RunState.RUNNING
    page.post(f"/sweeps/{sweep.pk}/delete/")
    assert Sweep.objects.exists()
    page.post(f"/sweeps/{sweep.pk}/cancel/")
    page.post(f"/sweeps/{sweep.pk}/delete/")
    assert not Sweep.objects.exists()
    assert TrainingRun.objects.count() == 3


def test_a_stranger_sees_and_does_nothing(people: Any, page_for: Any, api_for: Any, sweep: Sweep) -> None:
    page, api = page_for(people.anna), api_for(people.anna)
    for path in ("", "trials/", "curves/"):
        assert page.get(f"/sweeps/{sweep.pk}/{path}").status_code == 404
        assert api.get(f"/api/v1/sweeps/{sweep.pk}/{path}").status_code == 404
    for path in ("cancel/", "go-on/", "delete/"):
        assert page.post(f"/sweeps/{sweep.pk}/{path}").status_code == 404
    for path in ("cancel/", "go-on/"):
        assert api.post(f"/api/v1/sweeps/{sweep.pk}/{path}").status_code == 404
    assert api.delete(f"/api/v1/sweeps/{sweep.pk}/").status_code == 404
    assert "Evening" not in page.get("/sweeps/").content.decode()
    assert api.get("/api/v1/sweeps/").json()["results"] == []
    for path in ("/sweeps/new/", "/sweeps/new/preflight/"):
        assert page.get(path).status_code == 403
    assert api.post("/api/v1/sweeps/", {}).status_code == 403
    run = sweep.trials.first()
    assert run is not None
    assert page.get(f"/runs/{run.pk}/longer/").status_code == 403
    sweep.refresh_from_db()
    assert sweep.state == RunState.RUNNING


def test_whoever_is_shown_a_sweep_may_look_and_not_change_it(
    people: Any, page_for: Any, api_for: Any, sweep: Sweep
) -> None:
    Sweep.objects.update(visibility="team")
    page, api = page_for(people.anna), api_for(people.anna)
    html = page.get(f"/sweeps/{sweep.pk}/").content.decode()
    assert "Cancel the sweep" not in html
    for path in ("cancel/", "go-on/", "delete/"):
        assert page.post(f"/sweeps/{sweep.pk}/{path}").status_code == 403
    assert api.post(f"/api/v1/sweeps/{sweep.pk}/cancel/").status_code == 403
    assert api.delete(f"/api/v1/sweeps/{sweep.pk}/").status_code == 403


def test_the_admin_shows_sweeps_and_cancels_them(people: Any, page_for: Any, sweep: Sweep) -> None:
    page = page_for(people.root)
    listing = page.get("/admin/training/sweep/").content.decode()
    assert "Evening" in listing
    assert f"/sweeps/{sweep.pk}/" in page.get(f"/admin/training/sweep/{sweep.pk}/change/").content.decode()
    page.post("/admin/training/sweep/", {"action": "cancel", "_selected_action": [str(sweep.pk)]})
    sweep.refresh_from_db()
    assert sweep.state == RunState.CANCELLED
