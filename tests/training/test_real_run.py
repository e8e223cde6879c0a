"""Runs of the tiny model in their real process: what is on disk is what is listed, whatever happens on the way."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
import wave
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F

from tests.training.factories import frozen_version
from training.choices import RunState
from training.engine.events import read_events
from training.engine.launch import EVENTS
from training.models import TrainingRun
from training.services import RunValues, run_cancel, run_create, run_curves
from training.services.execution import PROCESS, process_started
from xttsproject.jobs.context import JobContext
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_retry
from xttsproject.lib.files import sha256_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

PROMPT = "A short line."


@pytest.fixture(autouse=True)
def quiet_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's database lives in one transaction, to which the heartbeat's thread cannot write."""
    monkeypatch.setattr("xttsproject.jobs.context.BEAT_SECONDS", 3600)


def start(owner: Any, **values: Any) -> TrainingRun:
    chosen = {
        "epochs": 3,
        "batch_size": 2,
        "learning_rate": 2e-3,
        "prompts": (PROMPT,),
        "fixed_prompts": False,
        **values,
    }
    chosen |= {"fixed_prompts": False, **values}
    return run_create(owner=owner, version=frozen_version(owner), name="Evening voice", values=RunValues(**chosen))


def steps_told(run: TrainingRun) -> list[dict[str, Any]]:
    return [event.data for event in read_events(run.folder / EVENTS) if event.kind == "step"]


def folders(run: TrainingRun) -> list[Path]:
    """None yet where a run was stopped within its first epoch."""
    return sorted((run.folder / "checkpoints").glob("*"))


@pytest.mark.timeout(120)
def test_what_training_wrote_is_what_page_admin_and_api_list(
    tiny: Path, people: Any, work: Callable[[], list[str]], api_for: Any, page_for: Any
) -> None:
    run = start(people.tom)
    expected_steps = run.steps_total
    assert work() == ["succeeded"], Job.objects.get().error
    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    assert (run.epoch, run.step, run.steps_total) == (3, expected_steps, expected_steps)

    # Disk and rows: the same folders, files, hashes and losses.
    on_disk = folders(run)
    assert [folder.name for folder in on_disk] == ["epoch-0001", "epoch-0002", "epoch-0003"]
    rows = list(run.checkpoints.order_by("epoch"))
    assert [row.folder for row in rows] == on_disk
    for row in rows:
        told = json.loads((row.folder / "checkpoint.json").read_text())
        assert row.sha256 == sha256_of(row.weights_path) == told["sha256"]
        assert row.bytes == row.weights_path.stat().st_size
        assert row.train_loss == told["train_loss"]
        assert row.validation_loss == told["validation"]["total"]
        assert run.base_validation_loss == told["base_validation"]["total"]
    losses = [row.validation_loss or 0.0 for row in rows]
    assert 0 < losses[-1] < (run.base_validation_loss or 0.0)
    assert [row.is_best for row in rows] == [loss == min(losses) for loss in losses]
    samples = {sample.audio_path for sample in run.samples.all()}
    assert samples == set((run.folder / "samples").rglob("*.wav"))
    assert len(samples) == 4

    # The API lists the same, downloads the same bytes, and plays sound at 24 kHz.
    api = api_for(people.tom)
    listed = api.get("/api/v1/checkpoints/", {"run": str(run.pk), "ordering": "epoch"}).json()["results"]
    assert [(row["epoch"], row["sha256"], row["path"]) for row in listed] == [
        (row.epoch, row.sha256, f"checkpoints/{row.folder.name}") for row in rows
    ]
    assert b"".join(api.get(listed[0]["download"])) == rows[0].weights_path.read_bytes()
    base = api.get(f"/api/v1/training-runs/{run.pk}/").json()["base_samples"]
    audio = [sample["audio"] for sample in base] + [sample["audio"] for row in listed for sample in row["samples"]]
    assert len(audio) == 4
    for url in audio:
        with wave.open(BytesIO(b"".join(api.get(url)))) as sound:
            assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (24_000, 1, 2)
            assert sound.getnframes() > 0

    # The page shows a row per checkpoint, after the recording and the base model, each with its own player.
    page = page_for(people.tom)
    html = page.get(f"/runs/{run.pk}/").content.decode()
    assert re.findall(r'<tr id="row-(\w+)"', html) == ["reference", "base", "1", "2", "3"]
    for row in rows:
        part = html.split(f'<tr id="row-{row.epoch}"')[1].split("</tr>")[0]
        assert f'data-checkpoint="{row.pk}"' in part
        assert row.sha256 in part
        assert f'src="/runs/samples/{row.samples.get().pk}/audio/"' in part
        assert ("best" in part.split(">")[0]) == row.is_best
    heard = page.get(f"/runs/samples/{rows[0].samples.get().pk}/audio/")
    assert b"".join(heard) == rows[0].samples.get().audio_path.read_bytes()

    # So does the admin.
    listing = page.get(f"/admin/training/checkpoint/?run__id__exact={run.pk}").content.decode()
    for row in rows:
        assert row.sha256[:12] in listing
        assert f"/runs/samples/{row.samples.get().pk}/audio/" in listing

    # And the chart's points are the steps that were told.
    curves = run_curves(run=run)
    assert curves.steps.step == list(range(1, expected_steps + 1))
    assert curves.epochs.validation_loss == [row.validation_loss for row in rows]


