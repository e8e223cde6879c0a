"""What was spoken, in another form, kept for a while: players ask for one file in many stretches, and encoding all of
it for each would take longer than listening."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from uuid import UUID

from django.conf import settings

from voices.engine.encoding import Output
from voices.models import Synthesis
from xttsproject import storage
from xttsproject.lib.disk import room_for
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path, sha256_of

logger = logging.getLogger(__name__)

_MB = 1000**2
_UNUSED_SECONDS = 24 * 3600.0
_LEFT_SECONDS = 3600.0
"""Nobody writes one file for so long: its process has died."""


@dataclass(frozen=True)
class _Kept:
    path: Path
    size: int
    used: float

    @property
    def half(self) -> bool:
        """Whether somebody is writing it, or was."""
        return self.path.name.startswith(".")


def converted(*, synthesis: Synthesis, output: Output, tags: Mapping[str, str], make: Callable[[], bytes]) -> bytes:
    """What ``make`` encodes of a synthesis' sound for this output and these tags, or what it did lately.

    A file is named after everything that decides on its bytes. Where none can be written, nothing is kept.
    FileNotFoundError where the sound has gone.
    """
    path = storage.converted_dir(synthesis.pk) / f"{_key(synthesis.audio_path, output, tags)}.{output.format.name}"
    try:
        data = path.read_bytes()
        os.utime(path)
        return data
    except OSError:
        data = make()
    limit = settings.SPEECH_CONVERTED_MB * _MB
    if len(data) > limit:
        return data
    try:
        with room_for(path, len(data), "A speech in another form"), atomic_path(path) as temporary:
            temporary.write_bytes(data)
    except (OSError, DomainError) as error:
        logger.warning("A speech in another form could not be kept: %s", error)
        return data
    if not Synthesis.objects.filter(pk=synthesis.pk).exists():
        # Deleted while it was encoded.
        converted_forget(synthesis_id=synthesis.pk)
    _remove(_crowded([each for each in _kept() if not each.half], limit))
    return data


def converted_forget(*, synthesis_id: UUID) -> None:
    """Delete every form of a synthesis."""
    storage.remove_tree(storage.converted_dir(synthesis_id))


def converted_prune(*, dry_run: bool = False) -> tuple[int, int]:
    """Delete what nobody has asked for in a day, what is beyond SPEECH_CONVERTED_MB, of deleted speech, and half
    written; returns how many files and bytes. With ``dry_run`` they are only counted."""
    now, kept = time.time(), list(_kept())
    owners = {owner for each in kept if (owner := _owner(each.path))}
    known = set(Synthesis.objects.filter(pk__in=owners).values_list("pk", flat=True))
    gone = [
        each
        for each in kept
        if now - each.used > (_LEFT_SECONDS if each.half else _UNUSED_SECONDS) or _owner(each.path) not in known
    ]
    left = [each for each in kept if each not in gone]
    gone += _crowded(left, settings.SPEECH_CONVERTED_MB * _MB)
    if not dry_run:
        _remove(gone)
    return len(gone), sum(each.size for each in gone)


def _key(sound: Path, output: Output, tags: Mapping[str, str]) -> str:
    told = sound.stat()
    content = _content(sound, told.st_mtime_ns, told.st_size)
    facts = [content, asdict(output), dict(tags), version("av")]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=256)
def _content(path: Path, _changed: int, _size: int) -> str:
    return sha256_of(path)


def _kept() -> Iterator[_Kept]:
    for path in storage.converted_root().glob("*/*"):
        try:
            told = path.stat()
        except FileNotFoundError:
            continue
        yield _Kept(path, told.st_size, told.st_mtime)


def _crowded(kept: list[_Kept], limit: int) -> list[_Kept]:
    """What has to go so that the rest has room: what was not asked for the longest."""
    room, gone = limit, []
    for each in sorted(kept, key=lambda one: -one.used):
        room -= each.size
        if room < 0:
            gone.append(each)
    return gone


def _remove(gone: list[_Kept]) -> None:
    for each in gone:
        each.path.unlink(missing_ok=True)
        try:
            each.path.parent.rmdir()
        except OSError:
            # Others are in it.
            continue


def _owner(path: Path) -> UUID | None:
    try:
        return UUID(path.parent.name)
    except ValueError:
        return None
