"""What comes with a fetched recording and what ends a fetch half-way, from a real server on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datasets.pipeline.captions import read_captions
from datasets.pipeline.fetch import FetchedCaptions, fetch_url
from datasets.pipeline.fetch_length import seconds_so_far
from datasets.pipeline.fetch_process import FetchLimits
from datasets.pipeline.fetch_reasons import answer_in_words
from tests.datasets.pipeline.server import MisbehavingServer
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Callback

LIMITS = FetchLimits(max_bytes=20_000_000, max_seconds=60, timeout=60, attempts=1, backoff=0.1)


def test_captions_come_with_the_recording_and_a_broken_track_holds_back_nothing(
    server: MisbehavingServer, tmp_path: Path
) -> None:
    fetched = fetch_url(server.address("/captioned"), tmp_path, LIMITS, allow_private=True, language="en")

    assert fetched.path.read_bytes() == server.media
    by_language = {track.language: track for track in fetched.captions}
    assert [track.language for track in fetched.captions][0] == "en"
    assert by_language["en"] == FetchedCaptions("en", False, "captions.en.vtt", 2)
    assert by_language["pt-BR"] == FetchedCaptions("pt-BR", False, "captions.pt-BR.vtt", 1)
    assert by_language["de"].file == ""
    assert "does not exist (HTTP 404)" in by_language["de"].problem
    assert [cue.text for cue in read_captions(tmp_path / "captions.pt-BR.vtt")] == ["Olá, como está?"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "captions.en.vtt",
        "captions.pt-BR.vtt",
        fetched.path.name,
    ]


def test_captions_are_not_fetched_from_a_private_address(server: MisbehavingServer, tmp_path: Path) -> None:
    server.redirect_to = f"http://127.0.0.2:{server.server_port}/captions.vtt"
    fetched = fetch_url(server.address("/captioned"), tmp_path, LIMITS, private_hosts=["127.0.0.1"], language="en")

    (french,) = [track for track in fetched.captions if track.language == "fr"]
    assert french.file == ""
    assert "127.0.0.2" in french.problem
    assert "not a public address" in french.problem
    assert server.asked["/captions.vtt"] == 1, "the English ones alone"


def test_the_pieces_of_a_stream_are_fetched_and_none_from_a_private_address(
    server: MisbehavingServer, tmp_path: Path
) -> None:
    fetched = fetch_url(server.address("/stream.m3u8"), tmp_path / "a", LIMITS, private_hosts=["127.0.0.1"])
    assert fetched.path.read_bytes() == server.media * 2
    asked = server.asked["/speech.wav"]
    server.redirect_to = f"http://127.0.0.2:{server.server_port}/speech.wav"
    with pytest.raises(DomainError) as caught:
        fetch_url(server.address("/stream.m3u8"), tmp_path / "b", LIMITS, private_hosts=["127.0.0.1"])

    assert caught.value.code == "url_private_address"
    assert "127.0.0.2" in caught.value.message
    assert server.asked["/speech.wav"] == asked + 1, "the first piece alone"


REBINDING = """
import http.client, socket, sys
answers = iter(["93.184.215.14", "127.0.0.1", "127.0.0.1"])
def resolve(host, port, family=0, *args, **kwargs):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]
socket.getaddrinfo = resolve
from datasets.pipeline.fetch_guard import AddressRefused, Guard
guard = Guard(allow_private=False, max_bytes=1000)
guard.install()
assert socket.getaddrinfo("rebinding.example", 80)
try:
    http.client.HTTPConnection("rebinding.example", int(sys.argv[1]), timeout=5).request("GET", "/speech.wav")
except AddressRefused:
    assert guard.refused == "rebinding.example (127.0.0.1)", guard.refused
else:
    sys.exit("the second answer was connected to")
for address in ("::ffff:127.0.0.1", "::ffff:7f00:1", "::1", "64:ff9b::7f00:1", "2002:7f00:1::"):
    try:
        socket.socket(socket.AF_INET6).connect((address, int(sys.argv[1]), 0, 0))
    except AddressRefused:
        continue
    sys.exit(f"{address} was connected to")
