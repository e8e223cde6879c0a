"""What lists can be narrowed by. Somebody else's private row is as unknown here as one that does not exist."""

from __future__ import annotations

from typing import Any

import django_filters

from datasets.models import DatasetVersion
from datasets.querysets import DatasetVersionQuerySet
from training.models import Checkpoint, EpochSample, TrainingRun
from training.querysets import CheckpointQuerySet, TrainingRunQuerySet


def _versions(request: Any) -> DatasetVersionQuerySet:
    return DatasetVersion.objects.visible_to(request.user) if request else DatasetVersion.objects.none()


def _runs(request: Any) -> TrainingRunQuerySet:
    return TrainingRun.objects.visible_to(request.user) if request else TrainingRun.objects.none()


def _checkpoints(request: Any) -> CheckpointQuerySet:
    return Checkpoint.objects.visible_to(request.user) if request else Checkpoint.objects.none()


class TrainingRunFilter(django_filters.FilterSet):
    version = django_filters.ModelChoiceFilter(queryset=_versions)

    class Meta:
        model = TrainingRun
        fields = ("state", "version", "bundle")


class CheckpointFilter(django_filters.FilterSet):
    run = django_filters.ModelChoiceFilter(queryset=_runs)

    class Meta:
        model = Checkpoint
        fields = ("run", "is_best", "epoch")


class EpochSampleFilter(django_filters.FilterSet):
    run = django_filters.ModelChoiceFilter(queryset=_runs)
    checkpoint = django_filters.ModelChoiceFilter(queryset=_checkpoints)

    class Meta:
        model = EpochSample
        fields = ("run", "checkpoint", "epoch")
