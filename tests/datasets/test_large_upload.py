"""A large upload over a real connection: memory stays flat, the bytes are hashed as they come, the file is moved."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from django.core.files.uploadhandler import TemporaryFileUploadHandler

from datasets.models import SourceVideo
from datasets.services import uploads
from tests.datasets.factories import SpeakerFactory
from xttsproject.accounts.services import token_create

MEGABYTE = 1024 * 1024
SIZE = 256 * MEGABYTE
BOUNDARY = "a-line-between-parts"


def wav_pieces(size: int) -> Iterator[bytes]:
    """A WAV of noise, ``size`` bytes of stereo sound at 96 kHz, a megabyte at a time."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 96_000, 384_000, 4, 16)
    yield b"RIFF" + struct.pack("<I", 36 + size) + b"WAVE" + form + b"data" + struct.pack("<I", size)
    block = os.urandom(MEGABYTE)
    for _ in range(size // MEGABYTE):
        yield block


class PeakMemory:
    """How far this process's resident memory rises while the block runs, looked at every 5 ms."""

    def __enter__(self) -> PeakMemory:
        self._process, self._done = psutil.Process(), threading.Event()
        self._before = self.peak = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            self.peak = max(self.peak, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.growth = self.peak - self._before


def send(address: str, token: str, fields: dict[str, str], size: int, hashed: Any) -> tuple[int, bytes]:
    """Post the fields and the file as a browser does, without holding either end's bytes."""
    head = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="long.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    )
    tail = f"\r\n--{BOUNDARY}--\r\n"

    def body() -> Iterator[bytes]:
        yield head.encode()
        for piece in wav_pieces(size):
            hashed.update(piece)
            yield piece
        yield tail.encode()

    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=120)
    length = len(head.encode()) + 44 + size + len(tail)
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(length),
    }
    connection.request("POST", "/api/v1/recordings/", body=body(), headers=headers)
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    return answer.status, said


@pytest.mark.django_db(transaction=True)
def test_memory_stays_flat_and_nothing_is_read_or_copied_a_second_time(
    live_server: Any, people: Any, settings: Any, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.UPLOAD_MAX_BYTES = 2 * SIZE
    speaker = SpeakerFactory(owner=people.anna)
    _row, token = token_create(user=people.anna, name="large")
    fields = {"speaker": str(speaker.pk), "language": "en", "title": "Long"}
    # The first request of a process loads what later ones share.
    status, said = send(live_server.url, token, fields, MEGABYTE, hashlib.sha256())
    assert status == 201, said

    arrived: list[int] = []
    complete: Any = TemporaryFileUploadHandler.file_complete

    def noted(self: Any, size: int) -> Any:
        file = complete(self, size)
        arrived.append(Path(file.temporary_file_path()).stat().st_ino)
        return file

    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("the file was read or copied once more")

    monkeypatch.setattr(TemporaryFileUploadHandler, "file_complete", noted)
    monkeypatch.setattr(uploads, "sha256_of", forbidden)
    monkeypatch.setattr(shutil, "copyfile", forbidden)
    monkeypatch.setattr(shutil, "copy2", forbidden)
    hashed = hashlib.sha256()
    with PeakMemory() as memory:
        status, said = send(live_server.url, token, fields, SIZE, hashed)
    assert status == 201, said

    source = SourceVideo.objects.get(bytes=SIZE + 44)
    assert source.sha256 == hashed.hexdigest()
    assert source.seconds == pytest.approx(SIZE / 384_000, abs=0.1)
    assert source.original_path.stat().st_ino == arrived[0], "the file that was written is the file that is kept"
    assert list((data_root / "uploads").iterdir()) == []
    # Both ends of the connection are in this process; an eighth of the file would already be too much.
    assert memory.growth < SIZE / 8, f"{memory.growth / MEGABYTE:.0f} MB for {SIZE / MEGABYTE:.0f} MB"
    print(f"memory rose by {memory.growth / MEGABYTE:.1f} MB for a file of {SIZE / MEGABYTE:.0f} MB")
