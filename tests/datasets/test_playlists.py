"""Playlists: listed by a job, ticked by a person, fetched each by itself; a server on loopback is the internet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from datasets.choices import PlaylistState, SourceState
from datasets.models import Playlist, SourceVideo
from datasets.services.playlists import playlist_fetch, playlist_from_url
from tests.datasets.factories import SourceFactory, SpeakerFactory
from tests.datasets.pipeline.server import MisbehavingServer, serving
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_cancel
from xttsproject.jobs.tasks import run
from xttsproject.lib.errors import DomainError

API = "/api/v1/playlists/"


def url(name: str, *args: Any) -> str:
    return reverse(f"datasets:{name}", args=args)


@pytest.fixture
def site(media: Path) -> Iterator[MisbehavingServer]:
    with serving(media / "tone.wav") as running:
        yield running


@pytest.fixture
def speaker(people: Any) -> Any:
    return SpeakerFactory(owner=people.anna)


@pytest.fixture
def listed(people: Any, speaker: Any, site: Any, settings: Any) -> Playlist:
    """Anna's list of three, found by its job."""
    settings.INGEST_ALLOW_PRIVATE_HOSTS = True
    playlist, job = playlist_from_url(
        owner=people.anna, speaker=speaker, language="en", url=site.address("/several.rss")
    )
    assert run(str(job.pk)) == JobState.SUCCEEDED
    playlist.refresh_from_db()
    return playlist


def test_the_page_lists_a_playlist_and_fetches_what_is_ticked(
    people: Any, speaker: Any, site: Any, settings: Any, page_for: Any
) -> None:
    settings.INGEST_ALLOW_PRIVATE_HOSTS = True
    page = page_for(people.anna)
    body = {
        "kind": "url",
        "list": "1",
        "url": site.address("/several.rss"),
        "speaker": speaker.pk,
        "language": "en",
        "visibility": "team",
    }
    answer = page.post(url("source-add"), body)
    playlist = Playlist.objects.get()
    assert answer.headers["Location"] == url("playlist-detail", playlist.pk)
    job = Job.objects.about(playlist).get()
    assert reverse("jobs:strip", args=[job.pk]) in page.get(answer.headers["Location"]).content.decode()
    assert not SourceVideo.objects.exists()
    run(str(job.pk))
    html = page.get(url("playlist-detail", playlist.pk)).content.decode()
    for words in ("The feed", "Talk 1", "Talk 3", "1 min 05 s", "19 Aug 2026", 'name="entry" value="2"'):
        assert words in html
    assert "The feed" in page.get(url("playlist-list")).content.decode()
    sent = page.post(url("playlist-detail", playlist.pk), {"entry": ["0", "2"]}, follow=True)
    assert [str(message) for message in sent.context["messages"]] == ["2 recordings are being fetched."]
    first, third = SourceVideo.objects.order_by("title")
    assert (first.title, first.url, first.visibility, first.speaker) == (
        "Talk 1",
        site.address("/speech.wav"),
        "team",
        speaker,
    )
    assert third.title == "Talk 3"
    run(str(Job.objects.about(first).get().pk))
    first.refresh_from_db()
    assert first.title == "Talk 1"
    assert first.attribution["playlist"] == "The feed"
    assert first.attribution["date"] == "20260819"
    html = page.get(url("playlist-detail", playlist.pk)).content.decode()
    assert url("source-detail", first.pk) in html
    assert 'value="0"' not in html


