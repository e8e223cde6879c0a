"""What an address leads to: a playlist's, a channel's or a feed's recordings, for a person to choose from."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from datasets.pipeline.fetch import check_url
from datasets.pipeline.fetch_process import FetchLimits, run_child
from xttsproject.lib.progress import Progress, Silent

# A long list comes in many pages.
PAGE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class ListedRecording:
    """``url`` is what to fetch. ``seconds`` is None and ``date`` (YYYYMMDD) empty where the list does not say.

    ``problem`` says why it cannot be fetched, as far as the list tells; empty otherwise.
    """

    url: str
    title: str
    channel: str
    seconds: float | None
    date: str
    problem: str


@dataclass(frozen=True)
class Listing:
    """``more``: there are recordings beyond the ones that were asked for."""

    title: str
    channel: str
    url: str
    entries: tuple[ListedRecording, ...]
    more: bool


def list_url(
    url: str,
    limits: FetchLimits,
    *,
    max_entries: int,
    allow_private: bool = False,
    private_hosts: Collection[str] = (),
    progress: Progress | None = None,
) -> Listing:
    """List the recordings behind an address, at most ``max_entries``; none of them is fetched.

    An address of one recording is a list of one. Every address that is connected to must be public, as for a fetch. The
    entries' own addresses are as the site gave them: they are checked when they are fetched.

    Raises ``Cancelled`` and DomainError ``url_scheme``, ``url_private_address``, ``url_unresolved``, ``fetch_failed``,
    ``fetch_blocked`` or ``fetch_no_javascript``.
    """
    progress = progress or Silent()
    url = check_url(url, allow_private=allow_private, private_hosts=private_hosts)
    progress.check()
    with tempfile.TemporaryDirectory(prefix="portal-list-") as folder:
        request = {
            "task": "list",
            "url": url,
            "max_entries": max_entries,
            "max_page_bytes": PAGE_BYTES,
            "allow_private": allow_private,
            "private_hosts": list(private_hosts),
        }
        done = run_child(request, Path(folder), limits, progress)
    entries = tuple(ListedRecording(**entry) for entry in done.pop("entries"))
    progress.report(1.0, "listed")
    return Listing(entries=entries, **done)
