"""The pages of recordings and datasets, as several people see them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets.choices import ReviewStatus, SourceState
from datasets.models import Dataset, DatasetVersion, Segment, SourceVideo, Speaker
from datasets.services.freezing import version_freeze
from tests.datasets.factories import DatasetFactory, SourceFactory, SpeakerFactory, reviewed_source
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_start


def url(name: str, *args: Any) -> str:
    return reverse(f"datasets:{name}", args=args)


def test_a_speaker_is_added_with_consent_or_not_at_all(people: Any, page_for: Any) -> None:
    page = page_for(people.anna)
    refused = page.post(url("speaker-add"), {"name": "Anna", "consent_kind": "self", "visibility": "private"})
    assert refused.status_code == 400
    assert "consent_statement" in refused.context["form"].errors
    assert not Speaker.objects.exists()
    added = page.post(
        url("speaker-add"),
        {"name": "Anna", "consent_kind": "self", "consent_statement": "I agree.", "visibility": "private"},
    )
    speaker = Speaker.objects.get()
    assert added.headers["Location"] == f"{url('source-add')}?speaker={speaker.pk}"
    assert "I agree." in page.get(url("speaker-list")).content.decode()
    assert "I agree." not in page_for(people.ben).get(url("speaker-list")).content.decode()


def test_an_upload_leads_to_the_recording_with_its_job(people: Any, page_for: Any, media: Path) -> None:
    speaker = SpeakerFactory(owner=people.anna)
    body = {
        "kind": "upload",
        "file": SimpleUploadedFile("my_talk.wav", (media / "tone.wav").read_bytes()),
        "speaker": speaker.pk,
        "language": "en",
        "visibility": "private",
    }
    answer = page_for(people.anna).post(url("source-add"), body, follow=True)
    source = SourceVideo.objects.get()
    assert answer.redirect_chain == [(url("source-detail", source.pk), 302)]
    html = answer.content.decode()
    assert "my talk" in html
    assert reverse("jobs:strip", args=[Job.objects.get().pk]) in html


def test_nobody_is_taken_for_the_speaker_of_a_recording_unasked(people: Any, page_for: Any) -> None:
    """A voice of the model brings a speaker with it, who was chosen already where a person's recording was added."""
    page = page_for(people.anna)
    SpeakerFactory(owner=people.anna, name="Amber, of tiny")
    linda = SpeakerFactory(owner=people.anna, name="Linda")

    def chosen(name: str, query: str = "") -> list[Any]:
        context = page.get(url(name) + query).context
        forms = [context["upload"], context["by_url"]] if name == "source-add" else [context["form"]]
        return [form["speaker"].value() for form in forms]

    assert chosen("source-add") == [None, None]
    assert chosen("import-add") == [None]
    shown = page.get(url("source-add")).content.decode()
    assert "Choose who speaks" in shown
    assert f'href="{url("speaker-add")}"' in shown
    assert f'href="{url("speaker-add")}?next={url("import-add")}"' in page.get(url("import-add")).content.decode()
    assert chosen("source-add", f"?speaker={linda.pk}") == [str(linda.pk)] * 2
    # Whoever was recorded last is recorded again, unless they are no longer to be seen.
    bens = SpeakerFactory(owner=people.ben)
    SourceFactory(owner=people.anna, speaker=linda)
    assert chosen("source-add") == [linda.pk] * 2
    SourceFactory(owner=people.anna, speaker=bens)
    assert chosen("source-add") == [linda.pk] * 2


def test_adding_a_recording_asks_for_a_speaker_first(people: Any, page_for: Any) -> None:
    SpeakerFactory(owner=people.ben)
    html = page_for(people.anna).get(url("source-add")).content.decode()
    assert url("speaker-add") in html
    assert "upload-form" not in html


def test_the_list_shows_states_progress_and_causes(people: Any, page_for: Any) -> None:
    reviewed_source(people.anna, title="Done")
    SourceFactory(owner=people.anna, title="Broken", state=SourceState.FAILED, error="There was no speech in it.")
    busy = SourceFactory(owner=people.anna, title="Busy", state=SourceState.WAITING)
    job_start(kind="datasets.prepare", title="Prepare", owner=people.anna, subject=busy)
    SourceFactory(owner=people.ben, title="Ben's own")
    html = page_for(people.anna).get(url("source-list")).content.decode()
    for words in ("Done", "Broken", "There was no speech in it.", "Busy", "Queued", "every 2s"):
        assert words in html
    assert "Ben&#x27;s own" not in html


