"""What a playlist, a channel or a podcast's feed holds, inside the fetching process: nothing is fetched of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from datasets.pipeline.fetch_guard import Guard
from datasets.pipeline.fetch_reasons import explained
from datasets.pipeline.fetch_ytdlp import Log, text, ytdlp_options
from xttsproject.lib.errors import DomainError

# An address may lead to another that leads to another; a channel holds lists that hold recordings.
_MAX_STEPS = 5
_MAX_DEPTH = 2
# yt-dlp's extractors whose entries are lists again.
_LISTS = frozenset({"YoutubeTab"})
TITLE_LENGTH = 300
_CLOSED = {
    "private": "It is private.",
    "premium_only": "It is for paying viewers only.",
    "subscriber_only": "It is for the channel's members only.",
    "needs_auth": "It asks for a sign-in.",
}


def list_recordings(request: dict[str, Any], guard: Guard, report: Callable[[float, str], None]) -> dict[str, Any]:
    """The title and channel of what is behind the address, and its recordings, at most ``max_entries``."""
    import yt_dlp

    url, limit = request["url"], request["max_entries"]
    log = Log()
    options = ytdlp_options(request, log) | {"lazy_playlist": True, "playlistend": limit + 1}
    entries: list[dict[str, Any]] = []
    try:
        with yt_dlp.YoutubeDL(options) as downloader:
            info = _resolved(downloader, url)
            for entry in _recordings(downloader, info, url, depth=0):
                if len(entries) == limit:
                    return _listed(info, url, entries, more=True)
                if all(entry["url"] != other["url"] for other in entries):
                    entries.append(entry)
                report(min(len(entries) / limit, 1.0), f"{len(entries)} found")
    except DomainError:
        raise
    except Exception as error:
        raise explained(error, url, guard, max_bytes=request["max_bytes"], warnings=log.warnings) from error
    if not entries:
        raise DomainError("fetch_failed", f"No recording was found at {url}; give another address.", field="url")
    return _listed(info, url, entries, more=False)


def _resolved(downloader: Any, url: str, ie_key: str | None = None) -> dict[str, Any]:
    """What an extractor says of an address, once it no longer merely points at another."""
    for _ in range(_MAX_STEPS):
        info = downloader.extract_info(url, download=False, process=False, ie_key=ie_key)
        if info.get("_type") not in {"url", "url_transparent"}:
            return dict(info)
        url, ie_key = info["url"], info.get("ie_key")
    raise DomainError("fetch_failed", f"{url} leads from one address to the next without an end.", field="url")


def _recordings(downloader: Any, info: dict[str, Any], page: str, depth: int) -> Iterator[dict[str, Any]]:
    from yt_dlp.utils import PlaylistEntries

    if info.get("_type") not in {"playlist", "multi_video"}:
        yield _entry(info, page)
        return
    for _number, found in PlaylistEntries(downloader, info).get_requested_items():
        if not found:
            continue
        nested = found.get("_type") in {"playlist", "multi_video"}
        if depth < _MAX_DEPTH and (nested or found.get("ie_key") in _LISTS):
            inner = found if nested else _resolved(downloader, found["url"], found.get("ie_key"))
            yield from _recordings(downloader, inner, page, depth + 1)
        else:
            yield _entry(found, page)


def _entry(found: dict[str, Any], page: str) -> dict[str, Any]:
    """A recording of the list, as ``ListedRecording`` has it."""
    address = _address(found, page)
    seconds = found.get("duration")
    return {
        "url": address,
        "title": (" ".join(text(found.get("title")).split()) or address)[:TITLE_LENGTH],
        "channel": text(found.get("channel") or found.get("uploader"))[:TITLE_LENGTH],
        "seconds": float(seconds) if isinstance(seconds, int | float) and seconds > 0 else None,
        "date": _date(found),
        "problem": _problem(found),
    }


def _date(found: dict[str, Any]) -> str:
    from yt_dlp.utils import strftime_or_none

    return text(found.get("upload_date")) or text(strftime_or_none(found.get("timestamp"), "%Y%m%d"))


def _problem(found: dict[str, Any]) -> str:
    if found.get("is_live") or found.get("live_status") in {"is_live", "is_upcoming"}:
        return "It is a live broadcast."
    return _CLOSED.get(text(found.get("availability")), "")


def _address(found: dict[str, Any], page: str) -> str:
    """The address that leads to this one recording: its own page, or its file where one page shows several."""
    from yt_dlp.utils import unsmuggle_url

    own = text(found.get("webpage_url"))
    if own and own != page:
        return own
    formats = found.get("formats") or ()
    given = text(found.get("url")) or (text(formats[-1].get("url")) if formats else "") or page
    # Extractors pass notes to each other behind the address.
    return text(unsmuggle_url(given)[0])


def _listed(info: dict[str, Any], url: str, entries: list[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    return {
        "title": (" ".join(text(info.get("title")).split()) or url)[:TITLE_LENGTH],
        "channel": text(info.get("channel") or info.get("uploader"))[:TITLE_LENGTH],
        "url": text(info.get("webpage_url")) or url,
        "entries": entries,
        "more": more,
    }
