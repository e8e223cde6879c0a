"""Getting a model from the hub: licence first, every byte verified, a broken download gone on with."""

from __future__ import annotations

import shutil
from pathlib import Path

from xttsproject.bundles import hub
from xttsproject.bundles.catalog import Entry
from xttsproject.bundles.convert import convert_xtts
from xttsproject.bundles.manifest import Bundle, open_bundle, write_manifest
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_directory
from xttsproject.lib.progress import Part, Progress, Silent

STAGED = ".download-"
"""Begins the name of the folder in which what has come of a download lies."""

_DOWNLOAD_SHARE = 0.85
_SPARE_BYTES = 200_000_000


def download(
    entry: Entry, models_dir: Path, endpoint: str, accept_licence: bool, progress: Progress | None = None
) -> Bundle:
    """Bring a model into ``models_dir`` under its own name and make a bundle of it; a whole one there is kept.

    What has come of a broken download stays in a hidden folder beside it and is gone on with the next time. Raises
    :class:`DomainError` ``licence_not_accepted``, ``disk_full``, ``download_failed`` (try again), ``download_refused``,
    ``download_damaged``, or what :func:`~xttsproject.bundles.convert.convert_xtts` raises.
    """
    if entry.licence.must_be_accepted and not accept_licence:
        raise DomainError(
            "licence_not_accepted",
            f"{entry.name} is under the {entry.licence.name} ({entry.licence.url}): {entry.licence.terms} "
            "Accept it to download the model.",
            field="accept_licence",
        )
    target = models_dir / entry.name
    try:
        return open_bundle(target)
    except DomainError:
        pass
    watcher = progress or Silent()
    snapshot = hub.look(entry.repository, entry.revision, endpoint)
    wanted = _wanted(entry, snapshot)
    staging = models_dir / f"{STAGED}{entry.name}"
    staging.mkdir(parents=True, exist_ok=True)
    _require_space(entry, wanted, staging)
    total = sum(file.bytes for file in wanted) or 1
    done = 0
    for file in wanted:
        stretch = Part(watcher, _DOWNLOAD_SHARE * done / total, _DOWNLOAD_SHARE * (done + file.bytes) / total)
        stretch.report(0.0, file.name)
        hub.fetch(snapshot, file, staging / file.name, endpoint, stretch)
        done += file.bytes
    bundle = _assemble(entry, snapshot, wanted, staging, target, Part(watcher, _DOWNLOAD_SHARE, 1.0))
    shutil.rmtree(staging, ignore_errors=True)
    return bundle


def _wanted(entry: Entry, snapshot: hub.Snapshot) -> list[hub.RemoteFile]:
    missing = [name for name in entry.files if name not in snapshot.files]
    if missing:
        raise DomainError("download_refused", f"{entry.repository} has no {missing[0]} on this hub.")
    names = [*entry.files, *(name for name in entry.optional if name in snapshot.files)]
    return [snapshot.files[name] for name in names]


def _require_space(entry: Entry, wanted: list[hub.RemoteFile], staging: Path) -> None:
    here = sum(path.stat().st_size for path in staging.iterdir() if path.is_file())
    # The files, and beside them the bundle that is made of them.
    needed = 2 * sum(file.bytes for file in wanted) - here + _SPARE_BYTES
    free = shutil.disk_usage(staging).free
    if free < needed:
        raise DomainError(
            "disk_full",
            f"{entry.name} needs {needed / 1e9:.1f} GB beside {staging.parent}, but {free / 1e9:.1f} GB are free.",
        )


def _assemble(
    entry: Entry, snapshot: hub.Snapshot, wanted: list[hub.RemoteFile], staging: Path, target: Path, progress: Progress
) -> Bundle:
    origin = f"{entry.repository}@{snapshot.commit}"
    if entry.kind == "xtts":
        return convert_xtts(
            staging,
            target,
            name=entry.name,
            licence=entry.licence.name,
            licence_url=entry.licence.url,
            notice=entry.notice,
            origin=origin,
            progress=progress,
        )
    with atomic_directory(target) as folder:
        for file in wanted:
            shutil.copyfile(staging / file.name, folder / file.name)
        write_manifest(
            folder,
            name=entry.name,
            kind=entry.kind,
            licence=entry.licence.name,
            licence_url=entry.licence.url,
            notice=entry.notice,
            source=origin,
        )
    return open_bundle(target)
