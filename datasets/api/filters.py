"""What lists can be narrowed by."""

from __future__ import annotations

import django_filters

from datasets.choices import RECORDING_LANGUAGES, Flag, ReviewStatus
from datasets.models import Dataset, DatasetVersion, Segment, SourceVideo, Speaker
from datasets.querysets import SegmentQuerySet
from xttsproject.accounts.api.filters import VisibleFilter


class RecordingFilter(django_filters.FilterSet):
    speaker = VisibleFilter(Speaker)

    class Meta:
        model = SourceVideo
        fields = ("state", "speaker", "language", "origin", "visibility", "sha256")


class DatasetFilter(django_filters.FilterSet):
    speaker = VisibleFilter(Speaker)

    class Meta:
        model = Dataset
        fields = ("speaker", "language", "visibility")


class VersionFilter(django_filters.FilterSet):
    dataset = VisibleFilter(Dataset)

    class Meta:
        model = DatasetVersion
        fields = ("dataset", "state", "content_hash")


class SegmentFilter(django_filters.FilterSet):
    source = VisibleFilter(SourceVideo)
    speaker = VisibleFilter(Speaker, field_name="source__speaker")
    language = django_filters.ChoiceFilter(choices=RECORDING_LANGUAGES, field_name="source__language")
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