def test_list_pages_ask_the_database_no_more_for_many_rows(people: Any, page_for: Any) -> None:
    page = page_for(people.anna)

    def add(count: int) -> None:
        for _ in range(count):
            source = reviewed_source(people.anna, segments=4)
            DatasetFactory(owner=people.anna, speaker=source.speaker, sources=[source])
            job_start(kind="datasets.transcribe", title="Again", owner=people.anna, subject=source)

    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            assert page.get(path).status_code == 200
        return len(asked)

    add(2)
    lists = [url(name) for name in ("source-list", "speaker-list", "dataset-list", "dataset-add")]
    before = [queries(path) for path in lists]
    add(5)
    assert [queries(path) for path in lists] == before
    assert max(before) <= 12


def test_a_recording_asks_the_database_no_more_for_many_segments(people: Any, page_for: Any) -> None:
    few, many = (reviewed_source(people.anna, segments=count) for count in (2, 20))
    page = page_for(people.anna)
    counts = []
    for source in (few, many):
        with CaptureQueriesContext(connection) as asked:
            assert page.get(url("source-detail", source.pk)).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 12


@pytest.mark.parametrize(
    "name",
    ["source-detail", "source-audio", "source-edit", "source-delete", "source-transcribe", "source-review"],
)
def test_what_is_private_is_not_there_for_others(people: Any, page_for: Any, name: str) -> None:
    source = reviewed_source(people.anna)
    page = page_for(people.cora)
    ask = page.post if name in ("source-transcribe", "source-review", "source-delete") else page.get
    assert ask(url(name, source.pk)).status_code == 404
    assert SourceVideo.objects.exists()


def test_a_shared_recording_can_be_read_but_not_changed(people: Any, page_for: Any) -> None:
    source = reviewed_source(people.anna, visibility="team")
    segment = source.segments.get(index=1)
    page = page_for(people.ben)
    html = page.get(url("source-detail", source.pk)).content.decode()
    assert segment.text in html
    assert "<textarea" not in html
    assert page.get(url("segment-audio", segment.pk)).status_code == 200
    for answer in (
        page.post(url("segment-edit", segment.pk), {"text": "By ben."}),
        page.post(url("source-review", source.pk), {"status": "rejected"}),
        page.post(url("source-transcribe", source.pk)),
        page.post(url("source-delete", source.pk)),
    ):
        assert answer.status_code == 403
    segment.refresh_from_db()
    assert segment.text != "By ben."


def test_the_page_holds_each_text_in_a_box_for_those_who_may_change_it(people: Any, page_for: Any) -> None:
    source = reviewed_source(people.anna, segments=2)
    html = page_for(people.anna).get(url("source-detail", source.pk)).content.decode()
    boxes = re.findall(r"<textarea[^>]*>(.*?)</textarea>", html, re.DOTALL)
    assert boxes == ["This is sentence number 1.", "This is sentence number 2."]


def test_who_reviews_is_told_what_the_model_that_listened_is_worth(
    people: Any, page_for: Any, settings: Any, tiny_whisper_bundle: Path
) -> None:
    settings.MODELS_DIR, settings.WHISPER_BUNDLE = tiny_whisper_bundle.parent, tiny_whisper_bundle.name
    source = reviewed_source(people.anna, segments=1, status=ReviewStatus.PENDING)
    page = page_for(people.anna)
    assert "must be corrected by hand" in page.get(url("source-detail", source.pk)).content.decode()
    source.segments.update(status=ReviewStatus.APPROVED)
    assert "must be corrected by hand" not in page.get(url("source-detail", source.pk)).content.decode()


def test_htmx_gets_the_row_back_corrected_and_approved(people: Any, page_for: Any) -> None:
    segment = reviewed_source(people.anna, segments=1, status=ReviewStatus.PENDING).segments.get()
    answer = page_for(people.anna).post(
        url("segment-edit", segment.pk), {"text": "Corrected.", "status": "approved"}, headers={"HX-Request": "true"}
    )
    html = answer.content.decode()
    assert f'id="segment-{segment.pk}"' in html
    assert "<html" not in html
    assert "Corrected." in html
    segment.refresh_from_db()
    assert (segment.text, segment.status, segment.reviewer) == ("Corrected.", "approved", people.anna)
    assert segment.history.filter(text="Corrected.").first().history_user == people.anna


def test_a_refused_review_keeps_what_was_typed_on_the_page(people: Any, page_for: Any) -> None:
    segment = reviewed_source(people.anna, segments=1, status=ReviewStatus.PENDING).segments.get()
    typed = "far too long " * 30
    answer = page_for(people.anna).post(
        url("segment-edit", segment.pk), {"text": typed, "status": "approved"}, headers={"HX-Request": "true"}
    )
    html = answer.content.decode()
    assert "limit for English is 250" in html
    assert re.findall(r"<textarea[^>]*>(.*?)</textarea>", html, re.DOTALL) == [typed]
    before = segment.text
    segment.refresh_from_db()
    assert (segment.text, segment.status) == (before, ReviewStatus.PENDING)


