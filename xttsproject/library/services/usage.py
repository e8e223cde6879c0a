"""What uses a model, and deleting one that nothing uses."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.expressions import Window
from django.db.models.functions import RowNumber

from datasets.models import SourceVideo
from training.choices import ACTIVE_STATES
from training.models import Sweep, TrainingRun
from voices.models import Voice
from xttsproject import storage
from xttsproject.bundles.manifest import MANIFEST_FILE
from xttsproject.lib.errors import DomainError
from xttsproject.library.models import UNDER_WAY, ModelImport

SETTINGS = ("XTTS_BUNDLE", "WHISPER_BUNDLE", "WHISPER_SECOND_BUNDLE")
DELETED = ".deleted-"
_NAMED = 3


def bundle_uses(*, name: str, user: Any) -> list[str]:
    """What uses the bundle of that folder name, in words: by name what ``user`` may see, and to staff by
    number the rest."""
    return bundles_uses(names=[name], user=user)[name]


def bundles_uses(*, names: Sequence[str], user: Any) -> dict[str, list[str]]:
    """The same of several bundles, with as many queries as of one."""
    uses = {
        name: [f"the setting {variable}" for variable in SETTINGS if getattr(settings, variable) == name]
        for name in names
    }
    for kind, field, label, rows in (
        ("voice", "bundle", "name", Voice.objects.all()),
        ("training run", "bundle", "name", TrainingRun.objects.all()),
        # One that has ended needs its trials' model alone, and those are runs.
        ("sweep at work", "bundle", "name", Sweep.objects.filter(state__in=ACTIVE_STATES)),
        ("recording", "transcriber", "title", SourceVideo.objects.all()),
    ):
        among: Any = rows.filter(**{f"{field}__in": names})
        mine = among.visible_to(user)
        # How much others have is the business of those who run the portal.
        counts = (among if user.is_staff else mine).order_by().values_list(field).annotate(models.Count("pk"))
        place = Window(RowNumber(), partition_by=models.F(field), order_by=label)
        seen: dict[str, list[str]] = {}
        for name, title in (
            mine.annotate(place=place).filter(place__lte=_NAMED).order_by(label).values_list(field, label)
        ):
            seen.setdefault(name, []).append(title)
        for name, count in counts:
            uses[name].append(_words(kind, count, seen.get(name, [])))
    imports = ModelImport.objects.visible_to(user).filter(base__in=names, state__in=UNDER_WAY)
    for name, title in imports.values_list("base", "name"):
        uses[name].append(f"the import of “{title}” that is under way")
    return uses


def bundle_delete(*, name: str, user: Any) -> None:
    """Delete a bundle. DomainErrors: ``forbidden``, ``model_unknown``, and ``in_use``, which says by what."""
    if not user.is_staff:
        raise DomainError("forbidden", "Only those who run the portal delete models.")
    folder = storage.bundle_dir(name)
    if name.startswith(".") or Path(name).name != name or not (folder / MANIFEST_FILE).is_file():
        raise DomainError("model_unknown", f"There is no model “{name}” to delete.", field="name")
    _refuse_used(name, user)
    # Out of sight in one step; whoever began to use it in between is found out before anything is lost.
    hidden = Path(tempfile.mkdtemp(prefix=f"{DELETED}{name}-", dir=folder.parent))
    os.replace(folder, hidden)
    try:
        _refuse_used(name, user)
    except DomainError:
        os.replace(hidden, folder)
        raise
    storage.remove_tree(hidden)


def _refuse_used(name: str, user: Any) -> None:
    uses = bundle_uses(name=name, user=user)
    if uses:
        raise DomainError(
            "in_use", f"“{name}” is still used by {_listed(uses)}; delete or change that first.", field="name"
        )


def _words(kind: str, count: int, seen: list[str]) -> str:
    """“the voices “A” and “B””, “the voice “A” and 2 others”, “3 voices of others”."""
    if not seen:
        return f"{count} {kind if count == 1 else _plural(kind)} of other people"
    rest = count - len(seen)
    named = [f"“{each}”" for each in seen]
    kinds = kind if len(seen) == 1 else _plural(kind)
    if rest:
        return f"the {kinds} {', '.join(named)} and {rest} more"
    return f"the {kinds} {_listed(named)}"


def _plural(kind: str) -> str:
    """“sweeps at work”."""
    return kind.replace(" at work", "s at work") if kind.endswith(" at work") else f"{kind}s"


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
