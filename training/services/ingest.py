"""From a run's event log to rows. Doing it twice, or from the start again, gives the same rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from training.choices import CheckpointKind
from training.engine import events as ev
from training.engine.launch import EVENTS
from training.models import Checkpoint, EpochSample, TrainingRun
from training.services.eventlog import read_on

STARTED_FACTS = (
    "clips_train",
    "clips_validation",
    "left_out",
    "trainable_parameters",
    "resumed_from_epoch",
    "precision",
    "speech_precision",
)
KEPT_FACTS = ("base_validation", "scores")
# What the engine writes into each checkpoint's folder before it tells of the checkpoint.
CHECKPOINT_FACTS = "checkpoint.json"


def run_ingest_events(*, run: TrainingRun) -> list[ev.Event]:
    """Turn what the log says since the last time into rows, together with the mark of how far it was read.

    ``run`` is brought up to date. Returns the events, oldest first. The state is not changed here: whoever watches
    the process decides what its end means.
    """
    path = run.folder / EVENTS
    seen: list[ev.Event] = []
    while True:
        # Outside of the transaction first, so that a look at a quiet log takes no write lock.
        if read_on(path, run.events_seen)[1] == run.events_seen:
            return seen
        with transaction.atomic():
            run.__dict__.update(_locked(run).__dict__)
            events, offset = read_on(path, run.events_seen)
            for event in events:
                _apply(run, event)
            run.events_seen = offset
            run.save(update_fields=_FIELDS)
        seen += events


_FIELDS = [
    "events_seen",
    "epochs_total",
    "steps_total",
    "epoch",
    "step",
    "loss",
    "learning_rate",
    "clips_per_second",
    "timed_from_step",
    "timed_from",
    "seconds_per_step",
    "base_validation_loss",
    "device",
    "facts",
    "started_at",
]


def _locked(run: TrainingRun) -> TrainingRun:
    """The row as it is now, held until the transaction ends (SQLite's transactions hold all rows anyway)."""
    return TrainingRun.objects.select_for_update().get(pk=run.pk)


def _apply(run: TrainingRun, event: ev.Event) -> None:
    data = event.data
    if event.kind == ev.STARTED:
        _started(run, event)
    elif event.kind == ev.FEATURES:
        run.facts["features"] = {"done": data["done"], "total": data["total"]}
    elif event.kind == ev.STEP:
        _step(run, event)
    elif event.kind == ev.EPOCH:
        run.epoch, run.step = data["epoch"], data["step"]
    elif event.kind == ev.CHECKPOINT:
        _checkpoint(run, data)
    elif event.kind == ev.SAMPLE:
        _sample(run, data)
    elif event.kind == ev.SCORE:
        run.facts["scores"] = {**run.facts.get("scores", {}), str(data["epoch"]): data["score"]}
    elif event.kind == ev.MEMORY:
        run.facts["memory"] = {name: data[name] for name in ("epoch", "step", "batch_size", "accumulation")}
    elif event.kind == ev.USAGE:
        run.facts["usage"] = {name: data[name] for name in ("device", "used", "peak", "total")}
    elif event.kind == ev.FINISHED:
        run.facts["stopped_early_at"] = data.get("stopped_early_at")
        best_mark(run=run)


def _started(run: TrainingRun, event: ev.Event) -> None:
    data = event.data
    run.steps_total, run.epochs_total, run.device = data["steps_total"], data["epochs"], data["device"]
    # What was measured of the untrained model, and of samples, is true of every start.
    measured = {name: run.facts[name] for name in KEPT_FACTS if name in run.facts}
    run.facts = {**measured, **{name: data.get(name) for name in STARTED_FACTS}}
    run.started_at = run.started_at or datetime.fromtimestamp(event.time, UTC)
    run.timed_from = run.seconds_per_step = None


def _step(run: TrainingRun, event: ev.Event) -> None:
    data = event.data
    run.epoch, run.step, run.loss = data["epoch"], data["step"], data["loss"]
    run.learning_rate, run.clips_per_second = data["learning_rate"], data["clips_per_second"]
    if run.timed_from is None or run.step <= run.timed_from_step:
        run.timed_from, run.timed_from_step = event.time, run.step
    else:
        run.seconds_per_step = max(event.time - run.timed_from, 0.0) / (run.step - run.timed_from_step)


def _checkpoint(run: TrainingRun, data: dict[str, Any]) -> None:
    facts = _facts_on_disk(run.folder / data["path"])
    validation = facts.get("validation") or {}
    Checkpoint.objects.update_or_create(
        run=run,
        kind=CheckpointKind.EPOCH,
        epoch=data["epoch"],
        defaults={
            "step": data["step"],
            "path": data["path"],
            "bytes": data["bytes"],
            "sha256": data["sha256"],
            "train_loss": facts.get("train_loss"),
            "validation_loss": data["validation_loss"],
            "validation_loss_text": validation.get("text"),
            "validation_loss_mel": validation.get("mel"),
        },
    )
    if facts.get("base_validation"):
        run.facts["base_validation"] = facts["base_validation"]
        run.base_validation_loss = facts["base_validation"]["total"]
    best_mark(run=run)


def _facts_on_disk(folder: Path) -> dict[str, Any]:
    try:
        facts = json.loads((folder / CHECKPOINT_FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _sample(run: TrainingRun, data: dict[str, Any]) -> None:
    checkpoint = Checkpoint.objects.filter(run=run, epoch=data["epoch"], kind=CheckpointKind.EPOCH).first()
    sample_record(run=run, checkpoint=checkpoint, data=data)


def sample_record(*, run: TrainingRun, checkpoint: Checkpoint | None, data: dict[str, Any]) -> None:
    """The row of a spoken sample, made or brought up to date; ``data`` as in the engine's SampleFacts."""
    EpochSample.objects.update_or_create(
        run=run,
        checkpoint=checkpoint,
        epoch=data["epoch"],
        prompt_index=data["prompt_index"],
        defaults={
            "text": data["text"],
            "seed": data["seed"],
            "path": data["path"],
            "seconds": data["seconds"],
        },
    )


def best_mark(*, run: TrainingRun) -> None:
    """The lowest validation loss, the earlier epoch where two are equal; training loss without validation clips."""
    losses = {
        checkpoint.pk: (checkpoint.validation_loss if checkpoint.validation_loss is not None else checkpoint.train_loss)
        for checkpoint in Checkpoint.objects.filter(run=run).order_by("epoch")
    }
    known = {pk: loss for pk, loss in losses.items() if loss is not None}
    best = min(known, key=lambda pk: known[pk], default=None)
    if best is None:
        return
    Checkpoint.objects.filter(run=run, is_best=True).exclude(pk=best).update(is_best=False)
    Checkpoint.objects.filter(pk=best).update(is_best=True)
