"""Files from a model hub: what there is, and bringing one here whole, even when the connection breaks."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.files import CHUNK
from xttsproject.lib.progress import Progress

# Read once, when huggingface_hub is imported; its own transfer protocol neither resumes a file of ours nor can be
# verified on the way.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")


@dataclass(frozen=True)
class RemoteFile:
    """A file on the hub: large ones are known by their SHA-256, small ones by their Git blob id (SHA-1)."""

    name: str
    bytes: int
    sha256: str | None
    blob_id: str | None


@dataclass(frozen=True)
class Snapshot:
    """A repository at one commit."""

    repository: str
    commit: str
    files: dict[str, RemoteFile]


def look(repository: str, revision: str, endpoint: str) -> Snapshot:
    """What the hub has. Raises :class:`DomainError` ``download_refused`` or ``download_failed``."""
    from huggingface_hub import HfApi

    try:
        info = HfApi(endpoint=endpoint).model_info(repository, revision=revision, files_metadata=True, timeout=30)
    except Exception as error:
        raise _explained(error, repository) from error
    files = {}
    for sibling in info.siblings or []:
        large = sibling.lfs
        size = large.size if large else sibling.size
        if size is not None:
            sha = large.sha256 if large else None
            files[sibling.rfilename] = RemoteFile(sibling.rfilename, size, sha, sibling.blob_id)
    if not info.sha:
        raise DomainError(
            "download_failed", f"{endpoint} does not say at which commit {repository} is.", permanent=False
        )
    return Snapshot(repository, info.sha, files)


def fetch(snapshot: Snapshot, file: RemoteFile, target: Path, endpoint: str, progress: Progress) -> None:
    """Bring a file to ``target``, going on where an earlier attempt broke off, and verify its content.

    What has come so far stays in ``target`` with ``.part`` appended until the file is whole. Raises
    :class:`DomainError` ``download_failed`` (try again), ``download_refused``, or ``download_damaged`` (thrown away).
    """
    if target.is_file() and target.stat().st_size == file.bytes and _is_intact(target, file):
        return
    part = target.with_name(f"{target.name}.part")
    if part.is_file() and part.stat().st_size > file.bytes:
        part.unlink()
    _transfer(snapshot, file, part, endpoint, progress)
    if not _is_intact(part, file):
        part.unlink()
        raise DomainError(
            "download_damaged",
            f"{file.name} of {snapshot.repository} arrived with another content than the hub promises; "
            "it was thrown away. Try again.",
            permanent=False,
        )
    os.replace(part, target)


def _transfer(snapshot: Snapshot, file: RemoteFile, part: Path, endpoint: str, progress: Progress) -> None:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils._headers import build_hf_headers

    url = hf_hub_url(snapshot.repository, file.name, revision=snapshot.commit, endpoint=endpoint)
    # Compressed on the way, sizes and ranges would count other bytes than the file's.
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    try:
        with open(part, "ab") as out:
            http_get(
                url,
                out,
                resume_size=out.tell(),
                headers=headers,
                expected_size=file.bytes,
                displayed_filename=file.name,
                tqdm_class=_bar(progress, file.bytes),
            )
    except Cancelled:
        raise
    except Exception as error:
        raise _explained(error, file.name) from error


def _bar(progress: Progress, total: int) -> Any:
    """The library tells its progress to a tqdm bar alone, so here is one that tells ours and draws nothing."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any):
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})
            self.done = int(options.get("initial") or 0)

        def update(self, n: float | None = 1) -> bool | None:
            progress.check()
            self.done += int(n or 0)
            progress.report(self.done / max(1, total))
            return None

    return Bar


def _is_intact(path: Path, file: RemoteFile) -> bool:
    if path.stat().st_size != file.bytes:
        return False
    if file.sha256:
        return _digest(path, hashlib.sha256()) == file.sha256
    if file.blob_id:
        # Git's name for a file: SHA-1 over a header with the size and then the bytes.
        return _digest(path, hashlib.sha1(f"blob {file.bytes}\0".encode(), usedforsecurity=False)) == file.blob_id
    return False


def _digest(path: Path, digest: Any) -> str:
    with open(path, "rb") as handle:
        while chunk := handle.read(CHUNK):
            digest.update(chunk)
    return str(digest.hexdigest())


def _explained(error: Exception, what: str) -> DomainError:
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, (GatedRepoError, RepositoryNotFoundError)) or (
        isinstance(error, HfHubHTTPError) and status in (401, 403, 404)
    ):
        return DomainError("download_refused", f"The hub does not give out {what} (status {status}).")
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DomainError(
        "download_failed",
        f"{what} did not arrive whole ({reason}); try again, it goes on where it stopped.",
        permanent=False,
    )
