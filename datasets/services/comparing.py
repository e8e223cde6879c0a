"""Two frozen versions side by side, and the sound of their clips."""

from __future__ import annotations

from pathlib import Path

from datasets.choices import VersionState
from datasets.models import DatasetVersion
from datasets.pipeline.comparing import KINDS, Comparison, compare
from datasets.pipeline.frozen import read_rows
from xttsproject.lib.errors import DomainError


def versions_compare(*, before: DatasetVersion, after: DatasetVersion) -> Comparison:
    """What changed from one version to another, by their manifests.

    DomainErrors ``version_not_ready``, ``same_version``, and those of reading a manifest.
    """
    if before.pk == after.pk:
        raise DomainError("same_version", "Choose two different versions to compare.", field="base")
    for version in (before, after):
        if version.state != VersionState.READY:
            raise DomainError(
                "version_not_ready",
                f"“{version}” is {version.get_state_display().lower()}; only versions that are ready can be compared.",
                field="base" if version is before else None,
            )
    rows = [read_rows(version.manifest_path, version.manifest_sha256, str(version)) for version in (before, after)]
    return compare(*rows)


def kind_checked(kind: str) -> str:
    """A kind of change, or "" for all. DomainError ``kind_unknown``."""
    if kind and kind not in KINDS:
        raise DomainError(
            "kind_unknown", f"“{kind}” is no kind of change; use one of {', '.join(KINDS)}.", field="kind"
        )
    return kind


def version_clip_path(*, version: DatasetVersion, clip: str) -> Path:
    """The file of a frozen clip by its id. DomainError ``clip_unknown``."""
    path = version.folder / "clips" / f"{clip}.wav"
    # An id is a plain name; anything else must not lead out of the folder.
    if version.state != VersionState.READY or path.name != f"{clip}.wav" or "\\" in clip or not path.is_file():
        raise DomainError("clip_unknown", f"“{version}” has no clip “{clip}”.")
    return path
