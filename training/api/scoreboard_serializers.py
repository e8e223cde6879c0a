"""The scoreboard: the figures, and who has which."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from training.api.comparing_serializers import ContenderSerializer
from training.services import Scoreboard


class CellSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(source="figure.name")
    value = serializers.FloatField(allow_null=True)
    goodness = serializers.FloatField(allow_null=True, help_text="1 at the ideal, 0 where everything is lost.")


class ScoreRowSerializer(serializers.Serializer[Any]):
    """What one says: ``subject`` is speaker, base or checkpoint; ``composite`` 0 to 1."""

    subject = serializers.CharField(source="card.subject")
    epoch = serializers.IntegerField(source="card.epoch")
    checkpoint = serializers.IntegerField(source="card.checkpoint_id", allow_null=True)
    title = serializers.CharField(source="name")
    composite = serializers.FloatField(allow_null=True)
    validation_loss = serializers.FloatField(source="loss", allow_null=True)
    is_best = serializers.BooleanField()
    figures = CellSerializer(source="cells", many=True)
    samples = serializers.JSONField(source="card.samples", help_text="The figures of each sample, and what was heard.")


class FigureSerializer(serializers.Serializer[Any]):
    """``ideal`` null: the speaker's own value. See docs/TRAINING.md."""

    name = serializers.CharField()
    title = serializers.CharField(source="label")
    direction = serializers.CharField(help_text="higher, lower or near: which way is better.")
    weight = serializers.FloatField()
    span = serializers.FloatField()
    ideal = serializers.FloatField(allow_null=True)
    ratio = serializers.BooleanField()
    unit = serializers.CharField()


class ScoreboardSerializer(serializers.Serializer[Any]):
    figures = FigureSerializer(many=True)
    counted = serializers.SerializerMethodField(help_text="Names of the figures that the composite is made of.")
    rows = ScoreRowSerializer(many=True)
    best = serializers.IntegerField(
        source="best.contender.key", default=None, allow_null=True, help_text="The checkpoint with the best score."
    )
    disagreement = ContenderSerializer(
        source="doubtful",
        many=True,
        allow_null=True,
        help_text="The checkpoints of the best score and of the lowest validation loss, where they are two.",
    )
    remarks = serializers.ListField(child=serializers.CharField())
    unscored = serializers.IntegerField(help_text="Checkpoints that were not measured yet.")

    def get_counted(self, scoreboard: Scoreboard) -> list[str]:
        return [figure.name for figure in scoreboard.counted]
