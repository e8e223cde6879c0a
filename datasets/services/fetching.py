"""Recordings that are fetched from an address."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction

from datasets.choices import Origin, SourceState
from datasets.models import SourceVideo, Speaker
from datasets.pipeline.fetch import Fetched, check_url, fetch_url
from datasets.pipeline.fetch_guard import is_public
from datasets.pipeline.fetch_process import FetchLimits
from datasets.pipeline.media import probe
from datasets.services.languages import recording_language
from datasets.services.names import TITLE_LENGTH, file_name, renamed, safe_suffix
from datasets.services.uploads import facts_fields, refuse_duplicate
from xttsproject import storage
from xttsproject.accounts.models import Visibility
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_start
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import sha256_of
from xttsproject.lib.progress import Progress

_BEFORE = (SourceState.WAITING, SourceState.FETCHING, SourceState.FAILED, SourceState.CANCELLED)


def source_from_url(
    *,
    owner: Any,
    speaker: Speaker,
    language: str,
    url: str,
    title: str = "",
    visibility: str = Visibility.PRIVATE,
    attribution: Mapping[str, str] | None = None,
) -> tuple[SourceVideo, Job]:
    """Take an address whose recording a job then fetches. What can be refused without fetching is refused here.

    ``attribution`` is what is known of it already (a playlist's entry); what its own page says counts more.

    DomainErrors with ``field="url"``: ``url_scheme``, ``url_private_address``, ``url_unresolved``; also
    ``language_unsupported``. The fetching process checks every connection again, redirects included.
    """
    language = recording_language(language)
    url = checked_url(url)
    title = " ".join(title.split())[:TITLE_LENGTH]
    with transaction.atomic():
        source = SourceVideo.objects.create(
            owner=owner,
            speaker=speaker,
            # Until the site has said what it is called.
            title=title or url[:TITLE_LENGTH],
            language=language,
            visibility=visibility,
            origin=Origin.URL,
            url=url,
            attribution={key: value for key, value in (attribution or {}).items() if value},
        )
        job = job_start(
            kind="datasets.fetch",
            title=f"Fetch “{source.title}”",
            owner=owner,
            subject=source,
            arguments={"title_given": bool(title)},
        )
    return source, job


def checked_url(url: str) -> str:
    """The address without outer space, if it is one of the public web: ``url_scheme``, ``url_private_address`` or
    ``url_unresolved`` otherwise, all with ``field="url"``.
    """
    url = check_url(url, allow_private=settings.INGEST_ALLOW_PRIVATE_HOSTS)
    if len(url) > 2000:
        raise DomainError("url_scheme", f"The address has {len(url)} characters; 2000 are the limit.", field="url")
    _check_host(url)
    return url


def source_fetch(*, source: SourceVideo, owner: Any, title_given: bool, progress: Progress) -> Job | None:
    """Fetch the recording and hand it on to preparation; None when that has already happened.

    DomainErrors: those of :func:`datasets.pipeline.fetch.fetch_url` and of probing, and ``duplicate``. Whatever goes
    wrong, nothing of the file stays.
    """
    if source.sha256 and source.original_path.is_file():
        if source.state not in _BEFORE:
            return None
    else:
        if source.advance(SourceState.FETCHING, since=_BEFORE):
            SourceVideo.objects.filter(pk=source.pk).update(duplicate_of=None)
        try:
            _fetch(source, title_given, progress)
        except BaseException:
            storage.remove_tree(source.folder)
            raise
    with transaction.atomic():
        return job_start(kind="datasets.prepare", title=f"Prepare “{source.title}”", owner=owner, subject=source)


def _fetch(source: SourceVideo, title_given: bool, progress: Progress) -> None:
    limits = FetchLimits(
        max_bytes=settings.UPLOAD_MAX_BYTES,
        max_seconds=settings.RECORDING_MAX_SECONDS,
        timeout=settings.FETCH_TIMEOUT_SECONDS,
    )
    fetched = fetch_url(
        source.url,
        source.folder,
        limits,
        settings.INGEST_ALLOW_PRIVATE_HOSTS,
        progress,
        language=source.language,
    )
    name = file_name(urlsplit(source.url).path) if urlsplit(source.url).path.strip("/") else "The recording"
    digest = sha256_of(fetched.path)
    _refuse_duplicate(source, digest, name)
    try:
        facts = probe(fetched.path)
    except DomainError as error:
        raise renamed(error, fetched.path, name) from error
    original = f"original{safe_suffix(fetched.path.name)}"
    size = fetched.path.stat().st_size
    fetched.path.replace(source.folder / original)
    source.original, source.original_name, source.sha256, source.bytes = original, name, digest, size
    source.attribution = {**source.attribution, **_attribution(fetched)}
    source.captions = [asdict(track) for track in fetched.captions]
    if not title_given and fetched.title:
        source.title = " ".join(fetched.title.split())[:TITLE_LENGTH]
    fields = facts_fields(facts)
    for field, value in fields.items():
        setattr(source, field, value)
    try:
        with transaction.atomic():
            source.save(
                update_fields=[
                    "original",
                    "original_name",
                    "sha256",
                    "bytes",
                    "attribution",
                    "captions",
                    "title",
                    *fields,
                ]
            )
    except IntegrityError:
        _refuse_duplicate(source, digest, name)
        raise


def _refuse_duplicate(source: SourceVideo, digest: str, name: str) -> None:
    """As for uploads; the recording that is already here is remembered, so that it can be offered."""
    try:
        refuse_duplicate(owner=source.owner, sha256=digest, name=name, but=source)
    except DomainError as error:
        SourceVideo.objects.filter(pk=source.pk).update(duplicate_of=error.about["recording"])
        raise


def _attribution(fetched: Fetched) -> dict[str, str]:
    said = {
        "title": fetched.title,
        "uploader": fetched.uploader,
        "date": fetched.upload_date,
        "licence": fetched.licence,
        "url": fetched.url,
        "site": fetched.extractor,
    }
    return {key: value for key, value in said.items() if value}


def _check_host(url: str) -> None:
    """Ask where the name leads: one private address among the answers is enough to refuse it."""
    if settings.INGEST_ALLOW_PRIVATE_HOSTS:
        return
    host = urlsplit(url).hostname or ""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise DomainError(
            "url_unresolved",
            f"The name {host} leads nowhere; check the address for a typing mistake.",
            permanent=False,
            field="url",
        ) from None
    for entry in found:
        address = str(entry[4][0])
        if not is_public(address):
            where = host if host == address else f"{host} ({address})"
            raise DomainError(
                "url_private_address",
                f"{where} is not a public address; give an address on the public internet.",
                field="url",
            )
