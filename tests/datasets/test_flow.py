"""A recording's whole way, as the API's clients go it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from datasets.choices import SourceState
from datasets.models import SourceVideo


def test_an_uploaded_video_becomes_a_frozen_dataset(
    people: Any,
    api_for: Any,
    work: Any,
    talk: Path,
    random_whisper_bundle: Path,
    settings: Any,
) -> None:
    settings.MODELS_DIR = random_whisper_bundle.parent
    api = api_for(people.anna)
    speaker = api.post(
        "/api/v1/speakers/",
        {"name": "Anna", "consent_kind": "self", "consent_statement": "My own voice."},
    )
    assert speaker.status_code == 201, speaker.json()
    upload = SimpleUploadedFile("talk.mp4", talk.read_bytes())
    made = api.post(
        "/api/v1/recordings/",
        {"file": upload, "speaker": speaker.json()["id"], "language": "en"},
        format="multipart",
    )
    assert made.status_code == 201, made.json()
    recording = made.json()
    assert recording["state"] == "waiting"
    assert recording["job"]["kind"] == "datasets.prepare"
    assert recording["has_video"] is True
    assert work() == ["succeeded", "succeeded"]

    source = SourceVideo.objects.get(pk=recording["id"])
    assert source.state == SourceState.READY
    segments = api.get("/api/v1/segments/", {"source": recording["id"]}).json()["results"]
    assert len(segments) >= 2
    assert all(2 <= segment["seconds"] <= 11.5 for segment in segments)
    assert all(segment["transcribed_at"] for segment in segments)
    for row in source.segments.all():
        written = row.history.exclude(history_change_reason="Cut anew by its words")
        assert row.history.count() == 1 or (row.history.count() > written.count() and written.count() <= 2)

    heard = api.get(segments[0]["audio"])
    assert heard.status_code == 200
    assert heard["Content-Type"] == "audio/wav"

    for segment in segments[:-1]:
        answer = api.patch(
            f"/api/v1/segments/{segment['id']}/",
            {"text": f"This is what was said in part {segment['index']}.", "status": "approved"},
        )
        assert answer.status_code == 200, answer.json()
    dataset = api.post(
        "/api/v1/datasets/",
        {"name": "Anna's talk", "speaker": speaker.json()["id"], "language": "en", "sources": [recording["id"]]},
    )
    assert dataset.status_code == 201, dataset.json()
    frozen = api.post(f"/api/v1/datasets/{dataset.json()['id']}/freeze/")
    assert frozen.status_code == 202, frozen.json()
    assert work() == ["succeeded"]
    version = api.get(f"/api/v1/dataset-versions/{frozen.json()['id']}/").json()
    assert version["state"] == "ready"
    assert version["clips"] == len(segments) - 1 == len(version["manifest"])
    assert [row["code"] for row in version["left_out"]] == ["pending"]
    assert len(version["content_hash"]) == 64
