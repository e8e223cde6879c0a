"""Whether a disk has room for what is about to be written: asked before, so that no half file is begun."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from xttsproject.lib.errors import DomainError

RESERVE_BYTES = 64 * 1024 * 1024
"""Left over for logs, events and the database: who fills a disk to its last byte cannot even say so."""


def size_words(count: int) -> str:
    """``1.9 GB``, ``12.4 MB``, ``3.0 kB``: decimal units, as disks are sold in."""
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1000:.1f} kB"


def free_bytes(path: Path) -> int:
    """Bytes free for us where ``path`` lies or will lie."""
    there = path
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def require_free(path: Path, needed: int, what: str) -> None:
    """DomainError ``disk_full`` unless ``needed`` bytes and a reserve are free where ``path`` will lie."""
    free = free_bytes(path)
    if free < needed + RESERVE_BYTES:
        raise _full(path, needed, free, what)


@contextlib.contextmanager
def room_for(path: Path, needed: int, what: str) -> Iterator[None]:
    """:func:`require_free`, and the same refusal where the disk fills up while the block writes."""
    require_free(path, needed, what)
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _full(path, needed, free_bytes(path), what) from error


def _full(path: Path, needed: int, free: int, what: str) -> DomainError:
    return DomainError(
        "disk_full",
        f"{what} needs {size_words(needed)} ({needed} bytes) and a reserve of {size_words(RESERVE_BYTES)}, but the "
        f"disk has {size_words(free)} ({free} bytes) left; free some space and go on.",
        permanent=False,
    )
