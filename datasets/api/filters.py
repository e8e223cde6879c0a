"""What lists can be narrowed by."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet

from datasets.choices import LANGUAGE_CHOICES, Flag, ReviewStatus
from datasets.models import Dataset, DatasetVersion, Segment, SourceVideo, Speaker
from datasets.querysets import SegmentQuerySet


def _sources(request: Any) -> QuerySet[SourceVideo]:
    return SourceVideo.objects.visible_to(request.user) if request else SourceVideo.objects.none()


def _speakers(request: Any) -> QuerySet[Speaker]:
    return Speaker.objects.visible_to(request.user) if request else Speaker.objects.none()


def _datasets(request: Any) -> QuerySet[Dataset]:
    return Dataset.objects.visible_to(request.user) if request else Dataset.objects.none()


# Rows are named by those one may see: another's private row is as unknown as one that does not exist.


class RecordingFilter(django_filters.FilterSet):
    speaker = django_filters.ModelChoiceFilter(queryset=_speakers)

    class Meta:
        model = SourceVideo
        fields = ("state", "speaker", "language", "origin", "visibility")


class DatasetFilter(django_filters.FilterSet):
    speaker = django_filters.ModelChoiceFilter(queryset=_speakers)

    class Meta:
        model = Dataset
        fields = ("speaker", "language", "visibility")


class VersionFilter(django_filters.FilterSet):
    dataset = django_filters.ModelChoiceFilter(queryset=_datasets)

    class Meta:
        model = DatasetVersion
        fields = ("dataset", "state", "content_hash")


class SegmentFilter(django_filters.FilterSet):
    source = django_filters.ModelChoiceFilter(queryset=_sources)
    speaker = django_filters.ModelChoiceFilter(queryset=_speakers, field_name="source__speaker")
    language = django_filters.ChoiceFilter(choices=LANGUAGE_CHOICES, field_name="source__language")
    status = django_filters.MultipleChoiceFilter(choices=ReviewStatus.choices)
    flags = django_filters.MultipleChoiceFilter(choices=Flag.choices, method="with_flags")
    edited = django_filters.BooleanFilter()
    text = django_filters.CharFilter(lookup_expr="icontains")

    class Meta:
        model = Segment
        fields = ("source", "speaker", "language", "status", "flags", "edited", "text")

    def with_flags(self, queryset: SegmentQuerySet, name: str, value: list[str]) -> SegmentQuerySet:
        """Segments that carry all of the flags."""
        for flag in value:
            queryset = queryset.flagged(flag)
        return queryset
