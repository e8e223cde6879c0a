"""Captions stand beside a transcript; only a person takes them over, one segment at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from datasets.choices import ReviewStatus
from datasets.models import SourceVideo
from datasets.services.captions import captions_add
from datasets.services.transcribing import source_transcribe
from tests.datasets.factories import reviewed_source
from xttsproject.lib.progress import Silent

VTT = "WEBVTT\n\n00:00:00.000 --> 00:00:02.400\nHe went home.\n\n00:00:03.000 --> 00:00:05.000\nIt <b>rained</b>.\n"


@pytest.fixture
def source(people: Any, tmp_path: Path) -> SourceVideo:
    made = reviewed_source(people.anna, segments=3, status=ReviewStatus.PENDING)
    (tmp_path / "given.vtt").write_text(VTT, encoding="utf-8")
    captions_add(source=made, path=tmp_path / "given.vtt", language="en")
    return made


def test_each_segment_shows_the_captions_of_its_time(
    source: SourceVideo, people: Any, page_for: Any, api_for: Any
) -> None:
    html = page_for(people.anna).get(reverse("datasets:source-detail", args=[source.pk])).content.decode()
    assert html.count("Captions:") == 2
    assert "It rained." in html
    rows = api_for(people.anna).get("/api/v1/segments/").json()["results"]
    assert [row["caption"] for row in rows] == ["He went home.", "It rained.", ""]
    segment = source.segments.get(index=2)
    change = page_for(people.root).get(reverse("admin:datasets_segment_change", args=[segment.pk])).content.decode()
    assert "It rained." in change


def test_a_person_takes_over_the_captions_of_one_segment(source: SourceVideo, people: Any, page_for: Any) -> None:
    second = source.segments.get(index=2)
    address = reverse("datasets:segment-edit", args=[second.pk])
    answer = page_for(people.anna).post(address, {"text": "It rained."}, headers={"HX-Request": "true"})
    assert "Captions:" not in answer.content.decode()
    assert [(s.text, s.edited) for s in source.segments.order_by("index")] == [
        ("This is sentence number 1.", False),
        ("It rained.", True),
        ("This is sentence number 3.", False),
    ]


def test_transcribing_never_copies_captions(source: SourceVideo, random_whisper_bundle: Path, settings: Any) -> None:
    settings.MODELS_DIR = random_whisper_bundle.parent
    source_transcribe(source=source, progress=Silent())
    assert not set(source.segments.values_list("text", flat=True)) & {"He went home.", "It rained."}


def test_captions_that_are_gone_or_broken_show_nothing(source: SourceVideo, people: Any, page_for: Any) -> None:
    address = reverse("datasets:source-detail", args=[source.pk])
    file = next(source.folder.glob("captions.*"))
    file.write_text("no captions", encoding="utf-8")
    assert "Captions:" not in page_for(people.anna).get(address).content.decode()
    file.unlink()
    assert page_for(people.anna).get(address).status_code == 200
