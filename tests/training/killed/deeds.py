"""What the processes of the nursery do: the portal's own services, and looks at what they left."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connections

from training.engine.search import Space
from training.models import Checkpoint, CheckpointExport, Sweep, TrainingRun
from training.services import (
    RunValues,
    Search,
    average_create,
    checkpoints_prune,
    export_create,
    run_create,
    run_curves,
    scoring_start,
    sweep_create,
    sweep_spent,
    values_of,
)
from xttsproject.accounts.groups import ensure_groups
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import jobs_rescue
from xttsproject.lib.files import sha256_of

LOADED = (
    "accelerate",
    "peft",
    "torch.utils.tensorboard",
    "datasets.pipeline.transcribe",
    "training.engine.run",
    "training.engine.soup",
    "training.tasks",
    "xttsproject.bundles.export",
    "xttsproject.xtts.engine",
    "xttsproject.xtts.likeness",
)

EPOCHS = 3


def begin() -> str:
    """The portal's database, a trainer, and a queued run of the small model; its key."""
    from tests.training.factories import frozen_version

    call_command("migrate", verbosity=0)
    ensure_groups()
    owner = get_user_model().objects.create_user("tom", "tom@example.org", "portal-pass-1")
    owner.groups.add(Group.objects.get(name="trainer"))
    values = RunValues(
        epochs=EPOCHS,
        batch_size=1,
        lora_rank=2,
        learning_rate=2e-3,
        lora_dropout=0.1,
        keep_best=None,
        prompts=["A line."],
        fixed_prompts=False,
    )
    version = frozen_version(owner, clips=8)
    return str(run_create(owner=owner, version=version, name="Evening", values=values).pk)


# --- working ------------------------------------------------------------------------------------------------------


def work(job: str) -> str:
    from xttsproject.jobs.tasks import run

    return run(job)


def rescue() -> int:
    return jobs_rescue()


def uninterrupted(run: str, folder: str) -> dict[str, Any]:
    """The same run in another folder, from beginning to end in one process; its curves by step."""
    from training.engine.events import EventWriter, read_events
    from training.engine.launch import EVENTS
    from training.engine.run import Run
    from training.services.spec import spec_of
    from xttsproject.lib.progress import Silent

    spec = replace(spec_of(run=TrainingRun.objects.get(pk=run)), run_dir=Path(folder))
    Run(spec, EventWriter(spec.run_dir / EVENTS), Silent()).execute()
    told = list(read_events(spec.run_dir / EVENTS))
    return {
        "loss": [event.data["loss"] for event in told if event.kind == "step"],
        "validation": [event.data["validation_loss"] for event in told if event.kind == "epoch"],
        "weights": [event.data["sha256"] for event in told if event.kind == "checkpoint"],
    }


def score(run: str) -> str:
    row = TrainingRun.objects.get(pk=run)
    return str(scoring_start(run=row, user=row.owner).pk)


def average(run: str, epochs: list[int]) -> str:
    row = TrainingRun.objects.get(pk=run)
    return str(average_create(run=row, epochs=epochs, user=row.owner).pk)


def export(run: str, bundle: str, epoch: int) -> str:
    """Export a checkpoint as if it had been trained on the model of released sizes, which has the very same GPT."""
    TrainingRun.objects.filter(pk=run).update(bundle=bundle)
    row = Checkpoint.objects.select_related("run__owner").get(run__pk=run, kind="epoch", epoch=epoch)
    made = export_create(checkpoint=row, user=row.run.owner)
    return str(Job.objects.about(made).get(state="queued").pk)


def sweep(run: str) -> str:
    """A sweep of two trials on the run's version, its points drawn and the first one queued; its key."""
    row = TrainingRun.objects.get(pk=run)
    made = sweep_create(
        owner=row.owner,
        version=row.version,
        name="Ranks",
        values=replace(values_of(run=row), epochs=2),
        search=Search(space=Space.from_dict({"lora_rank": {"values": [2, 4]}}), method="grid"),
    )
    work(str(made.job_id))
    return str(made.pk)


# --- looking ------------------------------------------------------------------------------------------------------


def job(key: str) -> dict[str, Any]:
    row = Job.objects.get(pk=key)
    return {"state": row.state, "attempt": row.attempt, "error": row.error, "worker": row.worker}


def the_run(run: str) -> dict[str, Any]:
    row = TrainingRun.objects.get(pk=run)
    rows = row.checkpoints.filter(kind="epoch").order_by("epoch")
    curves = run_curves(run=row)
    return {
        "state": row.state,
        "trained_seconds": row.trained_seconds,
        "job": str(row.job_id),
        "folder": str(row.folder),
        "steps_total": row.steps_total,
        "resumed": row.facts.get("resumed_from_epoch"),
        "epochs": [each.epoch for each in rows],
        "weights": [each.sha256 for each in rows],
        "on_disk": [sha256_of(each.weights_path) for each in rows.kept()],
        "steps": curves.steps.step,
        "loss": curves.steps.loss,
        "validation": curves.epochs.validation_loss,
        "samples": sorted(row.samples.filter(checkpoint__kind="epoch").values_list("epoch", flat=True)),
    }


