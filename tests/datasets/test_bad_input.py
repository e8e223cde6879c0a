"""Every way in which a recording can be wrong, through the page and through the API."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from datasets.choices import SourceState
from datasets.models import Segment, SourceVideo
from tests.datasets.factories import SpeakerFactory, reviewed_source
from xttsproject.jobs.models import Job

Send = Any


@pytest.fixture
def speaker(people: Any) -> Any:
    return SpeakerFactory(owner=people.anna)


@pytest.fixture(params=["page", "api"])
def send(request: Any, people: Any, speaker: Any, api_for: Any, page_for: Any) -> Send:
    """Upload as anna; answers (HTTP status, code, sentence)."""

    def by_api(name: str, data: bytes) -> tuple[int, str, str]:
        body = {"file": SimpleUploadedFile(name, data), "speaker": speaker.pk, "language": "en"}
        answer = api_for(people.anna).post("/api/v1/recordings/", body, format="multipart")
        error = answer.json()["error"]
        assert error["param"] == "file"
        return answer.status_code, error["code"], error["message"]

    def by_page(name: str, data: bytes) -> tuple[int, str, str]:
        body = {
            "kind": "upload",
            "file": SimpleUploadedFile(name, data),
            "speaker": speaker.pk,
            "language": "en",
            "visibility": "private",
        }
        answer = page_for(people.anna).post(reverse("datasets:source-add"), body)
        (error,) = answer.context["upload"].errors.as_data()["file"]
        assert str(error.message) in answer.content.decode().replace("&#x27;", "'")
        return answer.status_code, error.code, error.message

    return by_api if request.param == "api" else by_page


@pytest.fixture
def stays(people: Any, data_root: Path) -> Any:
    """An earlier recording with approved segments; calling the fixture's value asserts that nothing else is there."""
    before = reviewed_source(people.anna, title="Earlier", sha256="e" * 64)
    before.original_path.write_bytes(b"as it came")
    rows = list(Segment.objects.values_list("pk", "text", "status"))

    def check(*others: SourceVideo) -> None:
        assert set(SourceVideo.objects.all()) == {before, *others}
        assert list(Segment.objects.values_list("pk", "text", "status")) == rows
        assert before.original_path.read_bytes() == b"as it came"
        assert before.master_path.is_file()
        folders = {path.name for path in (data_root / "media" / "recordings").iterdir()}
        assert folders - {str(before.pk)} <= {str(other.pk) for other in others}
        assert list((data_root / "uploads").iterdir()) == []

    return check


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("notes.mp4", "not_media", "neither an audio nor a video file"),
        ("empty.mp3", "upload_empty", "empty"),
        ("mute.mp4", "no_audio", "no sound"),
        ("cut.mp4", "media_truncated", "incomplete"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_and_leaves_nothing(
    send: Send, stays: Any, media: Path, name: str, code: str, words: str
) -> None:
    status, found, message = send(name, (media / name).read_bytes())
    assert (status, found) == (400, code)
    assert words in message
    assert name in message
    stays()
    assert not Job.objects.exists()


def test_a_file_over_the_size_limit_is_refused(send: Send, stays: Any, media: Path, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 1000
    status, code, message = send("tone.wav", (media / "tone.wav").read_bytes())
    assert code == "too_large"
    assert status == (413 if send.__name__ == "by_api" else 400)
    assert "1 kB" in message
    stays()


def test_a_recording_over_the_length_limit_is_refused(send: Send, stays: Any, media: Path, settings: Any) -> None:
    settings.RECORDING_MAX_SECONDS = 1
    status, code, message = send("tone.wav", (media / "tone.wav").read_bytes())
    assert (status, code) == (400, "media_too_long")
    assert "tone.wav lasts 3 s" in message
    stays()


def test_the_same_bytes_again_are_refused_by_the_name_of_what_is_there(
    send: Send, stays: Any, media: Path, people: Any
) -> None:
    data = (media / "tone.wav").read_bytes()
    first = SourceVideo.objects.get(title="Earlier")
    SourceVideo.objects.filter(pk=first.pk).update(sha256=hashlib.sha256(data).hexdigest())
    status, code, message = send("other name.wav", data)
    assert code == "duplicate"
    assert status == (409 if send.__name__ == "by_api" else 400)
    assert "other name.wav" in message
    assert "“Earlier”" in message
    if send.__name__ == "by_page":
        assert f'<a href="{reverse("datasets:source-detail", args=[first.pk])}">Open it.</a>' in message
    stays()


def test_programs_are_told_which_recording_the_same_bytes_are_and_may_ask_before_they_send(
    people: Any, speaker: Any, api_for: Any, media: Path
) -> None:
    api, data = api_for(people.anna), (media / "tone.wav").read_bytes()
    body = {"speaker": speaker.pk, "language": "en"}
    file = SimpleUploadedFile("tone.wav", data)
    first = api.post("/api/v1/recordings/", {**body, "file": file}, format="multipart").json()
    file = SimpleUploadedFile("again.wav", data)
    again = api.post("/api/v1/recordings/", {**body, "file": file}, format="multipart")
    assert again.status_code == 409
    assert again.json()["error"]["about"] == {"recording": first["id"]}
    digest = hashlib.sha256(data).hexdigest()
    found = api.get("/api/v1/recordings/", {"sha256": digest}).json()
    assert [row["id"] for row in found["results"]] == [first["id"]]
    assert api_for(people.ben).get("/api/v1/recordings/", {"sha256": digest}).json()["count"] == 0


def test_another_person_may_upload_the_same_bytes(people: Any, api_for: Any, media: Path) -> None:
    for person in (people.anna, people.ben):
        speaker = SpeakerFactory(owner=person)
        body = {
            "file": SimpleUploadedFile("tone.wav", (media / "tone.wav").read_bytes()),
            "speaker": speaker.pk,
            "language": "en",
        }
        assert api_for(person).post("/api/v1/recordings/", body, format="multipart").status_code == 201


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [("silence.wav", "no_speech", "No speech"), ("cut_fast.mp4", "media_truncated", "missing")],
)
def test_what_shows_only_in_decoding_fails_with_its_cause_and_keeps_the_original(
    people: Any,
    speaker: Any,
    api_for: Any,
    page_for: Any,
    work: Any,
    stays: Any,
    media: Path,
    name: str,
    code: str,
    words: str,
) -> None:
    body = {
        "file": SimpleUploadedFile(name, (media / name).read_bytes()),
        "speaker": speaker.pk,
        "language": "en",
        "title": "Quiet",
    }
    api = api_for(people.anna)
    made = api.post("/api/v1/recordings/", body, format="multipart")
    assert made.status_code == 201, made.json()
    assert work() == ["failed"]
    recording = api.get(f"/api/v1/recordings/{made.json()['id']}/").json()
    assert recording["state"] == "failed"
    assert recording["error_code"] == recording["job"]["error_code"] == code
    assert words in recording["error"]
    assert "original" not in recording["error"]
    source = SourceVideo.objects.get(pk=recording["id"])
    assert [path.name for path in source.folder.iterdir()] == [source.original]
    assert words in page_for(people.anna).get(reverse("datasets:source-detail", args=[source.pk])).content.decode()
    stays(source)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://example.org/talk.mp3", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
        ("talk.mp3", "url_scheme"),
        ("http://127.0.0.1/talk.mp3", "url_private_address"),
        ("http://localhost:8000/talk.mp3", "url_private_address"),
        ("http://10.1.2.3/talk.mp3", "url_private_address"),
        ("http://[::1]/talk.mp3", "url_private_address"),
        ("http://0x7f000001/talk.mp3", "url_private_address"),
        ("http://no-such-host.invalid/talk.mp3", "url_unresolved"),
    ],
)
def test_an_address_that_may_not_be_fetched_is_refused_at_once(
    people: Any, speaker: Any, api_for: Any, page_for: Any, stays: Any, url: str, code: str
) -> None:
    fields = {"url": url, "speaker": speaker.pk, "language": "en"}
    answer = api_for(people.anna).post("/api/v1/recordings/", fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["param"] == "url"
    page = page_for(people.anna).post(
        reverse("datasets:source-add"), {**fields, "kind": "url", "visibility": "private"}
    )
    assert page.status_code == 400
    (error,) = page.context["by_url"].errors.as_data()["url"]
    assert error.code == code
    assert error.message == answer.json()["error"]["message"]
    stays()
    assert not Job.objects.exists()


def test_several_files_are_judged_each_by_itself(
    people: Any, speaker: Any, page_for: Any, stays: Any, media: Path
) -> None:
    body = {
        "kind": "upload",
        "file": [
            SimpleUploadedFile("good.wav", (media / "tone.wav").read_bytes()),
            SimpleUploadedFile("bad.wav", b"no sound at all"),
        ],
        "speaker": speaker.pk,
        "language": "en",
        "visibility": "private",
    }
    answer = page_for(people.anna).post(reverse("datasets:source-add"), body)
    assert answer.status_code == 400
    assert [error.code for error in answer.context["upload"].errors.as_data()["file"]] == ["not_media"]
    good = SourceVideo.objects.get(title="good")
    assert good.state == SourceState.WAITING
    stays(good)


def test_an_upload_needs_a_file_or_an_address_and_a_speaker_one_can_see(people: Any, api_for: Any) -> None:
    api = api_for(people.anna)
    mine, theirs = SpeakerFactory(owner=people.anna), SpeakerFactory(owner=people.ben)
    neither = api.post("/api/v1/recordings/", {"speaker": mine.pk, "language": "en"})
    assert neither.status_code == 400
    foreign = api.post(
        "/api/v1/recordings/", {"speaker": theirs.pk, "language": "en", "url": "https://example.org/a.mp3"}
    )
    assert foreign.status_code == 400
    assert foreign.json()["error"]["param"] == "speaker"
    assert not SourceVideo.objects.exists()
