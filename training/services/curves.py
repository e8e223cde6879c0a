"""The points of a run's loss chart, from its event log."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.engine import events as ev
from training.engine.launch import EVENTS
from training.models import TrainingRun
from training.services.eventlog import read_on

MAX_POINTS = 1000


@dataclass(frozen=True)
class StepCurve:
    """Equally long lists; ``step`` is the last one of each stretch that was averaged."""

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    loss_text: list[float] = field(default_factory=list)
    loss_mel: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class EpochCurve:
    """Equally long lists; ``validation_loss…`` are None where there are no validation clips."""

    epoch: list[int] = field(default_factory=list)
    step: list[int] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float | None] = field(default_factory=list)
    validation_loss_text: list[float | None] = field(default_factory=list)
    validation_loss_mel: list[float | None] = field(default_factory=list)


@dataclass(frozen=True)
class ScoreCurve:
    """Equally long lists: what the samples scored while the run was at work; epoch 0 is the base model. Empty where
    the run does not stop on the score."""

    epoch: list[int] = field(default_factory=list)
    score: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Curves:
    """``base_validation_loss…`` are the untrained model's: where the curves begin."""

    state: str
    base_validation_loss: float | None
    base_validation_loss_text: float | None
    base_validation_loss_mel: float | None
    steps: StepCurve
    epochs: EpochCurve
    scores: ScoreCurve


def run_curves(*, run: TrainingRun, points: int = MAX_POINTS) -> Curves:
    """Training loss per step (averaged down to ``points``), losses per epoch, learning rate.

    After a resume the log tells some steps again: from the first step that the new process did, what an earlier one
    did is history that never happened.
    """
    steps: dict[int, dict[str, Any]] = {}
    epochs: dict[int, dict[str, Any]] = {}
    scores: dict[int, float] = {}
    fresh_start = False
    for event in _events(run.folder / EVENTS):
        if event.kind == ev.STARTED:
            fresh_start = True
        elif event.kind == ev.STEP:
            if fresh_start:
                fresh_start = False
                _forget_from(steps, event.data["step"])
                _forget_from(epochs, event.data["epoch"])
            steps[event.data["step"]] = event.data
        elif event.kind == ev.EPOCH:
            epochs[event.data["epoch"]] = event.data
        elif event.kind == ev.SCORE:
            scores[event.data["epoch"]] = event.data["score"]
    rows = [epochs[epoch] for epoch in sorted(epochs)]
    base = run.facts.get("base_validation") or {}
    return Curves(
        state=run.state,
        base_validation_loss=run.base_validation_loss,
        base_validation_loss_text=base.get("text"),
        base_validation_loss_mel=base.get("mel"),
        steps=_averaged([steps[step] for step in sorted(steps)], points),
        epochs=EpochCurve(
            epoch=[row["epoch"] for row in rows],
            step=[row["step"] for row in rows],
            train_loss=[row["train_loss"] for row in rows],
            validation_loss=[row["validation_loss"] for row in rows],
            validation_loss_text=[row.get("validation_loss_text") for row in rows],
            validation_loss_mel=[row.get("validation_loss_mel") for row in rows],
        ),
        scores=ScoreCurve(epoch=sorted(scores), score=[scores[epoch] for epoch in sorted(scores)]),
    )


def _events(path: Path) -> Any:
    offset = 0
    while True:
        events, end = read_on(path, offset)
        if end == offset:
            return
        yield from events
        offset = end


def _forget_from(rows: dict[int, dict[str, Any]], first: int) -> None:
    for number in [number for number in rows if number >= first]:
        del rows[number]


def _averaged(rows: Sequence[dict[str, Any]], points: int) -> StepCurve:
    stretch = max(1, math.ceil(len(rows) / points))
    groups = [rows[start : start + stretch] for start in range(0, len(rows), stretch)]

    def means(name: str) -> list[float]:
        return [math.fsum(row[name] for row in group) / len(group) for group in groups]

    return StepCurve(
        step=[group[-1]["step"] for group in groups],
        loss=means("loss"),
        loss_text=means("loss_text"),
        loss_mel=means("loss_mel"),
        learning_rate=[group[-1]["learning_rate"] for group in groups],
    )
