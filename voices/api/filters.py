"""What lists can be narrowed by. Somebody else's private row is as unknown here as one that does not exist."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet

from datasets.models import Speaker
from training.models import Checkpoint
from training.querysets import CheckpointQuerySet
from voices.models import Synthesis, Voice
from voices.querysets import VoiceQuerySet


def _speakers(request: Any) -> QuerySet[Speaker]:
    return Speaker.objects.visible_to(request.user) if request else Speaker.objects.none()


def _checkpoints(request: Any) -> CheckpointQuerySet:
    return Checkpoint.objects.visible_to(request.user) if request else Checkpoint.objects.none()


def _voices(request: Any) -> VoiceQuerySet:
    return Voice.objects.visible_to(request.user) if request else Voice.objects.none()


class VoiceFilter(django_filters.FilterSet):
    speaker = django_filters.ModelChoiceFilter(queryset=_speakers)
    checkpoint = django_filters.ModelChoiceFilter(queryset=_checkpoints)

    class Meta:
        model = Voice
        fields = ("state", "language", "speaker", "checkpoint")


class SynthesisFilter(django_filters.FilterSet):
    voice = django_filters.ModelChoiceFilter(queryset=_voices)

    class Meta:
        model = Synthesis
        fields = ("voice", "language", "channel")
