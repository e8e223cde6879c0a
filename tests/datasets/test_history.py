"""The history of transcripts: for those who see the recording, and no longer than the recording."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from datasets.models import Segment
from datasets.services.segments import segment_edit
from datasets.services.sources import source_delete
from tests.datasets.factories import SpeakerFactory, reviewed_source

DESK = "/admin/datasets/segment"
SECRET = "The combination is four two one."


def edited(owner: Any, **fields: Any) -> Segment:
    """A segment whose history holds two texts."""
    segment: Segment = reviewed_source(owner, segments=1, **fields).segments.get()
    return segment_edit(segment=segment, text=SECRET)


def pages(segment: Segment) -> list[str]:
    whole = f"{DESK}/{segment.pk}/history/"
    return [whole, *(f"{whole}{row.history_id}/" for row in Segment.history.filter(id=segment.pk))]


@pytest.mark.parametrize("who", ["cora", "tom"])
def test_nobody_reads_a_private_transcript_through_its_history(people: Any, page_for: Any, who: str) -> None:
    private, shared = edited(people.anna), edited(people.anna, visibility="team")
    page = page_for(getattr(people, who))
    for url in pages(private):
        answer = page.get(url)
        assert answer.status_code == 404, url
        assert SECRET not in answer.content.decode()
    for url in pages(shared):
        assert page.get(url).status_code == 200, url
    assert SECRET in page.get(pages(shared)[0]).content.decode()


def test_an_address_that_is_no_number_has_no_history(people: Any, page_for: Any) -> None:
    shared = edited(people.anna, visibility="team")
    for wrong in (f"{DESK}/{uuid.uuid4()}/history/", f"{DESK}/{uuid.uuid4()}/history/1/"):
        assert page_for(people.cora).get(wrong).status_code == 404
    assert page_for(people.cora).get(f"{DESK}/{shared.pk}/history/{uuid.uuid4()}/").status_code == 404


def test_a_former_state_is_for_looking_and_offers_no_way_back_that_does_nothing(people: Any, page_for: Any) -> None:
    segment = edited(people.anna, visibility="team")
    oldest = Segment.history.filter(id=segment.pk).last()
    assert oldest is not None
    url, page = f"{DESK}/{segment.pk}/history/{oldest.history_id}/", page_for(people.cora)
    html = page.get(url).content.decode()
    assert oldest.text in html
    assert "Revert" not in html
    body = {"text": oldest.text, "initial-text": oldest.text, "status": "approved", "initial-status": "approved"}
    assert page.post(url, body).status_code == 403
    segment.refresh_from_db()
    assert segment.text == SECRET


@pytest.mark.parametrize("way", ["service", "user"])
def test_no_transcript_outlives_its_recording(people: Any, way: str) -> None:
    speaker = SpeakerFactory(owner=people.ben, visibility="team")
    segment, other = edited(people.anna, speaker=speaker), edited(people.ben)
    if way == "service":
        source_delete(source=segment.source)
    else:
        people.anna.delete()
    assert not Segment.objects.filter(pk=segment.pk).exists()
    assert not Segment.history.filter(id=segment.pk).exists()
    assert Segment.history.filter(id=other.pk).count() == 2
