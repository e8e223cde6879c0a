"""Giving a dataset in, and what of it lies on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from datasets.models import DatasetImport
from datasets.services.importing import import_upload
from xttsproject.jobs.models import Job


def upload(path: Path) -> SimpleUploadedFile:
    return SimpleUploadedFile(path.name, path.read_bytes())


def given_in(owner: Any, speaker: Any, path: Path, **options: Any) -> tuple[DatasetImport, Job]:
    return import_upload(owner=owner, speaker=speaker, language="en", file=upload(path), **options)


def files_below(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
