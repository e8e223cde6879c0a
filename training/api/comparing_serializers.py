"""Blind comparison: what is dealt, what is voted, and what the votes add up to."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.reverse import reverse

from training.choices import Vote
from training.models import Preference
from xttsproject.strict import StrictSerializer


@extend_schema_serializer(component_name="BlindComparison")
class ComparisonSerializer(serializers.ModelSerializer[Preference]):
    """A blind pair: two samples of ``text``. Which is which is told by nothing here, before the vote or after."""

    text = serializers.CharField(read_only=True)
    first = serializers.SerializerMethodField(help_text="Where the sample called 1 is heard, as WAV.")
    second = serializers.SerializerMethodField(help_text="Where the sample called 2 is heard, as WAV.")
    vote = serializers.ChoiceField(choices=Vote.choices, read_only=True, help_text="Empty while it is open.")

    class Meta:
        model = Preference
        fields = ("id", "run", "text", "first", "second", "vote", "dealt_at", "voted_at")
        read_only_fields = fields

    @extend_schema_field(serializers.URLField())
    def get_first(self, comparison: Preference) -> str:
        return self._audio(comparison, 1)

    @extend_schema_field(serializers.URLField())
    def get_second(self, comparison: Preference) -> str:
        return self._audio(comparison, 2)

    def _audio(self, comparison: Preference, place: int) -> str:
        return reverse("comparison-audio", args=[comparison.pk, place], request=self.context.get("request"))


class AmongSerializer(StrictSerializer):
    among = serializers.ListField(
        child=serializers.IntegerField(min_value=0),
        default=list,
        max_length=1000,
        help_text="Keys of the checkpoints to compare, 0 being the base model; none: all.",
    )


class TurnSerializer(serializers.Serializer[Any]):
    """``comparison`` is null once every pair has the person's vote."""

    comparison = ComparisonSerializer(source="preference", allow_null=True)
    done = serializers.IntegerField()
    total = serializers.IntegerField()


class VoteSerializer(StrictSerializer):
    vote = serializers.CharField(max_length=10, help_text="1: the first, 2: the second, 0: equal.")


class ContenderSerializer(serializers.Serializer[Any]):
    """One whose samples are compared: a checkpoint, or the base model, whose ``checkpoint`` is null."""

    checkpoint = serializers.IntegerField(allow_null=True)
    epoch = serializers.IntegerField()
    title = serializers.CharField(source="label")


class PairResultSerializer(serializers.Serializer[Any]):
    """Of the later one against the earlier one. ``rate`` counts ties as half; ``low`` and ``high`` are its 95 %
    Wilson interval."""

    earlier = ContenderSerializer()
    later = ContenderSerializer()
    later_wins = serializers.IntegerField()
    earlier_wins = serializers.IntegerField()
    ties = serializers.IntegerField()
    rate = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    verdict = serializers.CharField(help_text="later, earlier, or empty where the interval holds 0.5.")


class StandingSerializer(serializers.Serializer[Any]):
    place = serializers.IntegerField(help_text="From 1; equal shares have the same.")
    checkpoint = serializers.IntegerField(source="contender.checkpoint", allow_null=True)
    epoch = serializers.IntegerField(source="contender.epoch")
    title = serializers.CharField(source="contender.label")
    share = serializers.FloatField(help_text="Chance to be preferred to a middling sample (Bradley-Terry).")
    votes = serializers.IntegerField()


class OutcomeSerializer(serializers.Serializer[Any]):
    votes = serializers.IntegerField()
    voters = serializers.IntegerField()
    pairs = PairResultSerializer(many=True)
    standings = StandingSerializer(many=True, help_text="The best first.")
