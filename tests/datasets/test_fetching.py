"""Recordings from addresses: a server on loopback stands for the internet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from datasets.choices import SourceState
from datasets.models import SourceVideo
from datasets.pipeline.captions import Cue, write_vtt
from datasets.services.captions import captions_add, captions_of
from tests.datasets.factories import SourceFactory, SpeakerFactory
from tests.datasets.pipeline.server import MisbehavingServer, serving
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.tasks import run
from xttsproject.lib.files import sha256_of


@pytest.fixture
def site(media: Path) -> Iterator[MisbehavingServer]:
    with serving(media / "tone.wav") as running:
        yield running


@pytest.fixture
def fetch(people: Any, api_for: Any, settings: Any) -> Any:
    """Anna gives an address; the fetching job is done. Answers (recording, job)."""
    settings.INGEST_ALLOW_PRIVATE_HOSTS = True
    speaker = SpeakerFactory(owner=people.anna)

    def start(url: str) -> tuple[SourceVideo, Job]:
        body = {"url": url, "speaker": speaker.pk, "language": "en"}
        answer = api_for(people.anna).post("/api/v1/recordings/", body)
        assert answer.status_code == 201, answer.json()
        assert answer.json()["job"]["kind"] == "datasets.fetch"
        run(answer.json()["job"]["id"])
        return SourceVideo.objects.get(pk=answer.json()["id"]), Job.objects.get(pk=answer.json()["job"]["id"])

    return start


def test_a_fetched_file_is_kept_with_its_facts_and_prepared_next(fetch: Any, site: Any, media: Path) -> None:
    source, job = fetch(site.address("/speech.wav"))
    assert job.state == JobState.SUCCEEDED
    assert source.original_path.read_bytes() == (media / "tone.wav").read_bytes()
    assert source.sha256 == sha256_of(media / "tone.wav")
    assert source.title == "speech"
    assert source.original_name == "speech.wav"
    assert (source.sample_rate, source.has_video) == (16_000, False)
    assert source.attribution["url"] == site.address("/speech.wav")
    assert Job.objects.about(source).get(kind="datasets.prepare").state == JobState.QUEUED
    # Delivered a second time, it does not fetch again.
    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED)
    run(str(job.pk))
    assert site.asked["/speech.wav"] <= 3
    assert Job.objects.about(source).filter(kind="datasets.prepare").count() == 1


def test_a_page_without_a_recording_fails_with_its_cause_and_no_file(fetch: Any, site: Any) -> None:
    source, job = fetch(site.address("/page"))
    assert job.state == JobState.FAILED
    assert (source.state, source.error_code, source.error) == (SourceState.FAILED, job.error_code, job.error)
    assert source.error_code == "fetch_failed"
    assert not source.folder.exists()


def test_fetching_what_is_already_there_fails_by_its_name_and_keeps_nothing(
    fetch: Any, site: Any, media: Path, people: Any, api_for: Any, page_for: Any
) -> None:
    SourceFactory(owner=people.anna, title="The first", sha256=sha256_of(media / "tone.wav"))
    source, _job = fetch(site.address("/speech.wav"))
    assert (source.state, source.error_code) == (SourceState.FAILED, "duplicate")
    assert "“The first”" in source.error
    assert source.sha256 == ""
    assert not source.folder.exists()
    # What is there is offered.
    first = SourceVideo.objects.get(title="The first")
    assert source.duplicate_of == first
    assert api_for(people.anna).get(f"/api/v1/recordings/{source.pk}/").json()["duplicate_of"] == str(first.pk)
    html = page_for(people.anna).get(reverse("datasets:source-detail", args=[source.pk])).content.decode()
    assert f'href="{reverse("datasets:source-detail", args=[first.pk])}"' in html


def test_captions_and_where_a_recording_comes_from_are_kept(
    fetch: Any, site: Any, people: Any, api_for: Any, page_for: Any
) -> None:
    source, _job = fetch(site.address("/captioned"))
    assert source.attribution["url"] == site.address("/captioned")
    assert [(track.language, track.automatic) for track in captions_of(source)] == [("en", False), ("pt-BR", False)]
    assert captions_of(source)[0].cues()[1].text == "To the talk."
    told = api_for(people.anna).get(f"/api/v1/recordings/{source.pk}/captions/").json()
    assert told[1]["cues"] == [{"start": 0.5, "end": 1.5, "text": "Olá, como está?"}]
    german = next(row for row in source.captions if row["language"] == "de")
    assert "does not exist" in german["problem"]
    page = page_for(people.anna)
    html = page.get(reverse("datasets:source-detail", args=[source.pk])).content.decode()
    assert german["problem"] in html
    link = reverse("datasets:source-captions", args=[source.pk, "captions.pt-BR.vtt"])
    assert link in html
    served = page.get(link)
    assert served.headers["Content-Type"].startswith("text/vtt")
    assert "Olá, como está?" in b"".join(served.streaming_content).decode()
    for wrong in ("captions.de.vtt", "master.wav", "..%2Fother"):
        assert page.get(link.replace("captions.pt-BR.vtt", wrong)).status_code == 404
    assert page_for(people.ben).get(link).status_code == 404
    assert api_for(people.ben).get(f"/api/v1/recordings/{source.pk}/captions/").status_code == 404


def test_captions_of_the_recordings_language_come_first_and_peoples_before_a_machines(
    people: Any, tmp_path: Path
) -> None:
    source = SourceFactory(owner=people.anna, language="pt")
    path = tmp_path / "a.vtt"
    write_vtt(path, [Cue(0.0, 1.0, "Olá.")])
    for language, automatic in (("en", False), ("pt", True), ("pt-BR", False), ("pt-BR", False)):
        captions_add(source=source, path=path, language=language, automatic=automatic)
    source.refresh_from_db()
    kept = [(track.language, track.automatic) for track in captions_of(source)]
    assert kept == [("pt-BR", False), ("pt", True), ("en", False)]
    captions_of(source)[0].path.unlink()
    assert [track.language for track in captions_of(source)] == ["pt", "en"]


def test_a_failed_fetch_can_be_tried_again(fetch: Any, site: Any, api_for: Any, people: Any) -> None:
    source, job = fetch(site.address("/missing.wav"))
    assert source.state == SourceState.FAILED
    SourceVideo.objects.filter(pk=source.pk).update(url=site.address("/speech.wav"))
    assert api_for(people.anna).post(f"/api/v1/jobs/{job.pk}/retry/").status_code == 200
    run(str(job.pk))
    source.refresh_from_db()
    assert (source.error, bool(source.sha256)) == ("", True)
