"""What lists can be narrowed by."""

from __future__ import annotations

import django_filters

from datasets.models import DatasetVersion
from training.models import Checkpoint, EpochSample, Preference, Sweep, TrainingRun
from training.querysets import PreferenceQuerySet
from xttsproject.accounts.api.filters import VisibleFilter


class TrainingRunFilter(django_filters.FilterSet):
    version = VisibleFilter(DatasetVersion)
    sweep = VisibleFilter(Sweep)

    class Meta:
        model = TrainingRun
        fields = ("state", "version", "bundle", "sweep")


class SweepFilter(django_filters.FilterSet):
    version = VisibleFilter(DatasetVersion)

    class Meta:
        model = Sweep
        fields = ("state", "version", "bundle", "method")


class CheckpointFilter(django_filters.FilterSet):
    run = VisibleFilter(TrainingRun)

    class Meta:
        model = Checkpoint
        fields = ("run", "kind", "is_best", "pinned", "epoch")


class EpochSampleFilter(django_filters.FilterSet):
    run = VisibleFilter(TrainingRun)
    checkpoint = VisibleFilter(Checkpoint)

    class Meta:
        model = EpochSample
        fields = ("run", "checkpoint", "epoch")


class ComparisonFilter(django_filters.FilterSet):
    run = VisibleFilter(TrainingRun)
    open = django_filters.BooleanFilter(field_name="vote", method="only_open", label="Without a vote.")

    class Meta:
        model = Preference
        fields = ("run",)

    def only_open(self, rows: PreferenceQuerySet, name: str, value: bool) -> PreferenceQuerySet:
        return rows.waiting() if value else rows.given()