"""


def test_a_name_that_answers_anew_with_a_private_address_is_refused_and_so_is_ipv4_inside_ipv6(
    server: MisbehavingServer,
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", REBINDING, str(server.server_port)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    assert ran.returncode == 0, ran.stderr
    assert not server.asked


def test_a_recording_that_turns_out_too_long_is_ended_while_it_arrives(
    server: MisbehavingServer, tmp_path: Path
) -> None:
    roomy = FetchLimits(max_bytes=4 * 1024**3, max_seconds=60, timeout=60, attempts=1)
    began = time.monotonic()
    with pytest.raises(DomainError) as caught:
        fetch_url(server.address("/onandon.wav"), tmp_path, roomy, allow_private=True)

    assert caught.value.code == "media_too_long"
    assert "the limit is 1 min" in caught.value.message
    assert time.monotonic() - began < 20
    assert server.sent < 50_000_000
    assert list(tmp_path.iterdir()) == []


def test_the_length_of_half_a_file_is_what_its_header_or_its_packets_say(tmp_path: Path) -> None:
    from tests.datasets.pipeline.makers import tone, write_media

    made = {
        "wav": write_media(tmp_path / "a.wav", tone(20, 16_000), 16_000, codec="pcm_s16le", container="wav"),
        "mp3": write_media(tmp_path / "a.mp3", tone(20, 24_000), 24_000, codec="mp3", container="mp3"),
        "mp4": write_media(tmp_path / "a.mp4", tone(20, 24_000), 24_000, codec="aac", container="mp4"),
    }
    half = {name: tmp_path / f"half.{name}" for name in made}
    for name, path in made.items():
        half[name].write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    assert seconds_so_far(half["wav"]) == pytest.approx(20, abs=0.1)
    assert seconds_so_far(half["mp3"]) == pytest.approx(10, abs=0.5)
    # Its index stands at its end.
    assert seconds_so_far(half["mp4"]) == 0.0
    assert seconds_so_far(made["mp4"]) == pytest.approx(20, abs=0.1)


def test_each_pause_before_another_try_is_twice_as_long_and_said(server: MisbehavingServer, tmp_path: Path) -> None:
    patient = FetchLimits(max_bytes=2_000_000, max_seconds=60, timeout=60, attempts=3, backoff=0.3)
    said: list[str] = []
    began = time.monotonic()
    with pytest.raises(DomainError) as caught:
        fetch_url(
            "http://127.0.0.1:9/a.wav",
            tmp_path,
            patient,
            allow_private=True,
            progress=Callback(lambda _, message: said.append(message)),
        )

    assert not caught.value.permanent
    assert [message.partition(":")[0] for message in said] == ["trying again in 0.3 s", "trying again in 0.6 s"]
    assert time.monotonic() - began > 0.9


def test_an_address_of_several_recordings_says_so(server: MisbehavingServer, tmp_path: Path) -> None:
    with pytest.raises(DomainError) as caught:
        fetch_url(server.address("/several.rss"), tmp_path, LIMITS, allow_private=True)

    assert caught.value.code == "url_is_playlist"
    assert not server.asked["/speech.wav"]


@pytest.mark.parametrize(
    ("said", "words", "permanent"),
    [
        ("[youtube] x: Sign in to confirm you’re not a bot. Use --cookies", "takes this server for a robot", False),
        ("Sign in to confirm your age. This video may be inappropriate", "are of age", True),
        ("Private video. Sign in if you've been granted access to this video", "is private", True),
        ("The uploader has not made this video available in your country", "this server's country", True),
        ("This video is available to this channel's members only. Join this channel", "who pay its channel", True),
        ("This video is DRM protected", "protected against copying", True),
        ("This account has been terminated", "taken down", True),
        ("This video is only available for registered users. Use --cookies", "who sign in", True),
    ],
)  # fmt: skip
def test_what_sites_answer_is_said_in_words_with_what_to_do(said: str, words: str, permanent: bool) -> None:
    error = answer_in_words(said, "https://example.org/talk", [])

    assert error is not None
    assert (error.code, error.permanent) == ("fetch_blocked", permanent)
    assert words in error.message
    assert "https://example.org/talk" in error.message
    assert "--cookies" not in error.message


def test_a_missing_javascript_runtime_is_named_as_the_cause() -> None:
    # Said by yt-dlp as a warning alone, before it finds no format that it could fetch.
    from yt_dlp.extractor.youtube import _video

    warning = "No supported JavaScript runtime could be found"
    assert warning in Path(_video.__file__).read_text(encoding="utf-8"), "yt-dlp words its warning differently now"
    error = answer_in_words("Requested format is not available", "https://example.org/talk", [f"[youtube] {warning}."])

    assert error is not None
    assert error.code == "fetch_no_javascript"
    assert "JavaScript runtime" in error.message
    assert "Node.js or Deno" in error.message
    assert answer_in_words("Requested format is not available", "https://example.org/talk", []) is None
