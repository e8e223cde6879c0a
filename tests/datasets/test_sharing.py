"""What a shared dataset tells, and to whom; who may change what of it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from datasets.choices import ReviewStatus
from datasets.models import Segment
from datasets.services.freezing import version_freeze
from datasets.services.segments import segments_review
from datasets.services.sources import source_delete
from tests.datasets.factories import DatasetFactory, SourceFactory, SpeakerFactory, reviewed_source
from xttsproject.jobs.choices import JobState

V1 = "/api/v1"


@pytest.fixture
def speaker(people: Any) -> Any:
    return SpeakerFactory(owner=people.anna, visibility="team")


@pytest.fixture
def shared(people: Any, speaker: Any) -> Any:
    """Anna's team dataset of a shared recording and one of her own, with a segment of each not yet reviewed."""
    sources = [
        reviewed_source(people.anna, speaker=speaker, title="Open talk", visibility="team"),
        reviewed_source(people.anna, speaker=speaker, title="Confidential hearing"),
    ]
    for source in sources:
        source.segments.filter(index=1).update(status=ReviewStatus.PENDING)
    return DatasetFactory(owner=people.anna, speaker=speaker, sources=sources, visibility="team")


def test_what_was_left_out_names_only_recordings_that_one_sees(
    people: Any, shared: Any, work: Any, api_for: Any, page_for: Any
) -> None:
    version, _job = version_freeze(dataset=shared, owner=people.anna)
    assert work() == [JobState.SUCCEEDED]
    url = f"{V1}/dataset-versions/{version.pk}/"
    told = api_for(people.ben).get(url).json()["left_out"]
    assert [row["recording"] for row in told] == ["Open talk", "a recording not shared with you"]
    assert (told[1]["source"], told[1]["segment"], told[1]["reason"]) == (None, None, "not reviewed yet")
    assert (told[0]["source"], told[0]["index"]) == (str(shared.sources.get(title="Open talk").pk), 1)
    page = page_for(people.ben).get(f"/dataset-versions/{version.pk}/").content.decode()
    assert "a recording not shared with you" in page
    assert "Confidential" not in page + str(told)
    own = api_for(people.anna).get(url).json()["left_out"]
    assert [row["recording"] for row in own] == ["Open talk", "Confidential hearing"]
    assert "Confidential hearing" in page_for(people.anna).get(f"/dataset-versions/{version.pk}/").content.decode()
    source_delete(source=shared.sources.get(title="Confidential hearing"))
    assert api_for(people.anna).get(url).json()["left_out"][1]["recording"] == "a deleted recording"


def test_a_reason_does_not_quote_what_one_may_not_see(people: Any, shared: Any, work: Any, api_for: Any) -> None:
    hidden = shared.sources.get(title="Confidential hearing")
    hidden.speaker = SpeakerFactory(owner=people.anna, name="Witness K")
    hidden.save()
    version, _job = version_freeze(dataset=shared, owner=people.anna)
    assert work() == [JobState.SUCCEEDED]
    url = f"{V1}/dataset-versions/{version.pk}/"
    assert "Witness K" in str(api_for(people.anna).get(url).json()["left_out"])
    told = api_for(people.ben).get(url).json()["left_out"]
    assert "Witness K" not in str(told)
    assert {row["reason"] for row in told if row["code"] == "speaker"} == {"spoken by somebody else"}


def test_a_recording_that_the_owner_no_longer_sees_is_not_frozen(
    people: Any, shared: Any, speaker: Any, work: Any
) -> None:
    lent = reviewed_source(people.ben, speaker=speaker, segments=3, visibility="team")
    shared.sources.add(lent)
    version, _job = version_freeze(dataset=shared, owner=people.anna)
    lent.visibility = "private"
    lent.save()
    assert work() == [JobState.SUCCEEDED]
    version.refresh_from_db()
    held_back = [row for row in version.left_out if row["code"] == "not_shared"]
    assert {row["source"] for row in held_back} == {str(lent.pk)}
    assert len(held_back) == 3
    assert {row["reason"] for row in held_back} == {"no longer shared with the dataset's owner"}
    assert version.clips == 6


