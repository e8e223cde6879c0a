"""The API: who sees and changes what, and what it answers."""

from __future__ import annotations

import io
import wave
from typing import Any

import pytest
from rest_framework.test import APIClient

from datasets.choices import ReviewStatus
from datasets.models import Segment, SourceVideo, Speaker
from tests.datasets.factories import DatasetFactory, SegmentFactory, SourceFactory, SpeakerFactory, reviewed_source

V1 = "/api/v1"


def test_a_speaker_needs_consent(people: Any, api_for: Any) -> None:
    api = api_for(people.anna)
    for missing in ("consent_kind", "consent_statement"):
        body = {"name": "Anna", "consent_kind": "self", "consent_statement": "I agree."}
        del body[missing]
        answer = api.post(f"{V1}/speakers/", body)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == missing
    assert not Speaker.objects.exists()
    made = api.post(f"{V1}/speakers/", {"name": "Anna", "consent_kind": "self", "consent_statement": "I agree."})
    assert made.status_code == 201
    assert made.json()["consent_by"] == "anna"
    again = api.post(f"{V1}/speakers/", {"name": "Anna", "consent_kind": "self", "consent_statement": "I agree."})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "duplicate")


def test_a_speaker_with_recordings_is_not_deleted(people: Any, api_for: Any) -> None:
    speaker = SpeakerFactory(owner=people.anna)
    source = SourceFactory(owner=people.anna, speaker=speaker)
    refused = api_for(people.anna).delete(f"{V1}/speakers/{speaker.pk}/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "in_use")
    source.delete()
    assert api_for(people.anna).delete(f"{V1}/speakers/{speaker.pk}/").status_code == 204


def test_what_is_private_is_not_there_for_others(people: Any, api_for: Any) -> None:
    source = reviewed_source(people.anna)
    segment = source.segments.get(index=1)
    dataset = DatasetFactory(owner=people.anna, speaker=source.speaker, sources=[source])
    for stranger in (people.ben, people.cora):
        api = api_for(stranger)
        for path in ("speakers", "recordings", "segments", "datasets"):
            assert api.get(f"{V1}/{path}/").json()["count"] == 0
        for path in (
            f"speakers/{source.speaker_id}/",
            f"recordings/{source.pk}/",
            f"recordings/{source.pk}/audio/",
            f"segments/{segment.pk}/",
            f"segments/{segment.pk}/audio/",
            f"datasets/{dataset.pk}/",
        ):
            assert api.get(f"{V1}/{path}").status_code == 404, path
        assert api.post(f"{V1}/recordings/{source.pk}/transcribe/").status_code == 404
        assert api.delete(f"{V1}/recordings/{source.pk}/").status_code == 404
        assert api.patch(f"{V1}/segments/{segment.pk}/", {"text": "Mine now."}).status_code == 404
        assert api.post(f"{V1}/datasets/{dataset.pk}/freeze/").status_code == 404
    assert SourceVideo.objects.count() == 1


def test_what_is_shared_is_read_by_all_and_changed_by_curators(people: Any, api_for: Any) -> None:
    source = reviewed_source(people.anna, visibility="team")
    segment = source.segments.get(index=1)
    url = f"{V1}/segments/{segment.pk}/"
    assert api_for(people.ben).get(url).status_code == 200
    assert api_for(people.ben).patch(url, {"text": "By ben."}).status_code == 403
    assert api_for(people.ben).post(f"{V1}/recordings/{source.pk}/transcribe/").status_code == 403
    assert api_for(people.cora).patch(url, {"text": "By cora."}).status_code == 200
    # A curator corrects; deleting and sharing stay with the owner.
    assert api_for(people.cora).delete(f"{V1}/recordings/{source.pk}/").status_code == 403
    assert api_for(people.cora).patch(f"{V1}/recordings/{source.pk}/", {"visibility": "private"}).status_code == 403
    assert api_for(people.cora).patch(f"{V1}/recordings/{source.pk}/", {"title": "Better"}).status_code == 200
    segment.refresh_from_db()
    assert segment.text == "By cora."
    assert segment.history.first().history_user == people.cora


def test_nothing_is_told_without_a_token(db: None) -> None:
    for path in ("speakers", "recordings", "segments", "datasets", "dataset-versions"):
        assert APIClient().get(f"{V1}/{path}/").status_code == 401


def test_text_and_status_go_together_or_not_at_all(people: Any, api_for: Any) -> None:
    source = reviewed_source(people.anna, segments=1, status=ReviewStatus.PENDING)
    segment = source.segments.get()
    api, url = api_for(people.anna), f"{V1}/segments/{segment.pk}/"
    refused = api.patch(url, {"text": "", "status": "approved"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "text_unusable")
    assert api.get(url).json()["text"] == segment.text
    done = api.patch(url, {"text": "  Well\tsaid. ", "status": "approved"}).json()
    assert (done["text"], done["status"], done["reviewer"], done["edited"]) == ("Well said.", "approved", "anna", True)
    emptied = api.patch(url, {"text": " "})
    assert (emptied.status_code, emptied.json()["error"]["param"]) == (400, "text")
    reopened = api.patch(url, {"status": "pending"}).json()
    assert (reopened["status"], reopened["reviewer"], reopened["reviewed_at"]) == ("pending", None, None)


def test_bulk_review_says_what_it_skipped_and_why(people: Any, api_for: Any) -> None:
    source = reviewed_source(people.anna, segments=3, status=ReviewStatus.PENDING)
    Segment.objects.filter(source=source, index=2).update(text="")
    Segment.objects.filter(source=source, index=3).update(status=ReviewStatus.APPROVED, decided_by_person=True)
    answer = (
        api_for(people.anna).post(f"{V1}/segments/review/", {"source": str(source.pk), "status": "approved"}).json()
    )
    assert (answer["changed"], answer["unchanged"]) == (1, 1)
    assert [(skip["index"], skip["recording"]) for skip in answer["skipped"]] == [(2, source.title)]
    assert "empty" in answer["skipped"][0]["reason"]


def test_bulk_review_leaves_alone_what_is_not_yours(people: Any, api_for: Any) -> None:
    mine = reviewed_source(people.anna, segments=1, status=ReviewStatus.PENDING).segments.get()
    theirs = reviewed_source(people.ben, segments=1, status=ReviewStatus.PENDING).segments.get()
    shared = reviewed_source(people.ben, segments=1, status=ReviewStatus.PENDING, visibility="team")
    body = {"ids": [mine.pk, theirs.pk, shared.segments.get().pk], "status": "rejected"}
    assert api_for(people.anna).post(f"{V1}/segments/review/", body).json()["changed"] == 1
    assert Segment.objects.filter(status=ReviewStatus.REJECTED).get() == mine
    whole = api_for(people.anna).post(f"{V1}/segments/review/", {"source": str(shared.pk), "status": "rejected"})
    assert whole.status_code == 403
    both = api_for(people.anna).post(f"{V1}/segments/review/", {"ids": [], "source": str(shared.pk), "status": "x"})
    assert both.status_code == 400


def test_segments_are_found_by_status_and_flags(people: Any, api_for: Any) -> None:
    source = SourceFactory(owner=people.anna)
    SegmentFactory(source=source, index=1, flags=["short", "noisy"])
    SegmentFactory(source=source, index=2, flags=["short"], status=ReviewStatus.APPROVED)
    SegmentFactory(source=source, index=3)
    SegmentFactory(source=SourceFactory(owner=people.anna), index=1)
    api = api_for(people.anna)

    def found(**query: Any) -> list[int]:
        answer = api.get(f"{V1}/segments/", {"source": source.pk, **query})
        assert answer.status_code == 200, answer.json()
        return [row["index"] for row in answer.json()["results"]]

    assert found() == [1, 2, 3]
    assert found(status="approved") == [2]
    assert found(flags="short") == [1, 2]
    assert found(flags=["short", "noisy"]) == [1]
    assert found(text="number 3") == [3]
    stranger = SourceFactory(owner=people.ben)
    assert api.get(f"{V1}/segments/", {"source": stranger.pk}).status_code == 400


@pytest.mark.parametrize("accept", ["audio/wav", "*/*", "application/json"])
def test_a_segment_sounds_as_long_as_it_is(people: Any, api_for: Any, accept: str) -> None:
    segment = reviewed_source(people.anna).segments.get(index=2)
    answer = api_for(people.anna).get(f"{V1}/segments/{segment.pk}/audio/", HTTP_ACCEPT=accept)
    assert answer.status_code == 200
    with wave.open(io.BytesIO(answer.content)) as clip:
        assert (clip.getframerate(), clip.getnchannels()) == (24_000, 1)
        assert clip.getnframes() / 24_000 == pytest.approx(segment.seconds, abs=0.001)


def test_a_stretch_of_a_segment_can_be_asked_for(people: Any, api_for: Any) -> None:
    segment = reviewed_source(people.anna).segments.get(index=1)
    url = f"{V1}/segments/{segment.pk}/audio/"
    whole = api_for(people.anna).get(url).content
    part = api_for(people.anna).get(url, HTTP_RANGE="bytes=44-143")
    assert (part.status_code, part.content) == (206, whole[44:144])
    assert part["Content-Range"] == f"bytes 44-143/{len(whole)}"
    assert api_for(people.anna).get(url, HTTP_RANGE=f"bytes={len(whole)}-").status_code == 416


def test_lists_ask_the_database_no_more_for_many_rows(
    people: Any, api_for: Any, django_assert_num_queries: Any
) -> None:
    sources = [reviewed_source(people.anna, segments=2) for _ in range(4)]
    for source in sources[:3]:
        DatasetFactory(owner=people.anna, speaker=source.speaker, sources=[source])
    api = api_for(people.anna)
    for path, queries in (("recordings", 3), ("segments", 3), ("datasets", 4), ("speakers", 2)):
        with django_assert_num_queries(queries):
            assert len(api.get(f"{V1}/{path}/").json()["results"]) >= 3


def test_a_dataset_shows_only_the_recordings_that_one_may_see(people: Any, api_for: Any) -> None:
    speaker = SpeakerFactory(owner=people.anna, visibility="team")
    shown = SourceFactory(owner=people.anna, speaker=speaker, visibility="team")
    hidden = SourceFactory(owner=people.anna, speaker=speaker)
    dataset = DatasetFactory(owner=people.anna, speaker=speaker, sources=[shown, hidden], visibility="team")
    assert api_for(people.ben).get(f"{V1}/datasets/{dataset.pk}/").json()["sources"] == [str(shown.pk)]
    theirs = {"name": "X", "speaker": speaker.pk, "language": "en", "sources": [str(hidden.pk)]}
    assert api_for(people.ben).post(f"{V1}/datasets/", theirs).status_code == 400


def test_deleting_a_recording_removes_its_folder(
    people: Any, api_for: Any, django_capture_on_commit_callbacks: Any
) -> None:
    source = reviewed_source(people.anna)
    assert source.folder.is_dir()
    with django_capture_on_commit_callbacks(execute=True):
        assert api_for(people.anna).delete(f"{V1}/recordings/{source.pk}/").status_code == 204
    assert not source.folder.exists()
    assert not Segment.objects.exists()
