"""The figures of a run's checkpoints side by side, and in words which one is the best and whether that is in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.choices import Scored
from training.engine.figures import FIGURES, Figure, best, counted, judge
from training.models import Scorecard, TrainingRun
from training.services.contenders import Contender, contender_of

BASE_NOT_BEATEN = "No checkpoint scores higher than the base model."


@dataclass(frozen=True)
class Cell:
    """``text`` is the figure as it is shown; ``goodness`` what is kept of it, 0..1, None where it cannot be judged."""

    figure: Figure
    value: float | None
    text: str
    goodness: float | None


@dataclass(frozen=True)
class Row:
    """One that speaks, or the speaker, whose ``contender`` is None. ``loss`` is the validation loss."""

    card: Scorecard
    contender: Contender | None
    cells: tuple[Cell, ...]
    composite: float | None
    loss: float | None
    is_best: bool

    @property
    def name(self) -> str:
        return self.contender.title if self.contender else "The speaker"


@dataclass(frozen=True)
class Scoreboard:
    """``best``: the checkpoint's row with the highest composite; ``remarks``: sentences about it; ``unscored``: how
    many checkpoints have no card; ``doubtful``: those of the best score and of the lowest loss, where they are two."""

    rows: tuple[Row, ...]
    best: Row | None
    remarks: tuple[str, ...]
    counted: tuple[Figure, ...]
    unscored: int
    doubtful: tuple[Contender, Contender] | None

    @property
    def figures(self) -> tuple[Figure, ...]:
        return FIGURES


def run_scoreboard(*, run: TrainingRun) -> Scoreboard:
    """What was measured so far; empty before anything was."""
    cards = list(run.scorecards.select_related("checkpoint", "run"))
    speaker = next((card for card in cards if card.subject == Scored.SPEAKER), None)
    spoken = sorted(
        (card for card in cards if card.subject != Scored.SPEAKER),
        key=lambda card: contender_of(card.checkpoint).place,
    )
    own = speaker.figures if speaker else {}
    verdicts = judge({card.pk: card.figures for card in spoken}, own)
    counting = counted((card.figures for card in spoken), own)
    of_checkpoints = [card for card in spoken if card.subject == Scored.CHECKPOINT]
    best_key = best((card.pk, verdicts[card.pk].composite) for card in of_checkpoints)
    rows = [
        Row(
            card,
            contender_of(card.checkpoint),
            tuple(_cell(figure, card, verdicts[card.pk].parts.get(figure.name)) for figure in FIGURES),
            verdicts[card.pk].composite,
            card.checkpoint.validation_loss if card.checkpoint else run.base_validation_loss,
            card.pk == best_key,
        )
        for card in spoken
    ]
    if speaker is not None:
        cells = tuple(_cell(figure, speaker, None) for figure in FIGURES)
        rows.insert(0, Row(speaker, None, cells, None, None, False))
    top = next((row for row in rows if row.is_best), None)
    lowest = _lowest(rows, top)
    doubtful = (top.contender, lowest.contender) if top and lowest and top.contender and lowest.contender else None
    unscored = run.checkpoints.count() - len(of_checkpoints)
    return Scoreboard(
        tuple(rows), top, tuple(_remarks(rows, top, lowest, counting, speaker)), counting, unscored, doubtful
    )


def _cell(figure: Figure, card: Scorecard, goodness: float | None) -> Cell:
    value = card.figure(figure.name)
    text = "–" if value is None else f"{value:.{figure.digits}f} {figure.unit}".strip()
    return Cell(figure, value, text, goodness)


def _lowest(rows: Sequence[Row], top: Row | None) -> Row | None:
    """The checkpoint of the lowest validation loss, where it is another than that of the best score."""
    lost = [row for row in rows if row.card.subject == Scored.CHECKPOINT and row.loss is not None]
    if top is None or not lost:
        return None
    # The rows stand in their order, so of equals it is the first.
    lowest = min(lost, key=lambda row: row.loss or 0.0)
    return None if lowest is top else lowest


def _remarks(
    rows: Sequence[Row],
    top: Row | None,
    lowest: Row | None,
    counting: Sequence[Figure],
    speaker: Scorecard | None,
) -> list[str]:
    said: list[str] = []
    if top is not None:
        names = ", ".join(figure.label.lower() for figure in counting)
        said.append(f"{top.name} has the best score, {top.composite:.2f} of 1, by {names}.")
        base = next((row for row in rows if row.card.subject == Scored.BASE), None)
        if base and base.composite is not None and top.composite is not None and base.composite >= top.composite:
            said.append(BASE_NOT_BEATEN)
    if lowest and lowest.contender:
        score = "no score" if lowest.composite is None else f"a score of {lowest.composite:.2f}"
        said.append(
            f"Score and loss disagree: {lowest.contender.phrase} has the lowest validation loss, {lowest.loss:.3f}, "
            f"but {score}. Listen to both before you choose."
        )
    if speaker:
        said += filter(None, (speaker.facts.get(name) for name in ("notice", "unspoken")))
    return said
