"""What is told of a run before it is made."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class LeftOutClipSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    reason = serializers.CharField()


class ClipGroundSerializer(serializers.Serializer[Any]):
    """Why ``count`` clips are left out; ``first`` names some of them."""

    code = serializers.CharField()
    words = serializers.CharField()
    count = serializers.IntegerField()
    first = LeftOutClipSerializer(many=True)


class RunPreflightSerializer(serializers.Serializer[Any]):
    """Clips and seconds of speech that the run will use; ``left_out`` counts by reason. Sizes are bytes; null: unknown.

    A clip whose sound is not the one that was frozen is found by the run alone.
    """

    clips_train = serializers.IntegerField()
    clips_validation = serializers.IntegerField()
    seconds_train = serializers.FloatField()
    seconds_validation = serializers.FloatField()
    left_out = ClipGroundSerializer(many=True, source="left_out_grounds")
    steps_per_epoch = serializers.IntegerField()
    steps_total = serializers.IntegerField()
    trained_parameters = serializers.IntegerField()
    seconds = serializers.FloatField(source="outlook.seconds", allow_null=True, help_text="Expected time of training.")
    memory_least = serializers.IntegerField(source="outlook.memory_least")
    memory_seen = serializers.IntegerField(source="outlook.memory_seen", allow_null=True)
    memory_total = serializers.IntegerField(source="outlook.memory_total", allow_null=True)
    memory_free = serializers.IntegerField(source="outlook.memory_free", allow_null=True)
    memory_device = serializers.CharField(
        source="outlook.memory_device", help_text="Whose memory that is; empty: this machine's, a GPU was not asked."
    )
    checkpoint_bytes = serializers.IntegerField()
    disk_bytes = serializers.IntegerField()
    disk_free = serializers.IntegerField()
    remarks = serializers.ListField(child=serializers.CharField())
