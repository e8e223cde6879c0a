"""The health of a frozen version: computed when it is frozen or asked for, kept with it, shown at no cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.utils import timezone

from datasets.choices import VersionState
from datasets.models import DatasetVersion
from datasets.pipeline.advice import advise, summary
from datasets.pipeline.frozen import MeasuredClip, measure_clips, read_rows
from datasets.pipeline.health import FORMAT, health, health_as_dict
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_start
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress
from xttsproject.xtts.config import known_characters


def version_health(*, version: DatasetVersion) -> dict[str, Any]:
    """What is stored: see :func:`datasets.pipeline.health.health_as_dict`, with ``advice`` (see
    :class:`datasets.pipeline.advice.Advice`), ``summary`` and ``bundle`` (whose tokenizer was asked; "" for none).

    Empty where a version was never measured, or by code whose figures this one cannot read.
    """
    stored: dict[str, Any] = version.health
    return stored if stored.get("format") == FORMAT else {}


def version_health_start(*, version: DatasetVersion, owner: Any) -> Job:
    """Start the job that measures a version and checks its files. DomainError ``version_not_ready``."""
    if version.state != VersionState.READY:
        raise DomainError(
            "version_not_ready", f"“{version}” is {version.get_state_display().lower()}; only a ready one has a health."
        )
    return job_start(kind="datasets.health", title=f"Measure “{version}”", owner=owner, subject=version)


def version_measure(*, version: DatasetVersion, progress: Progress) -> None:
    """Measure every clip anew and compare it with what was frozen. DomainErrors ``manifest_missing``,
    ``version_damaged`` (of the manifest; a damaged clip is a finding)."""
    rows = read_rows(version.manifest_path, version.manifest_sha256, str(version))
    clips = measure_clips(version.folder, rows, progress)
    fields = health_fields(clips=clips, language=version.dataset.language)
    DatasetVersion.objects.filter(pk=version.pk).update(**fields)
    version.refresh_from_db()


def health_fields(*, clips: Sequence[MeasuredClip], language: str) -> dict[str, Any]:
    """The columns of a version that hold its health."""
    try:
        known, bundle = known_characters(settings.MODELS_DIR / settings.XTTS_BUNDLE), settings.XTTS_BUNDLE
    except DomainError:
        # Datasets are made before there is a model, too; the rest is as true without it.
        known, bundle = None, ""
    found = health(clips, language, known)
    said = advise(found)
    told = {
        **health_as_dict(found),
        "bundle": bundle,
        "advice": [advice.as_dict() for advice in said],
        "summary": summary(found, said),
    }
    return {"health": told, "measured_at": timezone.now()}
