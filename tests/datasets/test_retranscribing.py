"""Listening again to one clip, to a selection, to a recording: from pages, admin and API."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from datasets.choices import ReviewStatus
from datasets.models import Segment
from datasets.services.segments import segment_edit
from tests.datasets.factories import SpeakerFactory, reviewed_source
from xttsproject.accounts.models import Visibility
from xttsproject.jobs.models import Job


@pytest.fixture
def models(random_whisper_bundle: Path, settings: Any, tmp_path: Path) -> Path:
    for name in ("tiny-whisper", "other"):
        shutil.copytree(random_whisper_bundle, tmp_path / "models" / name)
    settings.MODELS_DIR = tmp_path / "models"
    return tmp_path / "models"


def waiting(owner: Any, **fields: Any) -> Any:
    return reviewed_source(owner, segments=3, status=ReviewStatus.PENDING, **fields)


@pytest.mark.usefixtures("models")
def test_one_clip_is_heard_again_and_the_others_are_not(people: Any, api_for: Any, work: Any) -> None:
    source = waiting(people.anna)
    first = source.segments.get(index=1)
    answer = api_for(people.anna).post(f"/api/v1/segments/{first.pk}/transcribe/")
    assert answer.status_code == 202
    assert answer.json()["segments"] == 1
    assert answer.json()["job"]["subject_id"] == str(source.pk)
    # The recording's other segments were written by the factory and have no time of transcription.
    source.segments.exclude(pk=first.pk).update(transcribed_at="2026-01-01T00:00Z")
    assert work() == ["succeeded"]
    assert source.segments.get(index=1).transcribed_by == "tiny-whisper"
    assert set(source.segments.exclude(pk=first.pk).values_list("transcribed_by", flat=True)) == {""}


@pytest.mark.usefixtures("models")
def test_a_selection_of_several_recordings_is_one_job_and_leaves_peoples_words(
    people: Any, api_for: Any, work: Any
) -> None:
    one, other = waiting(people.anna), waiting(people.anna)
    segment_edit(segment=one.segments.get(index=1), text="My own words.")
    other.segments.get(index=1).review(ReviewStatus.APPROVED, people.anna)
    kept = other.segments.get(index=1).text
    ids = [*one.segments.values_list("pk", flat=True), *other.segments.values_list("pk", flat=True)]
    answer = api_for(people.anna).post("/api/v1/segments/transcribe/", {"ids": ids})
    assert (answer.status_code, answer.json()["segments"]) == (202, 4)
    assert Job.objects.get().title == "Transcribe 4 segments of 2 recordings"
    assert work() == ["succeeded"]
    assert Job.objects.get().result == {"transcribed": 4}
    assert (one.segments.get(index=1).text, other.segments.get(index=1).text) == ("My own words.", kept)
    assert Segment.objects.filter(transcribed_by="tiny-whisper").count() == 4


def test_what_people_wrote_alone_is_refused_in_a_sentence(people: Any, api_for: Any) -> None:
    source = waiting(people.anna)
    source.segments.update(edited=True)
    answer = api_for(people.anna).post(f"/api/v1/segments/{source.segments.first().pk}/transcribe/")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "nothing_to_transcribe"
    assert not Job.objects.exists()


def test_strangers_cannot_have_it_transcribed(people: Any, api_for: Any, page_for: Any) -> None:
    private, shared = waiting(people.anna), waiting(people.anna, visibility=Visibility.TEAM)
    for source, status in ((private, 404), (shared, 403)):
        segment = source.segments.first()
        assert api_for(people.ben).post(f"/api/v1/segments/{segment.pk}/transcribe/").status_code == status
        ids = {"ids": [segment.pk]}
        assert api_for(people.ben).post("/api/v1/segments/transcribe/", ids).status_code == 409
        page_for(people.ben).post(reverse("datasets:segments-transcribe"), ids)
    assert not Job.objects.exists()
    assert api_for(people.cora).post("/api/v1/segments/transcribe/", ids).status_code == 202


def test_the_page_offers_one_clip_a_selection_and_the_whole(people: Any, page_for: Any) -> None:
    source = waiting(people.anna)
    segment_edit(segment=source.segments.get(index=3), text="My own words.")
    first, second, third = source.segments.order_by("index")
    client = page_for(people.anna)
    html = client.get(reverse("datasets:source-detail", args=[source.pk])).content.decode()
    assert f'name="only" value="{first.pk}"' in html
    assert f'name="ids" value="{second.pk}"' in html
    assert f'value="{third.pk}"' not in html
    answer = client.post(reverse("datasets:segments-transcribe"), {"source": source.pk, "only": [second.pk]})
    assert answer.url == reverse("datasets:segment-place", args=[second.pk])
    assert Job.objects.get().subject_id == str(source.pk)
    ticked = {"source": source.pk, "ids": [first.pk, third.pk]}
    told = client.post(reverse("datasets:segments-transcribe"), ticked, follow=True).content.decode()
    assert "1 segment will be transcribed anew. 1 segment stays as a person left it." in told
    nothing = client.post(reverse("datasets:segments-transcribe"), {"source": source.pk}, follow=True)
    assert nothing.redirect_chain == [(reverse("datasets:source-detail", args=[source.pk]), 302)]
    assert "No segment was chosen" in nothing.content.decode()


@pytest.mark.usefixtures("models")
def test_a_recording_keeps_the_model_that_was_chosen_for_it(
    people: Any, api_for: Any, page_for: Any, work: Any
) -> None:
    source = waiting(people.anna)
    source.segments.update(text="", machine_text="")
    address = f"/api/v1/recordings/{source.pk}/transcribe/"
    refused = api_for(people.anna).post(address, {"transcriber": "none-such"})
    assert refused.json()["error"]["code"] == "model_unknown"
    assert "installed: other, tiny-whisper" in refused.json()["error"]["message"]
    client = page_for(people.anna)
    assert '<option value="other">' in client.get(reverse("datasets:source-detail", args=[source.pk])).content.decode()
    client.post(reverse("datasets:source-transcribe", args=[source.pk]), {"transcriber": "other"})
    assert work() == ["succeeded"]
    assert set(source.segments.values_list("transcribed_by", flat=True)) == {"other"}
    assert "heard by other" in client.get(reverse("datasets:source-detail", args=[source.pk])).content.decode()
    assert api_for(people.anna).get(f"/api/v1/recordings/{source.pk}/").json()["transcriber"] == "other"
    changed = api_for(people.anna).patch(f"/api/v1/recordings/{source.pk}/", {"transcriber": ""})
    assert changed.json()["transcriber"] == ""
    form = {"title": source.title, "visibility": "private", "transcriber": "other"}
    client.post(reverse("datasets:source-edit", args=[source.pk]), form)
    source.refresh_from_db()
    assert source.transcriber == "other"


def test_the_admin_has_both_as_actions(people: Any, page_for: Any) -> None:
    source = waiting(people.anna)
    client = page_for(people.root)
    ids = list(source.segments.values_list("pk", flat=True))
    action = {"action": "transcribe", "_selected_action": ids[:2]}
    answer = client.post(reverse("admin:datasets_segment_changelist"), action, follow=True)
    assert "2 will be transcribed anew." in answer.content.decode()
    recordings = {"action": "transcribe", "_selected_action": [str(source.pk)]}
    answer = client.post(reverse("admin:datasets_sourcevideo_changelist"), recordings, follow=True)
    assert "3 segments will be transcribed anew." in answer.content.decode()


@pytest.mark.usefixtures("models")
def test_a_speakers_glossary_is_given_to_the_model(
    people: Any, api_for: Any, page_for: Any, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets.pipeline.transcribe import Transcriber

    given = []
    real = Transcriber.transcribe_many

    def watched(self: Any, clips: Any, language: str, listening: Any, progress: Any) -> Any:
        given.append(listening.hotwords)
        return real(self, clips, language, listening, progress)

    monkeypatch.setattr(Transcriber, "transcribe_many", watched)
    speaker = SpeakerFactory(owner=people.anna)
    source = waiting(people.anna, speaker=speaker)
    page = page_for(people.anna)
    form = {"glossary": "Zebedee, Ana  Luísa\nZebedee; São Tomé", "notes": "", "visibility": "private"}
    page.post(reverse("datasets:speaker-edit", args=[speaker.pk]), form)
    speaker.refresh_from_db()
    assert speaker.glossary == "Zebedee\nAna Luísa\nSão Tomé"
    assert "glossary: Zebedee, Ana Luísa, São Tomé" in page.get(reverse("datasets:speaker-list")).content.decode()
    api_for(people.anna).post(f"/api/v1/recordings/{source.pk}/transcribe/")
    assert work() == ["succeeded"]
    assert given == ["Zebedee, Ana Luísa, São Tomé"]


def test_a_glossary_is_changed_by_whoever_may_change_the_speaker(people: Any, api_for: Any, page_for: Any) -> None:
    speaker = SpeakerFactory(owner=people.anna)
    edit, api = reverse("datasets:speaker-edit", args=[speaker.pk]), f"/api/v1/speakers/{speaker.pk}/"
    assert page_for(people.ben).get(edit).status_code == 404
    assert api_for(people.ben).patch(api, {"glossary": "Zoë"}).status_code == 404
    assert api_for(people.anna).patch(api, {"glossary": "Zoë"}).json()["glossary"] == "Zoë"
    long = api_for(people.anna).patch(api, {"glossary": "name, " * 10 + "x" * 900})
    assert long.json()["error"]["code"] == "glossary_too_long"
    refused = page_for(people.anna).post(edit, {"glossary": "x" * 900, "notes": "", "visibility": "private"})
    assert refused.status_code == 400
    assert "905 characters" not in refused.content.decode()
    assert "900 characters" in refused.content.decode()
    speaker.visibility = Visibility.TEAM
    speaker.save()
    assert page_for(people.ben).get(edit).status_code == 403
    assert page_for(people.cora).get(edit).status_code == 200
    assert 'name="visibility"' not in page_for(people.cora).get(edit).content.decode()
    admin = page_for(people.root).get(reverse("admin:datasets_speaker_change", args=[speaker.pk])).content.decode()
    assert 'name="glossary"' in admin


def test_numbers_that_no_segment_can_have_are_bad_input_and_no_fault(people: Any, api_for: Any, page_for: Any) -> None:
    huge = 10**25
    for address, body in (("transcribe", {"ids": [huge]}), ("review", {"ids": [huge], "status": "approved"})):
        answer = api_for(people.anna).post(f"/api/v1/segments/{address}/", body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "ids.0")
    for field in ("only", "ids"):
        told = page_for(people.anna).post(
            reverse("datasets:segments-transcribe"), {field: [huge, "9" * 5000]}, follow=True
        )
        assert "No segment was chosen" in told.content.decode()
