"""Fetching from a real server on loopback: what arrives, what is refused, and what is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datasets.pipeline.fetch import check_url, fetch_url
from datasets.pipeline.fetch_process import FetchLimits
from datasets.pipeline.media import probe
from tests.datasets.pipeline.server import MisbehavingServer
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback

LIMITS = FetchLimits(max_bytes=2_000_000, max_seconds=60, timeout=60, attempts=1, backoff=0.1)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder of the fetch's own."""
    return tmp_path / "target"


def refusal(url: str, target: Path, limits: FetchLimits = LIMITS, **options) -> DomainError:
    with pytest.raises(DomainError) as caught:
        fetch_url(url, target, limits, **options)
    assert not target.exists() or list(target.iterdir()) == [], "a failed fetch leaves nothing behind"
    assert caught.value.field == "url"
    return caught.value


@pytest.mark.parametrize("path", ["/plain", "/unstated.wav"])
def test_a_direct_file_arrives_whole_with_its_facts(server: MisbehavingServer, target: Path, path: str) -> None:
    said: list[float] = []
    fetched = fetch_url(
        server.address(path), target, LIMITS, allow_private=True, progress=Callback(lambda share, _: said.append(share))
    )

    assert fetched.path.read_bytes() == server.media
    assert fetched.title == path.strip("/").partition(".")[0]
    assert fetched.url == server.address(path)
    assert said[-1] == 1.0
    assert list(target.iterdir()) == [fetched.path]


def test_a_recording_embedded_in_a_page_is_found(server: MisbehavingServer, target: Path) -> None:
    fetched = fetch_url(server.address("/embedding"), target, LIMITS, allow_private=True)

    assert probe(fetched.path).seconds == pytest.approx(2.0)


def test_a_page_without_a_recording_is_said_to_have_none(server: MisbehavingServer, target: Path) -> None:
    error = refusal(server.address("/page"), target, allow_private=True)

    assert error.code == "fetch_failed"
    assert error.permanent
    assert "No recording was found" in error.message


def test_a_missing_file_is_permanent_and_named(server: MisbehavingServer, target: Path) -> None:
    error = refusal(server.address("/missing.wav"), target, allow_private=True)

    assert (error.code, error.permanent) == ("fetch_failed", True)
    assert error.message == f"{server.address('/missing.wav')} does not exist (HTTP 404)."


def test_a_busy_server_is_asked_again(server: MisbehavingServer, target: Path) -> None:
    patient = FetchLimits(max_bytes=2_000_000, max_seconds=60, timeout=60, attempts=4, backoff=0.1)
    fetched = fetch_url(server.address("/busy.wav"), target, patient, allow_private=True)

    assert fetched.path.read_bytes() == server.media
    assert server.asked["/busy.wav"] > 2


def test_a_server_that_is_not_there_is_a_passing_fault(target: Path) -> None:
    error = refusal("http://127.0.0.1:9/speech.wav", target, allow_private=True)

    assert (error.code, error.permanent) == ("fetch_failed", False)
    assert "not reachable" in error.message


def test_an_unknown_host_is_said_to_be_unknown(target: Path) -> None:
    error = refusal("http://no-such-host.invalid/a.mp4", target)

    assert error.code == "url_unresolved"
    assert "no-such-host.invalid" in error.message


@pytest.mark.parametrize("path", ["/speech.wav", "/endless.wav"])
def test_a_file_over_the_limit_is_stopped_with_and_without_a_stated_size(
    server: MisbehavingServer, target: Path, path: str
) -> None:
    small = FetchLimits(max_bytes=50_000, max_seconds=60, timeout=60, attempts=1)
    error = refusal(server.address(path), target, small, allow_private=True)

    assert error.code == "too_large"
    assert "50 kB" in error.message


def test_an_endless_page_is_stopped_too(server: MisbehavingServer, target: Path) -> None:
    error = refusal(server.address("/endlesspage"), target, allow_private=True)

    assert (error.code, error.permanent) == ("fetch_failed", True)
    assert "too large for a page" in error.message


def test_a_page_that_unpacks_to_a_thousand_times_its_size_is_given_up_at_once(
    server: MisbehavingServer, target: Path
) -> None:
    roomy = FetchLimits(max_bytes=4 * 1024**3, max_seconds=60, timeout=120, attempts=1)
    began = time.monotonic()
    error = refusal(server.address("/bomb"), target, roomy, allow_private=True)

    assert error.code == "fetch_failed"
    assert "too large for a page" in error.message
    assert time.monotonic() - began < 20


def test_a_fetch_that_needs_too_much_memory_is_ended(server: MisbehavingServer, target: Path) -> None:
    meagre = FetchLimits(max_bytes=2_000_000, max_seconds=60, timeout=60, max_memory=20_000_000, attempts=1)
    error = refusal(server.address("/slow.wav"), target, meagre, allow_private=True)

    assert (error.code, error.permanent) == ("fetch_failed", True)
    assert "20 MB of memory" in error.message


