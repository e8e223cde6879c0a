"""The fetching process seen from outside: it is started, listened to, bounded and ended here."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from datasets.pipeline.wording import bytes_words, duration_words
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress

_TICK = 0.2
# The child is given what it needs and nothing else: a proxy would connect on its behalf, and it needs no secrets.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True)
class FetchLimits:
    """``max_bytes`` of the file, ``max_seconds`` of sound, ``timeout`` in seconds for everything together.

    ``max_memory`` bytes may be resident in the fetching process and what it starts; a recording is written as it comes,
    so only a page that blows up needs more. ``attempts`` in all after passing faults, the first pause ``backoff``
    seconds, then twice as long each time.
    """

    max_bytes: int
    max_seconds: float
    timeout: float
    max_memory: int = 1024**3
    attempts: int = 3
    backoff: float = 1.0

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_seconds", "timeout", "max_memory", "attempts"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}.")
        if self.backoff < 0:
            raise ValueError(f"backoff must not be negative, got {self.backoff}.")


def run_child(request: dict[str, Any], folder: Path, limits: FetchLimits, progress: Progress) -> dict[str, Any]:
    """Run the child in ``folder`` until it is done, told to stop, out of time or over a limit; what it answered.

    ``request`` says what is to be done ("task", "url", …); the limits are added here. Raises ``Cancelled`` and the
    DomainErrors of the child.
    """
    request = {
        **request,
        "folder": str(folder),
        "max_bytes": limits.max_bytes,
        "max_seconds": limits.max_seconds,
        "attempts": limits.attempts,
        "backoff": limits.backoff,
        "socket_timeout": min(20.0, limits.timeout),
    }
    deadline = time.monotonic() + limits.timeout
    with tempfile.TemporaryFile() as log, _child(request, log) as (child, lines):
        while True:
            progress.check()
            if time.monotonic() > deadline:
                raise DomainError(
                    "fetch_failed",
                    f"Fetching {request['url']} took longer than {duration_words(limits.timeout)} and was stopped.",
                    permanent=False,
                    field="url",
                )
            _check_folder(folder, limits)
            _check_memory(child.pid, request["url"], limits)
            try:
                line = lines.get(timeout=_TICK)
            except queue.Empty:
                continue
            if line is None:
                raise DomainError(
                    "fetch_failed",
                    f"Fetching {request['url']} broke off (exit status {child.wait()}): {_end_of(log)}",
                    permanent=False,
                    field="url",
                )
            said = json.loads(line)
            if "done" in said:
                return dict(said["done"])
            if "error" in said:
                error = said["error"]
                raise DomainError(error["code"], error["message"], permanent=error["permanent"], field="url")
            progress.report(said["progress"], said["message"])


@contextlib.contextmanager
def _child(request: dict[str, Any], log: IO[bytes]) -> Iterator[tuple[subprocess.Popen[str], queue.Queue[str | None]]]:
    """The fetching process with its lines; it and whatever it started are ended when the block is left."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    environment["PYTHONUNBUFFERED"] = "1"
    environment["YTDLP_NO_PLUGINS"] = "1"
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "datasets.pipeline.fetch_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        encoding="utf-8",
        env=environment,
        cwd=request["folder"],
        start_new_session=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(child.stdout, lines), daemon=True)
    reader.start()
    try:
        with contextlib.suppress(BrokenPipeError):
            json.dump(request, child.stdin)
            child.stdin.close()
        yield child, lines
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        reader.join(timeout=5)
        child.stdout.close()


def _read(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _check_folder(folder: Path, limits: FetchLimits) -> None:
    """The files themselves are counted too, in case a downloader does not report."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            size += path.stat().st_size
    # A fragmented download holds one fragment twice for a moment.
    if size > 2 * limits.max_bytes + 1_000_000:
        raise DomainError(
            "too_large",
            f"The recording is larger than the limit of {bytes_words(limits.max_bytes)}; choose a shorter one.",
            field="url",
        )


def _check_memory(pid: int, url: str, limits: FetchLimits) -> None:
    resident = 0
    with contextlib.suppress(psutil.Error):
        child = psutil.Process(pid)
        for process in (child, *child.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                resident += process.memory_info().rss
    if resident > limits.max_memory:
        raise DomainError(
            "fetch_failed",
            f"Fetching {url} took more than {bytes_words(limits.max_memory)} of memory and was stopped; give the "
            "address of the recording itself.",
            field="url",
        )


def _end_of(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing."
