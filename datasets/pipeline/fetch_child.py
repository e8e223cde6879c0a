"""The process that fetches: ``python -m datasets.pipeline.fetch_child``, one JSON request in, JSON lines out.

A process of its own, because the guard on its connections holds for all of it, because it can be ended at any moment,
and because what yt-dlp leaves behind ends with it. Lines: {"progress": 0..1, "message"}, then {"done": {…}} or
{"error": {"code", "message", "permanent"}}. The request's "task" is "fetch" (one recording) or "list" (what a playlist
holds).
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, TextIO

from datasets.pipeline.fetch_bounds import PageBudget, bound_memory
from datasets.pipeline.fetch_guard import Guard
from datasets.pipeline.fetch_list import list_recordings
from datasets.pipeline.fetch_ytdlp import fetch_recording
from xttsproject.lib.errors import DomainError

# Pages, scripts and headers around the recording itself; counted so that an endless page ends too.
OVERHEAD_BYTES = 16 * 1024 * 1024
_TASKS = {"fetch": fetch_recording, "list": list_recordings}


def main() -> int:
    request = json.load(sys.stdin)
    lines = sys.stdout
    # Whatever a library prints must not end up between the lines.
    sys.stdout = sys.stderr
    _die_with_parent()
    bound_memory()
    hosts = frozenset(host.lower() for host in request["private_hosts"])
    guard = Guard(request["allow_private"], request["max_bytes"] + OVERHEAD_BYTES, hosts)
    guard.install()
    # Its connections are made by a C library, past the guard. None in this table means: not to be imported.
    sys.modules["curl_cffi"] = None  # type: ignore[assignment]
    try:
        pages = PageBudget(**({"max_bytes": request["max_page_bytes"]} if "max_page_bytes" in request else {}))
        pages.install()
        _say(lines, {"done": _patiently(request, guard, pages, lines)})
    except DomainError as error:
        _say(lines, {"error": {"code": error.code, "message": error.message, "permanent": error.permanent}})
    return 0


def _patiently(request: dict[str, Any], guard: Guard, pages: PageBudget, lines: TextIO) -> dict[str, Any]:
    """Try again after passing faults, waiting twice as long each time; the parent ends it all when time is up."""

    def report(progress: float, message: str) -> None:
        _say(lines, {"progress": progress, "message": message})

    attempts = request["attempts"]
    for attempt in range(attempts):
        try:
            return _TASKS[request["task"]](request, guard, report)
        except DomainError as error:
            if error.permanent or attempt + 1 == attempts:
                raise
            wait = request["backoff"] * 2**attempt
            report(0.0, f"trying again in {wait:g} s: {error.message}")
            time.sleep(wait)
            guard.refused = guard.unresolved = None
            guard.received = pages.received = 0
    raise AssertionError("attempts is at least 1")


def _say(lines: TextIO, value: dict[str, Any]) -> None:
    lines.write(json.dumps(value) + "\n")
    lines.flush()


def _die_with_parent() -> None:
    """Ask Linux to end this process with its parent, so that a killed worker leaves no download running."""
    if sys.platform != "linux":
        return
    import ctypes
    import signal

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
