"""Sweeps as JSON."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from training.api.serializers import TrainingRunCreateSerializer
from training.choices import SweepMethod
from training.engine.median import GRACE_EPOCHS
from training.engine.search import PARAMETERS, Space
from training.models import Sweep
from training.services import Search, Trial, sweep_remaining, sweep_spent
from xttsproject.strict import StrictSerializer

_NAMES = ", ".join(parameter.name for parameter in PARAMETERS)
_SPACE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {
            "values": {"type": "array", "items": {}},
            "low": {"type": "number", "nullable": True},
            "high": {"type": "number", "nullable": True},
        },
    },
    "example": {"learning_rate": {"low": 5e-5, "high": 1e-3}, "lora_rank": {"values": [4, 8, 16]}},
}


@extend_schema_field(_SPACE_SCHEMA)
class SpaceField(serializers.JSONField):
    """What is searched, by the values' names."""


class SweepSerializer(serializers.ModelSerializer[Sweep]):
    """A search over a run's values. ``plan`` holds its points in the order of trying, ``begun`` of them are runs."""

    owner = serializers.CharField(source="owner.username", read_only=True)
    space = SpaceField(read_only=True)
    spent_seconds = serializers.SerializerMethodField(help_text="Of training, added up over all trials.")
    remaining_seconds = serializers.SerializerMethodField()

    class Meta:
        model = Sweep
        fields = (
            "id",
            "name",
            "owner",
            "visibility",
            "version",
            "bundle",
            "method",
            "space",
            "base",
            "seed",
            "budget_runs",
            "budget_hours",
            "parallel",
            "stop_unpromising",
            "grace_epochs",
            "plan",
            "begun",
            "job",
            "state",
            "error_code",
            "error",
            "spent_seconds",
            "remaining_seconds",
            "created_at",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields

    def get_spent_seconds(self, sweep: Sweep) -> float:
        return sweep_spent(sweep=sweep).total_seconds()

    def get_remaining_seconds(self, sweep: Sweep) -> float | None:
        remaining = sweep_remaining(sweep=sweep)
        return None if remaining is None else remaining.total_seconds()


class SweepCreateSerializer(TrainingRunCreateSerializer):
    """What is searched, how and for how long; the other values are shared by all trials."""

    name = serializers.CharField(max_length=100)
    search_method = serializers.ChoiceField(choices=SweepMethod.choices, default=SweepMethod.SOBOL)
    space = SpaceField(help_text=f"By name ({_NAMES}): a list of `values`, or a range from `low` to `high`.")
    budget_runs = serializers.IntegerField(default=None, allow_null=True, help_text="Trials at most.")
    budget_hours = serializers.FloatField(
        default=None, allow_null=True, help_text="Hours of training over all trials after which no new one begins."
    )
    parallel = serializers.IntegerField(
        default=None, allow_null=True, help_text="Trials at once; null: every worker of the gpu queue takes one."
    )
    stop_unpromising = serializers.BooleanField(default=True, help_text="By the median rule.")
    grace_epochs = serializers.IntegerField(default=GRACE_EPOCHS, help_text="Nothing is stopped before this epoch.")
    search_seed = serializers.IntegerField(default=1, help_text="The same seed tries the same values.")
    keep_best = serializers.IntegerField(default=1, allow_null=True)

    def search(self) -> Search:
        """DomainError ``space_invalid``."""
        given = self.validated_data
        space = given["space"]
        return Search(
            space=Space.from_dict(space if isinstance(space, dict) else {}),
            method=given["search_method"],
            budget_runs=given["budget_runs"],
            budget_hours=given["budget_hours"],
            parallel=given["parallel"],
            stop_unpromising=given["stop_unpromising"],
            grace_epochs=given["grace_epochs"],
            seed=given["search_seed"],
        )


class SweepPreflightSerializer(serializers.Serializer[Any]):
    """``left_out``: points of a grid beyond the budget. ``seconds`` of training on one worker; null: not known."""

    trials = serializers.IntegerField()
    left_out = serializers.IntegerField()
    epochs = serializers.IntegerField()
    seconds = serializers.FloatField(allow_null=True)
    disk_bytes = serializers.IntegerField()
    disk_trials = serializers.IntegerField(help_text="Of so many trials: all, or as many as the hours can hold.")
    disk_free = serializers.IntegerField()


class TrialSerializer(serializers.Serializer[Any]):
    """A trial, the best of the sweep first. ``stop_reason``: why it was stopped before its last epoch."""

    run = serializers.UUIDField(source="run.pk")
    trial = serializers.IntegerField(source="run.trial")
    values = serializers.SerializerMethodField()
    state = serializers.CharField(source="run.state")
    stop_reason = serializers.CharField(source="run.stop_reason")
    error = serializers.CharField(source="run.error")
    epoch = serializers.IntegerField(source="run.epoch")
    trained_seconds = serializers.FloatField(source="run.trained_seconds")
    validation_loss = serializers.FloatField(source="loss", allow_null=True)
    score = serializers.FloatField(allow_null=True, help_text="The best composite of its checkpoints, 0 to 1.")
    checkpoint = serializers.IntegerField(source="best.pk", allow_null=True, default=None)

    @extend_schema_field({"type": "object", "additionalProperties": {}})
    def get_values(self, trial: Trial) -> dict[str, Any]:
        return dict(trial.point)


class TrialCurveSerializer(serializers.Serializer[Any]):
    """Equally long lists; epoch 0 is the base model."""

    run = serializers.UUIDField()
    name = serializers.CharField()
    trial = serializers.IntegerField()
    state = serializers.CharField()
    epochs = serializers.ListField(child=serializers.IntegerField())
    losses = serializers.ListField(child=serializers.FloatField(allow_null=True))


class LongerSerializer(StrictSerializer):
    name = serializers.CharField(max_length=120)
    epochs = serializers.IntegerField()
