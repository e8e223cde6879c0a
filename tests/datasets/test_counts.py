"""What lists count beside each row: of that row alone, whatever else a query looks at, and without looking at all."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from datasets.choices import ReviewStatus
from datasets.models import Dataset, SourceVideo
from tests.datasets.factories import DatasetFactory, SegmentFactory, SourceFactory
from tests.training.factories import VersionFactory

pytestmark = pytest.mark.django_db


def test_a_recording_of_two_datasets_counts_its_segments_once(people: Any) -> None:
    source, empty = SourceFactory(owner=people.anna), SourceFactory(owner=people.anna)
    for index, status in enumerate((ReviewStatus.APPROVED, ReviewStatus.PENDING, ReviewStatus.PENDING)):
        SegmentFactory(source=source, index=index, status=status)
    for _ in range(2):
        DatasetFactory(owner=people.anna, sources=[source, empty])
    rows: Any = SourceVideo.objects.filter(datasets__owner=people.anna).with_counts()
    counts = set(rows.values_list("pk", "segment_count", "approved_count", "pending_count"))
    assert counts == {(source.pk, 3, 1, 2), (empty.pk, 0, 0, 0)}


def test_a_dataset_counts_its_recordings_and_its_versions(people: Any) -> None:
    dataset = DatasetFactory(owner=people.anna, sources=[SourceFactory(owner=people.anna) for _ in range(2)])
    for number in (1, 2, 3):
        VersionFactory(dataset=dataset, number=number)
    other = DatasetFactory(owner=people.anna, sources=[])
    rows: Any = Dataset.objects.with_counts()
    counts = set(rows.values_list("pk", "source_count", "version_count"))
    assert counts == {(dataset.pk, 2, 3), (other.pk, 0, 0)}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite's own choice of an index")
def test_counting_finds_a_recordings_own_segments_and_not_all_of_a_status() -> None:
    plan = SourceVideo.objects.with_counts().explain()
    looks = [line for line in plan.splitlines() if "SEARCH" in line]
    assert len(looks) == 3
    assert all("(source_id=?)" in line for line in looks)
