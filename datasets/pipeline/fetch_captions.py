"""A source's captions, inside the fetching process.

A recording without its captions is still a recording: whatever goes wrong here is told beside it and ends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets.pipeline.captions import MAX_BYTES, UNKNOWN, keep_as_vtt, language_tag, same_language
from datasets.pipeline.fetch_guard import Guard
from datasets.pipeline.fetch_reasons import explained
from datasets.pipeline.wording import bytes_words
from xttsproject.lib.errors import DomainError

# Popular talks have captions in fifty languages; these are for people to read beside one.
MAX_TRACKS = 8
# Beside captions, sites list chats and comments that scroll over the picture.
_NO_CAPTIONS = frozenset({"live_chat", "rechat", "danmaku", "comments"})
# In order of preference; what else sites offer (JSON, TTML) is offered by them as one of these too.
_SUFFIXES = ("vtt", "srt")
# Told apart from the recording's own file by this.
_WORKING_NAME = "track."


@dataclass(frozen=True)
class Track:
    """``key`` is the site's name of the language, ``source`` yt-dlp's description of one file."""

    key: str
    automatic: bool
    source: Mapping[str, Any]

    @property
    def language(self) -> str:
        return language_tag(self.key.removesuffix("-orig"))


def choose_tracks(
    written: Mapping[str, Sequence[Mapping[str, Any]]],
    heard: Mapping[str, Sequence[Mapping[str, Any]]],
    language: str,
) -> list[Track]:
    """What to keep of a site's captions: those that people wrote, and one that a machine heard where none is in
    ``language`` (of an unknown language, in the one that was heard). Machine translations are left where they are.
    """
    tracks = [
        track
        for key, sources in written.items()
        if key not in _NO_CAPTIONS and (track := _readable(key, sources, automatic=False))
    ]
    tracks.sort(key=lambda track: (not same_language(track.language, language), track.language))
    tracks = tracks[:MAX_TRACKS]
    if not any(same_language(track.language, language) for track in tracks):
        # Of "en", "en-GB" and "en-orig", the last is what was heard and not made of something else.
        keys = sorted(
            (
                key
                for key in heard
                if same_language(language_tag(key.removesuffix("-orig")), language)
                or (language == UNKNOWN and key.endswith("-orig"))
            ),
            key=lambda key: (not key.endswith("-orig"), len(key), key),
        )
        found = (_readable(key, heard[key], automatic=True) for key in keys)
        tracks += [track for track in found if track is not None][:1]
    return tracks


def _readable(key: str, sources: Sequence[Mapping[str, Any]], *, automatic: bool) -> Track | None:
    for suffix in _SUFFIXES:
        for source in sources:
            if source.get("ext") == suffix and (source.get("url") or source.get("data")):
                return Track(key, automatic, source)
    return None


def fetch_captions(
    downloader: Any,
    info: Mapping[str, Any],
    guard: Guard,
    request: Mapping[str, Any],
    report: Callable[[float, str], None],
) -> list[dict[str, Any]]:
    """Fetch the chosen tracks into the request's folder; one row for each, as ``FetchedCaptions`` has them."""
    tracks = choose_tracks(
        info.get("subtitles") or {}, info.get("automatic_captions") or {}, request.get("language") or ""
    )
    rows: list[dict[str, Any]] = []
    for track in tracks:
        report(1.0, f"fetching captions ({track.language})")
        row = {"language": track.language, "automatic": track.automatic, "file": "", "cues": 0, "problem": ""}
        if any((row["language"], row["automatic"]) == (other["language"], other["automatic"]) for other in rows):
            continue
        guard.refused = guard.unresolved = None
        try:
            kept, cues = _fetch(downloader, info, track, Path(request["folder"]))
            row |= {"file": kept.name, "cues": cues}
        except DomainError as error:
            row["problem"] = error.message
        except Exception as error:
            where = str(track.source.get("url") or info.get("webpage_url"))
            row["problem"] = explained(error, where, guard, max_bytes=MAX_BYTES).message
        rows.append(row)
    guard.refused = guard.unresolved = None
    return rows


def check_captions(name: str, size: int) -> None:
    """DomainError ``too_large`` while captions arrive; ``name`` is the file that is being written."""
    if name.startswith(_WORKING_NAME) and size > MAX_BYTES:
        raise DomainError("too_large", f"The captions are larger than the limit of {bytes_words(MAX_BYTES)}.")


def _fetch(downloader: Any, info: Mapping[str, Any], track: Track, folder: Path) -> tuple[Path, int]:
    suffix = track.source["ext"]
    raw = folder / f"{_WORKING_NAME}{suffix}"
    raw.unlink(missing_ok=True)
    try:
        if track.source.get("data") is not None:
            raw.write_text(track.source["data"], encoding="utf-8")
        else:
            source = {"http_headers": info.get("http_headers"), **track.source}
            downloader.dl(str(raw), source, subtitle=True)
        return keep_as_vtt(raw, folder, language=track.language, automatic=track.automatic)
    finally:
        raw.unlink(missing_ok=True)
