"""Speech does not stay for ever where the settings say so: by age, and by the room that all of it takes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from voices.models import Synthesis
from voices.services.speech import synthesis_delete
from xttsproject import storage
from xttsproject.jobs.choices import ACTIVE_STATES

_GB = 1000**3
_DAY = 24 * 3600.0
_ASKED_TOGETHER = 500
"""Files whose rows are looked for in one query."""


@dataclass(frozen=True)
class Pruned:
    """Syntheses that were too old, more that took too much room, files that nobody knows; and the bytes of all."""

    aged: int
    crowded: int
    unknown: int
    bytes: int

    @property
    def count(self) -> int:
        return self.aged + self.crowded + self.unknown


def speech_prune(*, dry_run: bool = False) -> Pruned:
    """Delete what is older than SPEECH_KEEP_DAYS, then the oldest beyond SPEECH_KEEP_GB, and what dead processes left.

    What is pinned, waiting to be spoken or being spoken stays, and has its room before all others. May run at any time
    and twice at once. With ``dry_run`` nothing is deleted and the same is counted.
    """
    aged, crowded, unknown, freed = 0, 0, 0, 0
    oldest = timezone.now() - timedelta(days=settings.SPEECH_KEEP_DAYS) if settings.SPEECH_KEEP_DAYS else None
    room = settings.SPEECH_KEEP_GB * _GB if settings.SPEECH_KEEP_GB else None
    active = Synthesis.objects.active().only("created_at", "asked")
    kept = sum(_size_of(synthesis) for synthesis in active.iterator())
    # The newest first: they have the room before the others.
    wanted = Synthesis.objects.only("pinned", "created_at", "asked")
    for synthesis in wanted.exclude(state__in=ACTIVE_STATES).order_by("-pinned", "-created_at").iterator():
        size = _size_of(synthesis)
        if synthesis.pinned:
            kept += size
            continue
        too_old = oldest is not None and synthesis.created_at < oldest
        if not too_old and (room is None or kept + size <= room):
            kept += size
            continue
        if Synthesis.objects.active().filter(pk=synthesis.pk).exists():
            # Somebody goes on with it meanwhile.
            continue
        aged, crowded, freed = aged + too_old, crowded + (not too_old), freed + size
        if not dry_run:
            synthesis_delete(synthesis=synthesis)
    for path in _unknown_files():
        unknown, freed = unknown + 1, freed + _size(path)
        if not dry_run:
            storage.remove_tree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return Pruned(aged, crowded, unknown, freed)


def _unknown_files() -> Iterator[Path]:
    """Sound that was being written when its process died, and was not touched for a day; folders of sentences too."""
    limit = time.time() - _DAY
    months = Path(settings.MEDIA_ROOT, "speech")
    # Of a sentence that was half written the dot before its name tells enough: the whole ones are their speech's.
    yield from (path for path in months.glob("*/*/*/.*.wav") if _touched(path) <= limit)
    files = (path for path in months.glob("*/*/*") if _touched(path) <= limit)
    while some := list(itertools.islice(files, _ASKED_TOGETHER)):
        keys = {path: key for path in some if (key := _key(path.stem))}
        known = set(Synthesis.objects.filter(pk__in=keys.values()).values_list("pk", flat=True))
        yield from (path for path in some if keys.get(path) not in known)


def _touched(path: Path) -> float:
    """When it was last written to; in the future where it has gone meanwhile."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _key(stem: str) -> UUID | None:
    try:
        return UUID(stem)
    except ValueError:
        return None


def _size_of(synthesis: Synthesis) -> int:
    """Bytes of the whole and, of a long one, of its sentences."""
    size = _size(synthesis.audio_path)
    return size + _size(synthesis.folder) if synthesis.is_long else size


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(_size(each) for each in path.iterdir())
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
