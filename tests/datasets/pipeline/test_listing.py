"""What a playlist holds, listed from a real server on loopback without fetching any of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from datasets.pipeline.fetch_process import FetchLimits
from datasets.pipeline.listing import ListedRecording, list_url
from tests.datasets.pipeline.server import MisbehavingServer
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback

LIMITS = FetchLimits(max_bytes=2_000_000, max_seconds=60, timeout=60, attempts=1, backoff=0.1)


def test_a_feeds_recordings_are_listed_with_title_length_and_date(server: MisbehavingServer) -> None:
    said: list[str] = []
    listing = list_url(
        server.address("/several.rss"),
        LIMITS,
        max_entries=10,
        allow_private=True,
        progress=Callback(lambda _, message: said.append(message)),
    )

    assert (listing.title, listing.more) == ("The feed", False)
    assert listing.entries[0] == ListedRecording(
        url=server.address("/speech.wav"), title="Talk 1", channel="", seconds=65.0, date="20260819", problem=""
    )
    assert [entry.title for entry in listing.entries] == ["Talk 1", "Talk 2", "Talk 3"]
    assert "3 found" in said
    assert not server.asked["/speech.wav"], "nothing is fetched"


def test_no_more_are_listed_than_asked_for_and_that_is_said(server: MisbehavingServer) -> None:
    listing = list_url(server.address("/several.rss"), LIMITS, max_entries=2, allow_private=True)

    assert [entry.title for entry in listing.entries] == ["Talk 1", "Talk 2"]
    assert listing.more


def test_one_recording_is_a_list_of_one(server: MisbehavingServer) -> None:
    listing = list_url(server.address("/speech.wav"), LIMITS, max_entries=10, allow_private=True)

    assert [(entry.url, entry.title) for entry in listing.entries] == [(server.address("/speech.wav"), "speech")]


def test_several_recordings_on_one_page_are_listed_by_their_files(server: MisbehavingServer) -> None:
    listing = list_url(server.address("/gallery"), LIMITS, max_entries=10, allow_private=True)

    assert [entry.url for entry in listing.entries] == [server.address("/speech.wav"), server.address("/other.wav")]


@pytest.mark.parametrize("path", ["/page", "/missing.rss"])
def test_an_address_without_recordings_says_so(server: MisbehavingServer, path: str) -> None:
    with pytest.raises(DomainError) as caught:
        list_url(server.address(path), LIMITS, max_entries=10, allow_private=True)

    assert caught.value.code == "fetch_failed"
    assert server.address(path) in caught.value.message


def test_a_list_is_not_asked_of_a_private_address_however_it_is_reached(server: MisbehavingServer) -> None:
    with pytest.raises(DomainError) as caught:
        list_url(server.address("/several.rss"), LIMITS, max_entries=10)
    assert caught.value.code == "url_private_address"
    server.redirect_to = f"http://127.0.0.2:{server.server_port}/several.rss"
    with pytest.raises(DomainError) as caught:
        list_url(server.address("/private"), LIMITS, max_entries=10, private_hosts=["127.0.0.1"])
    assert caught.value.code == "url_private_address"
    assert not server.asked["/several.rss"]


def test_listing_can_be_cancelled(server: MisbehavingServer) -> None:
    began = time.monotonic()
    stopping = Callback(should_stop=lambda: time.monotonic() - began > 1.5)
    with pytest.raises(Cancelled):
        list_url(server.address("/slowpage"), LIMITS, max_entries=10, allow_private=True, progress=stopping)

    assert time.monotonic() - began < 5


def test_a_channel_of_lists_is_followed_and_notes_behind_addresses_are_cut() -> None:
    """By yt-dlp's own structures, as a large site's channel gives them: lists in a list."""
    from yt_dlp import YoutubeDL
    from yt_dlp.utils import smuggle_url

    from datasets.pipeline.fetch_list import _recordings

    inner = {
        "_type": "playlist",
        "entries": [
            {"_type": "url", "url": smuggle_url("https://a.example/1", {"note": 1}), "title": "One", "duration": 5},
            {"_type": "url", "url": "https://a.example/2", "live_status": "is_upcoming", "uploader": "Anna"},
            None,
            {"_type": "url", "url": "https://a.example/3", "availability": "subscriber_only", "timestamp": 1e9},
        ],
    }
    channel = {"_type": "playlist", "entries": iter([inner])}
    with YoutubeDL({"quiet": True, "cachedir": False}) as downloader:
        found = list(_recordings(downloader, channel, "https://a.example/channel", depth=0))

    assert [(row["url"], row["title"], row["seconds"]) for row in found] == [
        ("https://a.example/1", "One", 5.0),
        ("https://a.example/2", "https://a.example/2", None),
        ("https://a.example/3", "https://a.example/3", None),
    ]
    assert [row["problem"] for row in found] == ["", "It is a live broadcast.", "It is for the channel's members only."]
    assert (found[1]["channel"], found[2]["date"]) == ("Anna", "20010909")


def test_nothing_stays_of_a_listing(server: MisbehavingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    list_url(server.address("/several.rss"), LIMITS, max_entries=10, allow_private=True)

    assert list(tmp_path.iterdir()) == []