def test_no_program_is_started_to_fetch(
    server: MisbehavingServer, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "rtmpdump"
    program.write_text(f"#!/bin/sh\necho started >> {tmp_path}/started\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    error = refusal(server.address("/program"), target, allow_private=True)

    assert not (tmp_path / "started").exists()
    assert error.code == "fetch_failed"
    assert "RTMP" in error.message


def test_memory_is_bounded_before_anything_is_fetched() -> None:
    asking = (
        "from datasets.pipeline.fetch_bounds import bound_memory; bound_memory(); import yt_dlp; bytearray(3 << 30)"
    )
    ran = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, timeout=60)

    assert ran.returncode == 1
    assert "MemoryError" in ran.stderr


def test_a_slow_server_runs_into_the_time_limit(server: MisbehavingServer, target: Path) -> None:
    hasty = FetchLimits(max_bytes=2_000_000, max_seconds=60, timeout=3, attempts=1)
    began = time.monotonic()
    error = refusal(server.address("/slow.wav"), target, hasty, allow_private=True)

    assert (error.code, error.permanent) == ("fetch_failed", False)
    assert "3 s" in error.message
    assert time.monotonic() - began < 6


def test_cancelling_ends_the_fetch_within_a_second_or_two(server: MisbehavingServer, target: Path) -> None:
    began = time.monotonic()
    stopping = Callback(should_stop=lambda: time.monotonic() - began > 1.5)
    with pytest.raises(Cancelled):
        fetch_url(server.address("/slow.wav"), target, LIMITS, allow_private=True, progress=stopping)

    assert time.monotonic() - began < 4
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0177.0.0.1", "[::ffff:127.0.0.1]"])
def test_this_machine_is_refused_however_its_address_is_written(
    server: MisbehavingServer, target: Path, host: str
) -> None:
    error = refusal(server.address("/speech.wav", host), target)

    assert error.code == "url_private_address"
    assert not server.asked, "nothing may even be asked of a private address"


def test_a_redirect_from_an_allowed_host_to_a_private_one_is_refused(server: MisbehavingServer, target: Path) -> None:
    server.redirect_to = f"http://127.0.0.2:{server.server_port}/speech.wav"
    error = refusal(server.address("/private"), target, private_hosts=["127.0.0.1"])

    assert error.code == "url_private_address"
    assert "127.0.0.2" in error.message
    assert server.asked["/private"] == 1
    assert not server.asked["/speech.wav"]


def test_a_host_named_as_allowed_may_be_private(server: MisbehavingServer, target: Path) -> None:
    fetched = fetch_url(server.address("/speech.wav"), target, LIMITS, private_hosts=["127.0.0.1"])

    assert fetched.path.read_bytes() == server.media


def test_a_proxy_in_the_environment_does_not_get_around_the_guard(
    server: MisbehavingServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, server.address(""))
    error = refusal("http://no-such-host.invalid/speech.wav", target)

    assert error.code == "url_unresolved"
    assert not server.asked


CONNECT_PAST_RESOLVING = """
import socket, sys
from datasets.pipeline.fetch_guard import AddressRefused, Guard
guard = Guard(allow_private=False, max_bytes=1000)
guard.install()
for connect in ("connect", "connect_ex"):
    for host in ("127.0.0.1", "localhost"):
        try:
            getattr(socket.socket(), connect)((host, int(sys.argv[1])))
        except AddressRefused:
            continue
        sys.exit(f"{connect} to {host} went through")
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])))
except AddressRefused:
    sys.exit(0)
sys.exit("create_connection went through")
"""


def test_the_address_is_checked_at_the_connection_whatever_was_resolved_before(server: MisbehavingServer) -> None:
    """A name that answers with a public address first and a private one at the connection ends here."""
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    ran = subprocess.run(
        [sys.executable, "-c", CONNECT_PAST_RESOLVING, str(server.server_port)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://example.org/a.mp4", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
        ("javascript:alert(1)", "url_scheme"),
        ("example.org/a.mp4", "url_scheme"),
        ("", "url_scheme"),
        ("http://", "url_scheme"),
        ("http://example.org:99999/a.mp4", "url_scheme"),
        ("http://[::1/a.mp4", "url_scheme"),
        ("https://user:secret@example.org/a.mp4", "url_scheme"),
        ("https://user@example.org/a.mp4", "url_scheme"),
        ("https://example.org/a b.mp4", "url_scheme"),
        ("http://10.1.2.3/a.mp4", "url_private_address"),
        ("http://192.168.0.1/a.mp4", "url_private_address"),
        ("http://169.254.169.254/latest/meta-data", "url_private_address"),
        ("http://[::1]/a.mp4", "url_private_address"),
        ("http://[fe80::1%25eth0]/a.mp4", "url_private_address"),
        ("http://[64:ff9b::7f00:1]/a.mp4", "url_private_address"),
        ("http://224.0.0.1/a.mp4", "url_private_address"),
        ("http://LOCALHOST./a.mp4", "url_private_address"),
        ("http://printer.local/a.mp4", "url_private_address"),
    ],
)
def test_an_address_that_can_be_seen_to_be_wrong_is_refused_without_asking_anybody(url: str, code: str) -> None:
    with pytest.raises(DomainError) as caught:
        check_url(url)

    assert (caught.value.code, caught.value.field, caught.value.permanent) == (code, "url", True)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "url", ["https://example.org/a.mp4", " HTTPS://example.org/ ", "http://8.8.8.8/a", "http://[2606:4700::1111]/a"]
)
def test_public_addresses_pass(url: str) -> None:
    assert check_url(url) == url.strip()
