"""A recording from the internet: what yt-dlp knows how to find, or a plain file.

The work is done by a process of its own (see ``fetch_child``); this side checks the address, watches the clock and the
folder, passes on progress and ends the process when it should stop.
"""

from __future__ import annotations

import ipaddress
import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from datasets.pipeline.fetch_guard import is_public
from datasets.pipeline.fetch_process import FetchLimits, run_child
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress, Silent


@dataclass(frozen=True)
class FetchedCaptions:
    """A caption track of the source in ``language`` (a tag such as "pt-BR", "und" where it is not known).

    ``automatic``: a machine heard them. ``file`` is a WebVTT file's name in the target folder, empty where the track
    could not be had, for the reason in ``problem``.
    """

    language: str
    automatic: bool
    file: str
    cues: int
    problem: str = ""


@dataclass(frozen=True)
class Fetched:
    """``path`` is the file in the target folder; texts are empty where the site does not say. ``upload_date`` is
    YYYYMMDD; ``url`` is the address of the page that it came from, ``extractor`` what recognised it."""

    path: Path
    title: str
    uploader: str
    url: str
    licence: str
    upload_date: str
    extractor: str
    captions: tuple[FetchedCaptions, ...] = ()


def check_url(url: str, *, allow_private: bool = False, private_hosts: Collection[str] = ()) -> str:
    """Check what can be told from the address alone, without asking any server, and return it without outer space.

    Raises DomainError ``url_scheme`` or ``url_private_address``, both with ``field="url"``.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        _ = parts.port
    except ValueError:
        raise DomainError(
            "url_scheme", f"“{url}” is not a valid address; it begins with https://.", field="url"
        ) from None
    if parts.scheme.lower() not in {"http", "https"} or not host:
        raise DomainError(
            "url_scheme", f"“{url}” is no web address; it must begin with http:// or https://.", field="url"
        )
    if parts.username is not None or parts.password is not None:
        raise DomainError("url_scheme", f"The address of {host} must not contain a user name or password.", field="url")
    if any(character.isspace() or ord(character) < 32 for character in url):
        raise DomainError("url_scheme", "A web address contains no spaces or line breaks.", field="url")
    exempt = allow_private or host in {name.lower() for name in private_hosts}
    if not exempt and _plainly_private(host):
        raise DomainError(
            "url_private_address",
            f"{host} is not a public address; give an address on the public internet.",
            field="url",
        )
    return url


def _plainly_private(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return not is_public(host)


def fetch_url(
    url: str,
    target_dir: Path,
    limits: FetchLimits,
    allow_private: bool = False,
    progress: Progress | None = None,
    *,
    private_hosts: Collection[str] = (),
    language: str = "",
) -> Fetched:
    """Fetch one recording into ``target_dir`` as ``source.<ext>``; a failure leaves nothing there.

    The source's captions come with it, as ``captions.<language>.vtt``: those that people wrote in any language, and
    those that a machine heard in ``language`` where nobody wrote any in it.

    Every address that is connected to must be public, redirects and the media's own address included, unless
    ``allow_private`` or the host's name is among ``private_hosts``.

    Raises ``Cancelled`` and DomainError ``url_scheme``, ``url_private_address``, ``url_unresolved``, ``too_large``,
    ``media_too_long``, ``url_is_playlist`` or ``fetch_failed`` (``permanent`` is false where the fault may pass).
    """
    progress = progress or Silent()
    url = check_url(url, allow_private=allow_private, private_hosts=private_hosts)
    progress.check()
    target_dir = Path(target_dir)
    target_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".fetch-", dir=target_dir))
    try:
        request = {
            "task": "fetch",
            "url": url,
            "language": language,
            "allow_private": allow_private,
            "private_hosts": list(private_hosts),
        }
        done = run_child(request, folder, limits, progress)
        captions = tuple(FetchedCaptions(**track) for track in done.pop("captions"))
        for track in captions:
            if track.file:
                (folder / track.file).replace(target_dir / track.file)
        fetched = Path(done.pop("path"))
        target = target_dir / fetched.name
        fetched.replace(target)
        target.chmod(0o644)
        progress.report(1.0, "fetched")
        return Fetched(path=target, captions=captions, **done)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