def test_programs_list_choose_and_fetch(people: Any, speaker: Any, site: Any, settings: Any, api_for: Any) -> None:
    settings.INGEST_ALLOW_PRIVATE_HOSTS = True
    api = api_for(people.anna)
    made = api.post(API, {"url": site.address("/several.rss"), "speaker": speaker.pk, "language": "en"})
    assert made.status_code == 201, made.json()
    assert made.json()["job"]["kind"] == "datasets.list"
    address = f"{API}{made.json()['id']}/"
    early = api.post(f"{address}fetch/", {"entries": [0]})
    assert (early.status_code, early.json()["error"]["code"]) == (409, "playlist_not_ready")
    run(made.json()["job"]["id"])
    told = api.get(address).json()
    assert (told["state"], told["entry_count"], told["more"]) == ("ready", 3, False)
    assert told["entries"][0]["seconds"] == 65.0
    fetched = api.post(f"{address}fetch/", {"entries": [0]})
    assert fetched.status_code == 202
    (recording,) = fetched.json()["recordings"]
    again = api.post(f"{address}fetch/", {"entries": [0]}).json()
    assert again["recordings"] == []
    assert again["skipped"] == [
        {"index": 0, "title": "Talk 1", "reason": "It is already here.", "recording": recording}
    ]
    assert api.get(address).json()["entries"][0]["recording"] == recording
    for wrong, code in (([], "nothing_chosen"), ([7], "entry_unknown")):
        assert api.post(f"{address}fetch/", {"entries": wrong}).json()["error"]["code"] == code
    assert api.get(API).json()["count"] == 1
    assert api.delete(address).status_code == 204
    assert SourceVideo.objects.count() == 1


def test_a_list_may_not_lead_inside_and_what_is_refused_holds_back_nothing(listed: Playlist, settings: Any) -> None:
    listed.entries[0]["url"] = "https://192.0.2.7.invalid/talk.wav"
    listed.entries.append({**listed.entries[1], "url": "file:///etc/passwd", "title": "Secrets"})
    listed.entries.append({**listed.entries[1], "url": "http://8.8.8.8/talk.wav", "title": "Outside"})
    listed.save()
    settings.INGEST_ALLOW_PRIVATE_HOSTS = False
    outcome = playlist_fetch(playlist=listed, chosen=range(5))
    assert [source.title for source in outcome.made] == ["Outside"]
    reasons = {entry.title: reason for entry, reason in outcome.refused}
    assert set(reasons) == {"Talk 1", "Talk 2", "Talk 3", "Secrets"}
    assert "leads nowhere" in reasons["Talk 1"]
    assert "not a public address" in reasons["Talk 2"]
    assert "must begin with http" in reasons["Secrets"]


def test_what_is_too_long_or_here_already_is_not_fetched(listed: Playlist, settings: Any) -> None:
    settings.RECORDING_MAX_SECONDS = 125
    here = SourceFactory(owner=listed.owner, url=listed.entries[0]["url"])
    SourceFactory(owner=listed.owner, url=listed.entries[1]["url"], state=SourceState.FAILED, sha256="")
    outcome = playlist_fetch(playlist=listed, chosen=[0, 1, 2, 2])
    assert [entry.source for entry in outcome.there] == [here]
    assert [source.title for source in outcome.made] == ["Talk 2"], "a fetch that failed may be tried again"
    ((long, reason),) = outcome.refused
    assert (long.title, reason) == ("Talk 3", "It is longer than the limit of 2 min 5 s.")


def test_an_entry_whose_bytes_were_here_under_another_address_leads_to_them(listed: Playlist) -> None:
    here = SourceFactory(owner=listed.owner)
    SourceFactory(
        owner=listed.owner, url=listed.entries[0]["url"], state=SourceState.FAILED, sha256="", duplicate_of=here
    )
    assert [entry.source for entry in playlist_fetch(playlist=listed, chosen=[0]).there] == [here]


def test_a_list_that_cannot_be_had_says_why_and_can_be_tried_again(
    people: Any, speaker: Any, site: Any, settings: Any, page_for: Any
) -> None:
    settings.INGEST_ALLOW_PRIVATE_HOSTS = True
    playlist, job = playlist_from_url(owner=people.anna, speaker=speaker, language="en", url=site.address("/page"))
    run(str(job.pk))
    playlist.refresh_from_db()
    assert (playlist.state, playlist.error_code) == (PlaylistState.FAILED, "fetch_failed")
    assert "No recording was found" in page_for(people.anna).get(url("playlist-detail", playlist.pk)).content.decode()
    Playlist.objects.filter(pk=playlist.pk).update(url=site.address("/several.rss"))
    assert page_for(people.anna).post(reverse("jobs:retry", args=[job.pk])).status_code == 302
    run(str(job.pk))
    playlist.refresh_from_db()
    assert (playlist.state, playlist.error, len(playlist.entries)) == (PlaylistState.READY, "", 3)


