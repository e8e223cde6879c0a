"""Who speaks in a run and is compared there: its checkpoints, averages among them, and the base model."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.text import capfirst

from training.models import Checkpoint, EpochSample, TrainingRun

BASE = 0
"""The base model's key, where a checkpoint's is that of its row."""


@dataclass(frozen=True)
class Contender:
    """``label`` stands within a sentence: ``epoch 3``, ``average of epochs 2, 3``, ``base model``.

    ``place`` orders them: the base model, the epochs, then averages, whenever they were made.
    """

    key: int
    label: str = field(compare=False)
    epoch: int = field(compare=False)
    place: tuple[int, ...] = field(compare=False)

    @property
    def checkpoint(self) -> int | None:
        """Its checkpoint's key; None for the base model."""
        return self.key or None

    @property
    def title(self) -> str:
        return capfirst(self.label)

    @property
    def phrase(self) -> str:
        """Within a sentence, with the article that it takes."""
        return f"the {self.label}" if self.place[0] != 1 else self.label


BASE_MODEL = Contender(BASE, "base model", 0, (0,))


def contender_of(checkpoint: Checkpoint | None) -> Contender:
    """None is the base model."""
    if checkpoint is None:
        return BASE_MODEL
    place = (2, *checkpoint.averaged) if checkpoint.is_average else (1, checkpoint.epoch)
    return Contender(checkpoint.pk, checkpoint.label, checkpoint.epoch, place)


def contenders_heard(*, run: TrainingRun) -> list[Contender]:
    """Those of a run that have samples, in their order."""
    heard = set(EpochSample.objects.filter(run=run).values_list("checkpoint", flat=True))
    found = [contender_of(row) for row in Checkpoint.objects.filter(run=run, pk__in=heard - {None})]
    return sorted([*found, *([BASE_MODEL] if None in heard else [])], key=lambda contender: contender.place)