def test_without_scripts_an_edit_returns_to_the_segment(people: Any, page_for: Any) -> None:
    segment = reviewed_source(people.anna, segments=1).segments.get()
    answer = page_for(people.anna).post(url("segment-edit", segment.pk), {"text": "Other words."})
    assert answer.headers["Location"] == f"{url('source-detail', segment.source_id)}#segment-{segment.pk}"


def test_approving_all_says_what_was_skipped(people: Any, page_for: Any) -> None:
    source = reviewed_source(people.anna, segments=3, status=ReviewStatus.PENDING)
    source.segments.filter(index=2).update(text="")
    answer = page_for(people.anna).post(url("source-review", source.pk), {"status": "approved"}, follow=True)
    said = [str(message) for message in answer.context["messages"]]
    assert said == ["2 segments: approved.", "1 segment skipped: The text is empty."]


def test_deleting_asks_first_and_then_removes_everything(
    people: Any, page_for: Any, django_capture_on_commit_callbacks: Any
) -> None:
    source = reviewed_source(people.anna, title="Going")
    page = page_for(people.anna)
    assert "Delete “Going”?" in page.get(url("source-delete", source.pk)).content.decode()
    assert SourceVideo.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        page.post(url("source-delete", source.pk))
    assert not SourceVideo.objects.exists()
    assert not source.folder.exists()


def test_the_way_from_recordings_to_a_version(people: Any, page_for: Any, work: Any) -> None:
    source = reviewed_source(people.anna)
    page = page_for(people.anna)
    assert f"{source.title} · " in page.get(f"{url('dataset-add')}?source={source.pk}").content.decode()
    body = {"name": "First", "sources": [str(source.pk)], "validation_share": "0.25", "visibility": "private"}
    assert page.post(url("dataset-add"), body).status_code == 302
    dataset = Dataset.objects.get()
    assert (dataset.speaker, dataset.language) == (source.speaker, "en")
    frozen = page.post(url("dataset-freeze", dataset.pk), follow=True)
    version = DatasetVersion.objects.get()
    assert frozen.redirect_chain == [(url("version-detail", version.pk), 302)]
    assert work() == ["succeeded"]
    version.refresh_from_db()
    html = page.get(url("version-detail", version.pk)).content.decode()
    assert version.content_hash in html
    assert "This is sentence number one." in html
    manifest = page.get(url("version-manifest", version.pk))
    assert b"".join(manifest.streaming_content) == version.manifest_path.read_bytes()
    assert "first-v1.jsonl" in manifest.headers["Content-Disposition"]
    again = page.post(url("dataset-freeze", dataset.pk), follow=True)
    assert work() == ["failed"]
    told = page.get(again.redirect_chain[-1][0]).content.decode()
    assert "Nothing has changed since version 1" in told
    assert f'<a href="{url("version-detail", version.pk)}">Open version 1</a>' in told
    for stranger_path in ("version-detail", "version-manifest"):
        assert page_for(people.ben).get(url(stranger_path, version.pk)).status_code == 404


def test_recordings_of_two_voices_make_no_dataset(people: Any, page_for: Any) -> None:
    sources = [reviewed_source(people.anna) for _ in range(2)]
    body = {
        "name": "Mixed",
        "sources": [str(source.pk) for source in sources],
        "validation_share": "0.1",
        "visibility": "private",
    }
    answer = page_for(people.anna).post(url("dataset-add"), body)
    assert answer.status_code == 400
    assert "a dataset holds one voice" in answer.content.decode()
    assert not Dataset.objects.exists()


def test_a_version_lists_what_was_left_out(people: Any, page_for: Any, work: Any) -> None:
    source = reviewed_source(people.anna, segments=3)
    source.segments.filter(index=3).update(status=ReviewStatus.REJECTED)
    dataset = DatasetFactory(owner=people.anna, speaker=source.speaker, sources=[source])
    version, _job = version_freeze(dataset=dataset, owner=people.anna)
    work()
    html = page_for(people.anna).get(url("version-detail", version.pk)).content.decode()
    assert "1 segment left out: 1 rejected" in html
    assert f"{source.title}, segment 3: rejected" in html


def test_pages_need_a_sign_in(client: Any, db: None) -> None:
    for name in ("speaker-list", "source-list", "source-add", "dataset-list", "dataset-add"):
        answer = client.get(url(name))
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(reverse("account_login"))
    assert not Segment.objects.exists()
