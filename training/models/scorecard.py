"""What was measured of what a checkpoint says."""

from __future__ import annotations

from typing import Any

from django.db import models

from training.choices import Scored
from training.models.checkpoint import Checkpoint
from training.models.run import TrainingRun
from training.querysets import ScorecardQuerySet


class Scorecard(models.Model):
    """The figures of a checkpoint's samples; of the base model's; or the speaker's own, which are the measure.

    ``figures`` has the names of :data:`training.engine.figures.FIGURES`. What they come to, ``composite``, is reckoned
    for all cards of a run together, since a figure counts only where all have it.
    """

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="scorecards")
    subject = models.CharField(max_length=10, choices=Scored.choices)
    checkpoint = models.OneToOneField(
        Checkpoint, null=True, blank=True, on_delete=models.CASCADE, related_name="scorecard"
    )
    epoch = models.PositiveIntegerField(default=0)
    figures = models.JSONField(default=dict)
    samples = models.JSONField(default=list, help_text="The figures of each sample, and what was heard in it.")
    facts = models.JSONField(default=dict, blank=True, help_text="Of the speaker: the voice's centre, and a notice.")
    composite = models.FloatField(null=True, blank=True, help_text="0 to 1, the higher the better.")
    key = models.CharField(max_length=64, help_text="Of sounds, texts and models that were measured with.")
    measured_at = models.DateTimeField(auto_now=True)

    objects = ScorecardQuerySet.as_manager()

    class Meta:
        ordering = ("run", "epoch")
        constraints = [
            models.UniqueConstraint(
                fields=("run", "subject"), condition=models.Q(checkpoint=None), name="one_scorecard_without_checkpoint"
            )
        ]

    def __str__(self) -> str:
        if self.checkpoint:
            return f"Scores of {self.run} {self.checkpoint.label}"
        return f"Scores of {self.run}, {self.get_subject_display().lower()}"

    def figure(self, name: str) -> Any:
        return self.figures.get(name)