def the_sweep(key: str) -> dict[str, Any]:
    row = Sweep.objects.get(pk=key)
    trials = [{"run": str(trial.pk), **the_run(str(trial.pk))} for trial in row.trials.order_by("trial")]
    return {"state": row.state, "begun": row.begun, "spent": sweep_spent(sweep=row).total_seconds(), "trials": trials}


def cards(run: str) -> list[Any]:
    """What was measured, by whom it is of; the time apart."""
    rows = TrainingRun.objects.get(pk=run).scorecards.order_by("subject", "epoch")
    return [
        [[row.subject, row.epoch], row.measured_at.isoformat(), [row.figures, row.composite, row.samples]]
        for row in rows
    ]


def forget_cards(run: str) -> None:
    TrainingRun.objects.get(pk=run).scorecards.all().delete()


def averages(run: str) -> list[Any]:
    """The averages of the run: file, losses and sound."""
    rows = TrainingRun.objects.get(pk=run).checkpoints.filter(kind="average")
    return [
        [
            row.averaged,
            row.sha256 == sha256_of(row.weights_path),
            row.sha256,
            row.bytes,
            row.validation_loss,
            [sha256_of(sample.audio_path) for sample in row.samples.all()],
        ]
        for row in rows
    ]


def forget_averages(run: str) -> None:
    import shutil

    for row in TrainingRun.objects.get(pk=run).checkpoints.filter(kind="average"):
        folder = row.folder
        row.delete()
        shutil.rmtree(folder)


def exported(run: str) -> list[Any]:
    """The finished exports of the run, by the sums of their members."""
    found = []
    for row in CheckpointExport.objects.filter(checkpoint__run__pk=run):
        with zipfile.ZipFile(row.path) as archive:
            members = sorted((info.filename, info.CRC, info.file_size) for info in archive.infolist())
        whole = (row.bytes, row.sha256) == (row.path.stat().st_size, sha256_of(row.path))
        found.append([row.state, whole, members, sorted(path.name for path in row.folder.iterdir())])
    return found


def forget_exports(run: str) -> None:
    from training.services import export_delete

    for row in CheckpointExport.objects.filter(checkpoint__run__pk=run):
        export_delete(export=row)


def leftovers(run: str) -> list[str]:
    """Temporary files and folders (all begin with a dot) that nobody writes to any more."""
    folder = TrainingRun.objects.get(pk=run).folder
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(".*") if path.name != ".lock")


# --- pruning, killed at every line --------------------------------------------------------------------------------

TRACED = ("training/services/pruning.py", "training/engine/checkpoint.py", "training/models/checkpoint.py")


def prune_killed_at_every_line(run: str) -> dict[str, Any]:
    """Prune in a process that is killed at its first line, at its second …, until one gets to its end.

    After each death: no row promises a file that is not there, and the next call removes what the policy says.
    """
    row = TrainingRun.objects.get(pk=run)
    row.spec["keep_best"] = 1
    row.save()
    originals = {each.pk: {path: path.read_bytes() for path in each.folder.iterdir()} for each in _of_epochs(row)}
    found: dict[str, Any] = {"deaths": 0, "between": 0, "broken": []}
    while True:
        lines = found["deaths"] + 1
        connections.close_all()
        pid = os.fork()
        if not pid:
            _prune_and_die(row.pk, lines)
        died = os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        state = [(each.is_kept, each.weights_path.exists()) for each in _of_epochs(row)]
        if (True, False) in state:
            found["broken"].append(lines)
        found["between"] += (False, True) in state
        checkpoints_prune(run=row)
        state = [(each.is_kept, each.weights_path.exists()) for each in _of_epochs(row)]
        if any(kept != there for kept, there in state) or sum(kept for kept, _ in state) not in (1, 2):
            found["broken"].append(lines)
        for pk, files in originals.items():
            Checkpoint.objects.filter(pk=pk).update(removed_at=None)
            for path, data in files.items():
                path.write_bytes(data)
        if not died:
            return found
        found["deaths"] = lines


def _of_epochs(run: TrainingRun) -> list[Checkpoint]:
    return list(Checkpoint.objects.filter(run=run, kind="epoch").select_related("run").order_by("epoch"))


def _prune_and_die(pk: Any, lines: int) -> None:
    left = lines

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.endswith(TRACED):
            return None
        if event == "line":
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    with contextlib.suppress(Exception):
        row = TrainingRun.objects.get(pk=pk)
        sys.settrace(trace)
        checkpoints_prune(run=row)
    os._exit(0)
