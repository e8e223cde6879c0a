"""Of which checkpoint a voice is best made, and why."""

from __future__ import annotations

from dataclasses import dataclass

from training.models import Checkpoint, TrainingRun


@dataclass(frozen=True)
class Recommendation:
    """``why`` is a sentence; ``by_score``: chosen by what its samples were measured at, and not by its loss alone."""

    checkpoint: Checkpoint
    by_score: bool
    why: str


def run_recommendation(*, run: TrainingRun) -> Recommendation | None:
    """The checkpoint with the best score, or with the lowest loss where none is scored; None before there is one.

    Of those alone whose weights are there, since a voice is to be made of it.
    """
    rows = Checkpoint.objects.filter(run=run).recommended().select_related("run", "scorecard")
    checkpoint = rows.first()
    if checkpoint is None:
        return None
    card = getattr(checkpoint, "scorecard", None)
    if card is None or card.composite is None:
        return Recommendation(checkpoint, False, _by_loss(checkpoint))
    why = f"It has the best score, {card.composite:.2f} of 1"
    better = Checkpoint.objects.filter(run=run, scorecard__composite__gt=card.composite).order_by(
        "-scorecard__composite"
    )
    if (gone := better.first()) is not None:
        return Recommendation(
            checkpoint, True, f"{why}, of those whose file is kept; that of {gone.label}, which scores higher, is gone."
        )
    return Recommendation(checkpoint, True, f"{why}.")


def _by_loss(checkpoint: Checkpoint) -> str:
    if checkpoint.validation_loss is not None:
        return f"It has the lowest validation loss, {checkpoint.validation_loss:.3f}; its samples are not scored yet."
    return (
        f"It has the lowest training loss, {checkpoint.train_loss:.3f}; the dataset has no validation clips, and "
        "its samples are not scored yet."
    )
