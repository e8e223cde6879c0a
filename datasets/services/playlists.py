"""Playlists, channels and feeds: what they hold is listed by a job, and a person chooses what is fetched."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from django.conf import settings
from django.db import models, transaction

from datasets.choices import PlaylistState, SourceState
from datasets.models import Playlist, SourceVideo, Speaker
from datasets.pipeline.fetch_process import FetchLimits
from datasets.pipeline.listing import list_url
from datasets.pipeline.wording import duration_words
from datasets.services.fetching import checked_url, source_from_url
from datasets.services.following import stop_jobs
from datasets.services.languages import recording_language
from datasets.services.sources import source_delete
from xttsproject.accounts.models import Visibility
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_start
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress


@dataclass(frozen=True)
class Entry:
    """A recording of a list: ``index`` counts from 0. ``source`` is the owner's recording of that address, if any.

    ``problem`` says why it cannot be fetched; empty where it can.
    """

    index: int
    url: str
    title: str
    channel: str
    seconds: float | None
    date: str
    problem: str
    source: SourceVideo | None

    @property
    def can_fetch(self) -> bool:
        return not self.problem and self.source is None


@dataclass
class PlaylistOutcome:
    """``made``: recordings that are being fetched now. ``there``: chosen, but here already. ``refused``: and why."""

    made: list[SourceVideo] = field(default_factory=list)
    there: list[Entry] = field(default_factory=list)
    refused: list[tuple[Entry, str]] = field(default_factory=list)


def playlist_from_url(
    *, owner: Any, speaker: Speaker, language: str, url: str, visibility: str = Visibility.PRIVATE
) -> tuple[Playlist, Job]:
    """Take the address of a playlist, whose recordings a job then lists; DomainErrors as for ``source_from_url``."""
    language = recording_language(language)
    url = checked_url(url)
    with transaction.atomic():
        playlist = Playlist.objects.create(
            owner=owner, speaker=speaker, language=language, url=url, visibility=visibility, title=url[:300]
        )
        return playlist, _start(playlist)


def playlist_from_source(*, source: SourceVideo) -> tuple[Playlist, Job]:
    """List what is behind the address of a recording whose fetch found several; its empty entry goes away.

    DomainError ``not_a_playlist`` for any other recording.
    """
    if source.error_code != "url_is_playlist":
        raise DomainError("not_a_playlist", f"“{source.title}” is one recording, so there is nothing to list.")
    with transaction.atomic():
        made = playlist_from_url(
            owner=source.owner,
            speaker=source.speaker,
            language=source.language,
            url=source.url,
            visibility=source.visibility,
        )
        source_delete(source=source)
    return made


def _start(playlist: Playlist) -> Job:
    return job_start(
        kind="datasets.list", title=f"List the recordings of {playlist.url}", owner=playlist.owner, subject=playlist
    )


def playlist_list(*, playlist: Playlist, progress: Progress) -> int:
    """Find out what is behind the address; answers how many recordings. Done once, it changes nothing again.

    DomainErrors: those of :func:`datasets.pipeline.listing.list_url`.
    """
    if playlist.advance(PlaylistState.LISTING):
        limits = FetchLimits(
            max_bytes=settings.UPLOAD_MAX_BYTES,
            max_seconds=settings.RECORDING_MAX_SECONDS,
            timeout=settings.FETCH_TIMEOUT_SECONDS,
        )
        listing = list_url(
            playlist.url,
            limits,
            max_entries=settings.PLAYLIST_MAX_ENTRIES,
            allow_private=settings.INGEST_ALLOW_PRIVATE_HOSTS,
            progress=progress,
        )
        Playlist.objects.filter(pk=playlist.pk).exclude(state=PlaylistState.READY).update(
            title=listing.title[:300],
            channel=listing.channel[:300],
            entries=[asdict(entry) for entry in listing.entries],
            more=listing.more,
            state=PlaylistState.READY,
        )
        playlist.refresh_from_db()
    return len(playlist.entries)


def playlist_entries(*, playlist: Playlist) -> list[Entry]:
    """The recordings of a list, with those that its owner already has."""
    addresses = [row["url"] for row in playlist.entries]
    # A fetch that failed is no recording yet: it may be tried again from here, too.
    failed = models.Q(sha256="", state__in=(SourceState.FAILED, SourceState.CANCELLED), duplicate_of=None)
    mine = SourceVideo.objects.filter(owner=playlist.owner_id).exclude(failed).select_related("duplicate_of")
    known: dict[str, SourceVideo] = {}
    for start in range(0, len(addresses), 500):
        for source in mine.filter(url__in=addresses[start : start + 500]):
            known[source.url] = source.duplicate_of or source
    return [
        Entry(
            index=index,
            url=row["url"],
            title=row["title"],
            channel=row["channel"],
            seconds=row["seconds"],
            date=row["date"],
            problem=row["problem"] or _too_long(row["seconds"]),
            source=known.get(row["url"]),
        )
        for index, row in enumerate(playlist.entries)
    ]


def _too_long(seconds: float | None) -> str:
    if seconds is None or seconds <= settings.RECORDING_MAX_SECONDS:
        return ""
    return f"It is longer than the limit of {duration_words(settings.RECORDING_MAX_SECONDS)}."


def playlist_fetch(*, playlist: Playlist, chosen: Collection[int]) -> PlaylistOutcome:
    """Fetch the chosen recordings of a list, each by a job of its own; what is refused holds back nothing else.

    DomainErrors: ``nothing_chosen``, ``entry_unknown``, ``playlist_not_ready``.
    """
    if playlist.state != PlaylistState.READY:
        raise DomainError("playlist_not_ready", f"“{playlist.title}” is not listed yet; wait until it is.")
    entries = playlist_entries(playlist=playlist)
    unknown = [index for index in chosen if not 0 <= index < len(entries)]
    if unknown:
        raise DomainError(
            "entry_unknown",
            f"There is no recording number {unknown[0]} in “{playlist.title}”; "
            f"they count from 0 to {len(entries) - 1}.",
            field="entries",
        )
    if not chosen:
        raise DomainError("nothing_chosen", "Tick the recordings that are to be fetched.", field="entries")
    outcome = PlaylistOutcome()
    for index in sorted(set(chosen)):
        entry = entries[index]
        if entry.source is not None:
            outcome.there.append(entry)
        elif entry.problem:
            outcome.refused.append((entry, entry.problem))
        else:
            try:
                outcome.made.append(_fetch(playlist, entry))
            except DomainError as error:
                outcome.refused.append((entry, error.message))
    return outcome


def _fetch(playlist: Playlist, entry: Entry) -> SourceVideo:
    known = {"title": entry.title, "uploader": entry.channel or playlist.channel, "date": entry.date}
    source, _job = source_from_url(
        owner=playlist.owner,
        speaker=playlist.speaker,
        language=playlist.language,
        url=entry.url,
        title="" if entry.title == entry.url else entry.title,
        visibility=playlist.visibility,
        attribution={**known, "playlist": playlist.title},
    )
    return source


def playlist_delete(*, playlist: Playlist) -> None:
    """Forget a list; what was fetched from it stays."""
    with transaction.atomic():
        stop_jobs(subject=playlist)
        playlist.delete()


def playlist_ended(*, playlist: Playlist, ending: Ending) -> None:
    """Record on the list why its job failed, or that it was cancelled."""
    if ending.cancelled:
        playlist.stop(PlaylistState.CANCELLED)
    else:
        playlist.stop(PlaylistState.FAILED, code=ending.code, message=ending.message)
