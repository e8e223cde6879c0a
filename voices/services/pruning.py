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

    What is pinned stays, and has its room before all others. May run at any time and twice at once. With ``dry_run``
    nothing is deleted and the same is counted.
    """
    aged, crowded, unknown, freed = 0, 0, 0, 0
    oldest = timezone.now() - timedelta(days=settings.SPEECH_KEEP_DAYS) if settings.SPEECH_KEEP_DAYS else None
    room = settings.SPEECH_KEEP_GB * _GB if settings.SPEECH_KEEP_GB else None
    kept = 0
    # The newest first: they have the room before the others.
    for synthesis in Synthesis.objects.only("pinned", "created_at").order_by("-pinned", "-created_at").iterator():
        size = _size(synthesis.audio_path)
        if synthesis.pinned:
            kept += size
            continue
        too_old = oldest is not None and synthesis.created_at < oldest
        if not too_old and (room is None or kept + size <= room):
            kept += size
            continue
        aged, crowded, freed = aged + too_old, crowded + (not too_old), freed + size
        if not dry_run:
            synthesis_delete(synthesis=synthesis)
    for path in _unknown_files():
        unknown, freed = unknown + 1, freed + _size(path)
        if not dry_run:
            path.unlink(missing_ok=True)
    return Pruned(aged, crowded, unknown, freed)


def _unknown_files() -> Iterator[Path]:
    """Sound that was being written when its process died, and was not touched for a day."""
    limit = time.time() - _DAY
    files = (path for path in Path(settings.MEDIA_ROOT, "speech").glob("*/*/*.wav") if _touched(path) <= limit)
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


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