@pytest.mark.parametrize(
    ("path", "field"), [("recordings", "speaker"), ("datasets", "speaker"), ("dataset-versions", "dataset")]
)
def test_a_filter_does_not_tell_whether_anothers_row_exists(people: Any, api_for: Any, path: str, field: str) -> None:
    source = reviewed_source(people.anna)
    dataset = DatasetFactory(owner=people.anna, speaker=source.speaker, sources=[source])
    foreign = dataset.pk if field == "dataset" else source.speaker_id
    api = api_for(people.ben)
    theirs, nobodys = (api.get(f"{V1}/{path}/", {field: pk}) for pk in (foreign, foreign + 1000))
    assert (theirs.status_code, nobodys.status_code) == (400, 400)
    assert str(theirs.json()) == str(nobodys.json()).replace(str(foreign + 1000), str(foreign))
    assert api_for(people.anna).get(f"{V1}/{path}/", {field: foreign}).status_code == 200


def test_editors_change_what_a_dataset_is_made_of_on_the_page_and_by_the_api(
    people: Any, shared: Any, speaker: Any, api_for: Any, page_for: Any
) -> None:
    more = SourceFactory(owner=people.ben, speaker=speaker, visibility="team")
    hidden = shared.sources.get(title="Confidential hearing")
    url = f"/datasets/{shared.pk}/edit/"
    page = page_for(people.cora)
    html = page.get(url).content.decode()
    assert 'name="visibility"' not in html
    assert "Confidential" not in html
    assert url in page.get(f"/datasets/{shared.pk}/").content.decode()
    body = {"sources": [str(more.pk)], "validation_share": "0.3", "visibility": "private"}
    assert page.post(url, body).status_code == 302
    shared.refresh_from_db()
    # What the editor does not see is not theirs to take out.
    assert set(shared.sources.all()) == {more, hidden}
    assert (shared.validation_share, shared.visibility) == (0.3, "team")
    opened = shared.sources.model.objects.get(title="Open talk")
    patched = api_for(people.cora).patch(f"{V1}/datasets/{shared.pk}/", {"sources": [str(opened.pk)]})
    assert patched.json()["sources"] == [str(opened.pk)]
    assert set(shared.sources.all()) == {opened, hidden}
    assert api_for(people.cora).patch(f"{V1}/datasets/{shared.pk}/", {"visibility": "private"}).status_code == 403
    assert 'name="visibility"' in page_for(people.anna).get(url).content.decode()
    assert page_for(people.ben).get(url).status_code == 403


def test_an_editor_who_sees_none_of_the_recordings_can_still_change_the_share(
    people: Any, shared: Any, page_for: Any
) -> None:
    before = set(shared.sources.all())
    shared.sources.update(visibility="private")
    assert page_for(people.cora).post(f"/datasets/{shared.pk}/edit/", {"validation_share": "0.2"}).status_code == 302
    shared.refresh_from_db()
    assert (shared.validation_share, set(shared.sources.all())) == (0.2, before)


def test_approving_a_thousand_segments_is_a_few_queries_and_keeps_their_history(
    people: Any, django_assert_max_num_queries: Any
) -> None:
    source = SourceFactory(owner=people.anna)
    Segment.objects.bulk_create(
        Segment(source=source, index=index, start=index, end=index + 0.9, text=f"Sentence {index}.")
        for index in range(1000)
    )
    with django_assert_max_num_queries(60):
        outcome = segments_review(segments=source.segments.all(), status="approved", reviewer=people.anna)
    assert (outcome.changed, outcome.skipped) == (1000, ())
    assert source.segments.approved().filter(reviewer=people.anna, reviewed_at__isnull=False).count() == 1000
    rows = Segment.history.filter(source=source)
    assert {(row.status, row.history_user_id, row.history_type) for row in rows} == {("approved", people.anna.pk, "~")}
    assert rows.count() == 1000
    again = segments_review(segments=source.segments.all(), status="approved", reviewer=people.anna)
    assert (again.changed, again.unchanged) == (0, 1000)
    assert rows.count() == 1000


def test_an_unknown_speaker_is_refused_everywhere_alike(people: Any, api_for: Any) -> None:
    for wrong in ("nobody", str(uuid.uuid4())):
        assert api_for(people.ben).get(f"{V1}/recordings/", {"speaker": wrong}).status_code == 400