class KillOnce(threading.Thread):
    """Kills the engine's process group as soon as ``ready`` says so; looks at files only."""

    def __init__(self, folder: Path, ready: Callable[[], bool]):
        super().__init__(daemon=True)
        self.folder, self.ready, self.pid = folder, ready, 0

    def run(self) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if self.ready():
                self.pid = int(json.loads((self.folder / PROCESS).read_text())["pid"])
                os.killpg(self.pid, signal.SIGKILL)
                return
            time.sleep(0.02)


@pytest.mark.timeout(180)
def test_a_killed_run_goes_on_from_its_last_checkpoint(
    tiny: Path, people: Any, work: Callable[[], list[str]], api_for: Any
) -> None:
    run = start(people.tom, epochs=4)
    killer = KillOnce(run.folder, lambda: any(step["epoch"] == 2 for step in steps_told(run)))
    killer.start()
    began = time.monotonic()
    assert work() == ["failed"]
    worked = time.monotonic() - began
    killer.join()
    assert killer.pid
    assert process_started(killer.pid) == ""
    run.refresh_from_db()
    assert (run.state, run.error_code) == (RunState.FAILED, "training_killed")
    assert "resume" in run.error
    before = {row.epoch: row.sha256 for row in run.checkpoints.all()}
    assert 1 in before
    assert len(before) < 4
    told_before = len(steps_told(run))
    # What was trained before the kill is counted; the hour until somebody tries again is not.
    assert 0 < run.trained_seconds <= worked
    trained_before = run.trained_seconds
    TrainingRun.objects.update(started_at=F("started_at") - timedelta(hours=1))

    assert run.job is not None
    job_retry(job=run.job, user=people.tom)
    began = time.monotonic()
    assert work() == ["succeeded"], Job.objects.get().error
    worked += time.monotonic() - began
    run.refresh_from_db()
    assert trained_before < run.trained_seconds <= worked
    assert run.state == RunState.SUCCEEDED
    assert run.facts["resumed_from_epoch"] >= 1
    rows = list(run.checkpoints.order_by("epoch"))
    assert [row.epoch for row in rows] == [1, 2, 3, 4]
    assert [row.folder for row in rows] == folders(run)
    # What was finished before was neither made anew nor listed twice.
    assert rows[0].sha256 == before[1] == sha256_of(rows[0].weights_path)
    assert run.samples.count() == 5
    assert sum(row.is_best for row in rows) == 1

    # The first step after the resume follows the checkpoint's last one, and learning was not lost.
    steps = steps_told(run)
    resumed = steps[told_before]
    per_epoch = run.steps_total // 4
    assert resumed["step"] == run.facts["resumed_from_epoch"] * per_epoch + 1
    first, last = (sum(step["loss"] for step in part) / per_epoch for part in (steps[:per_epoch], steps[-per_epoch:]))
    assert last < first
    curves = run_curves(run=run)
    assert curves.steps.step == list(range(1, run.steps_total + 1))
    assert curves.epochs.epoch == [1, 2, 3, 4]
    assert curves.steps.loss[resumed["step"] - 1] == resumed["loss"]


@pytest.fixture
def cancels_at_first_step(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The owner presses "cancel" as soon as the job reports a trained step; says when, and which process it was."""
    pressed: dict[str, float] = {}

    class Impatient(JobContext):
        def report(self, fraction: float, message: str = "") -> None:
            super().report(fraction, message)
            run = TrainingRun.objects.get()
            if run.step and not pressed:
                pressed["pid"] = json.loads((run.folder / PROCESS).read_text())["pid"]
                pressed["at"] = time.monotonic()
                run_cancel(run=run)

    monkeypatch.setattr("xttsproject.jobs.tasks.JobContext", Impatient)
    return pressed


@pytest.mark.timeout(120)
def test_a_cancelled_run_is_gone_within_five_seconds_and_can_be_resumed(
    tiny: Path, people: Any, work: Callable[[], list[str]], cancels_at_first_step: dict[str, float]
) -> None:
    run = start(people.tom, epochs=500)
    states = work()
    took = time.monotonic() - cancels_at_first_step["at"]
    assert states == ["cancelled"]
    assert took < 5
    assert process_started(int(cancels_at_first_step["pid"])) == ""
    assert not (run.folder / PROCESS).exists()
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert run.can_resume
    assert 0 < run.step < run.steps_total
    assert [row.folder for row in run.checkpoints.order_by("epoch")] == folders(run)
