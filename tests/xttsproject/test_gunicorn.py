"""The web server as it is started: what it does about clients that stand still."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

APPLICATION = """
closed = []

class Endless:
    def __iter__(self):
        while True:
            yield bytes(1_000_000)

    def close(self):
        closed.append(1)

def app(environ, start_response):
    if environ["REQUEST_METHOD"] == "POST":
        environ["wsgi.input"].read()
    endless = environ["PATH_INFO"] == "/endless"
    start_response("200 OK", [("Content-Type", "text/plain"), *([] if endless else [("Content-Length", "1")])])
    return Endless() if endless else [str(len(closed)).encode()]
"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Of two threads, which let nobody stand still for more than a second."""
    (tmp_path / "standing.py").write_text(APPLICATION)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place: tuple[str, int] = probe.getsockname()
    environment = {**os.environ, "BIND": f"{place[0]}:{place[1]}", "WEB_THREADS": "2", "WEB_STALL_SECONDS": "1"}
    command = [sys.executable, "-m", "gunicorn", "--config", "python:xttsproject.gunicorn"]
    with subprocess.Popen([*command, "--pythonpath", str(tmp_path), "standing:app"], env=environment) as server:
        try:
            ends = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(place, timeout=1).close()
                    break
                except OSError:
                    assert time.monotonic() < ends, "the server did not start"
                    time.sleep(0.1)
            yield place
        finally:
            server.terminate()


def ask(address: tuple[str, int], request: str) -> socket.socket:
    connection = socket.create_connection(address, timeout=20)
    connection.sendall(f"{request}\r\nHost: portal\r\nConnection: close\r\n\r\n".encode())
    return connection


def received(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    return b"".join(iter(lambda: connection.recv(1000), b""))


def test_clients_that_take_nothing_or_send_nothing_give_their_threads_back(address: tuple[str, int]) -> None:
    standing = [ask(address, "GET /endless HTTP/1.1") for _ in range(2)]
    time.sleep(0.3)
    # Both threads were taken; the answers that nobody took are closed, one after the other, so that their work stops.
    told, limit = b"", time.monotonic() + 20.0
    while told != b"2" and time.monotonic() < limit:
        with ask(address, "GET / HTTP/1.1") as other:
            told = received(other)[-1:]
    assert told == b"2"
    for connection in standing:
        connection.close()
    standing = [ask(address, "POST / HTTP/1.1\r\nContent-Length: 9") for _ in range(2)]
    time.sleep(0.3)
    with ask(address, "GET / HTTP/1.1") as other:
        assert b"200 OK" in received(other)
    for connection in standing:
        connection.close()


def test_a_forms_values_fit_into_an_address(address: tuple[str, int]) -> None:
    """Five hundred Chinese characters and what else stands in the form of a new run."""
    with ask(address, f"GET /?prompt={quote('好' * 500)}&rest={'x' * 1000} HTTP/1.1") as other:
        assert b"200 OK" in received(other)


def test_a_client_that_is_slow_but_moves_is_served_to_the_end(address: tuple[str, int]) -> None:
    with ask(address, "POST / HTTP/1.1\r\nContent-Length: 6") as slow:
        for _ in range(6):
            time.sleep(0.4)
            slow.sendall(b"x")
        assert b"200 OK" in received(slow)