def test_listing_is_cancelled_and_a_second_delivery_changes_nothing(
    people: Any, speaker: Any, site: Any, settings: Any, listed: Playlist
) -> None:
    other, job = playlist_from_url(owner=people.anna, speaker=speaker, language="en", url=site.address("/several.rss"))
    job_cancel(job=job)
    other.refresh_from_db()
    assert other.state == PlaylistState.CANCELLED
    first = Job.objects.about(listed).get()
    Job.objects.filter(pk=first.pk).update(state=JobState.QUEUED)
    asked = site.asked["/several.rss"]
    assert run(str(first.pk)) == JobState.SUCCEEDED
    assert site.asked["/several.rss"] == asked


def test_a_recording_that_turned_out_to_be_several_becomes_a_list(
    people: Any, speaker: Any, site: Any, settings: Any, page_for: Any, work: Any
) -> None:
    settings.INGEST_ALLOW_PRIVATE_HOSTS = True
    page = page_for(people.anna)
    body = {"kind": "url", "url": site.address("/several.rss"), "speaker": speaker.pk, "language": "en"}
    page.post(url("source-add"), {**body, "visibility": "private"})
    assert work() == ["failed"]
    source = SourceVideo.objects.get()
    assert source.error_code == "url_is_playlist"
    assert url("source-to-playlist", source.pk) in page.get(url("source-detail", source.pk)).content.decode()
    assert page_for(people.ben).post(url("source-to-playlist", source.pk)).status_code == 404
    answer = page.post(url("source-to-playlist", source.pk))
    playlist = Playlist.objects.get()
    assert answer.headers["Location"] == url("playlist-detail", playlist.pk)
    assert (playlist.url, playlist.speaker) == (site.address("/several.rss"), speaker)
    assert not SourceVideo.objects.exists()
    ordinary = SourceFactory(owner=people.anna)
    page.post(url("source-to-playlist", ordinary.pk))
    assert SourceVideo.objects.filter(pk=ordinary.pk).exists()


def test_a_list_is_its_owners(people: Any, listed: Playlist, page_for: Any, api_for: Any) -> None:
    address = f"{API}{listed.pk}/"
    page, api = page_for(people.ben), api_for(people.ben)
    assert page.get(url("playlist-detail", listed.pk)).status_code == 404
    assert page.post(url("playlist-delete", listed.pk)).status_code == 404
    assert api.get(address).status_code == 404
    assert api.post(f"{address}fetch/", {"entries": [0]}).status_code == 404
    assert api.get(API).json()["count"] == 0
    # Shared, it can be looked at; what it leads to is fetched by its owner alone.
    Playlist.objects.update(visibility="team")
    html = page.get(url("playlist-detail", listed.pk)).content.decode()
    assert "Talk 1" in html
    assert 'name="entry"' not in html
    assert page.post(url("playlist-detail", listed.pk), {"entry": ["0"]}).status_code == 403
    assert api.post(f"{address}fetch/", {"entries": [0]}).status_code == 403
    assert api.delete(address).status_code == 403
    assert page.post(url("playlist-delete", listed.pk)).status_code == 403
    assert not SourceVideo.objects.exists()
    assert page_for(people.anna).post(url("playlist-delete", listed.pk)).status_code == 302
    assert not Playlist.objects.exists()


def test_another_persons_speaker_is_unknown(people: Any, api_for: Any) -> None:
    theirs = SpeakerFactory(owner=people.ben)
    body = {"url": "https://example.org/list", "speaker": theirs.pk, "language": "en"}
    answer = api_for(people.anna).post(API, body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "speaker")


@pytest.mark.parametrize("address", ["ftp://example.org/list", "http://127.0.0.1/list", "http://10.0.0.1/list"])
def test_an_address_that_may_not_be_asked_is_refused_at_once(people: Any, speaker: Any, address: str) -> None:
    with pytest.raises(DomainError) as caught:
        playlist_from_url(owner=people.anna, speaker=speaker, language="en", url=address)
    assert caught.value.field == "url"
    assert not Job.objects.exists()


def test_administrators_look_at_lists_in_the_admin(people: Any, page_for: Any, listed: Playlist) -> None:
    page = page_for(people.root)
    assert "The feed" in page.get("/admin/datasets/playlist/").content.decode()
    assert "Talk 2" in page.get(f"/admin/datasets/playlist/{listed.pk}/change/").content.decode()
