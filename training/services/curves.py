"""The points of a run's loss chart, from its event log."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.engine.launch import EVENTS
from training.models import TrainingRun
from training.services.curvelog import LOGS, StepCurve

MAX_POINTS = 1000


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

    Read on from where this process looked last (see :mod:`training.services.curvelog`).
    """
    with LOGS.reading(run.folder / EVENTS) as log:
        steps, epochs, scores = log.averaged(points), dict(log.losses.epochs), dict(log.losses.scores)
    rows = [epochs[epoch] for epoch in sorted(epochs)]
    base = run.facts.get("base_validation") or {}
    return Curves(
        state=run.state,
        base_validation_loss=run.base_validation_loss,
        base_validation_loss_text=base.get("text"),
        base_validation_loss_mel=base.get("mel"),
        steps=steps,
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
