"""What lists can be narrowed by."""

from __future__ import annotations

import django_filters

from datasets.models import DatasetVersion
from training.models import Checkpoint, EpochSample, TrainingRun
from xttsproject.accounts.api.filters import VisibleFilter


class TrainingRunFilter(django_filters.FilterSet):
    version = VisibleFilter(DatasetVersion)

    class Meta:
        model = TrainingRun
        fields = ("state", "version", "bundle")


class CheckpointFilter(django_filters.FilterSet):
    run = VisibleFilter(TrainingRun)

    class Meta:
        model = Checkpoint
        fields = ("run", "is_best", "pinned", "epoch")


class EpochSampleFilter(django_filters.FilterSet):
    run = VisibleFilter(TrainingRun)
    checkpoint = VisibleFilter(Checkpoint)

    class Meta:
        model = EpochSample
        fields = ("run", "checkpoint", "epoch")
