"""Folders of recordings that lie on this machine: each file is taken, known again, or left out with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from datasets.models import SourceVideo, Speaker
from datasets.pipeline.captions import FORMATS, UNKNOWN, language_tag
from datasets.services.captions import captions_add
from datasets.services.uploads import source_from_path
from xttsproject.accounts.models import Visibility
from xttsproject.lib.errors import DomainError

Outcome = Literal["added", "here", "skipped", "refused"]
# In a folder of recordings lie notes and covers too; named on the command line they would be a mistake.
_NO_RECORDING = frozenset({"not_media", "no_audio"})


@dataclass(frozen=True)
class Ingested:
    """What became of one file. ``source`` is the recording that it is now or was already; ``message`` says why not."""

    path: Path
    outcome: Outcome
    source: SourceVideo | None = None
    message: str = ""


def paths_ingest(
    *,
    owner: Any,
    speaker: Speaker,
    language: str,
    paths: Iterable[Path],
    visibility: str = Visibility.PRIVATE,
) -> Iterator[Ingested]:
    """Take files, and all below folders, as recordings of ``owner``; says of each what became of it as it goes.

    The files stay where they are. Run again, it takes what is new: bytes that are already here are known by their
    SHA-256, so an interruption at any moment costs the file under way alone. Captions beside a recording
    (``talk.vtt``, ``talk.en.srt``) are kept with it.
    """
    for path, named in _files(paths):
        try:
            source, _job = source_from_path(
                owner=owner, speaker=speaker, language=language, path=path, visibility=visibility
            )
        except DomainError as error:
            if "recording" in error.about:
                there = SourceVideo.objects.filter(pk=error.about["recording"]).first()
                yield Ingested(path, "here", there, error.message)
            else:
                skipped = error.code in _NO_RECORDING and not named
                yield Ingested(path, "skipped" if skipped else "refused", None, error.message)
        except OSError as error:
            yield Ingested(path, "refused", None, f"{path.name} cannot be read: {error.strerror or error}.")
        else:
            yield Ingested(path, "added", source, _keep_captions(source, path))


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """(file, whether it was named itself), each once, in the order of their names.

    Hidden files and folders are not recordings; links to folders are not followed, so there is no going in circles.
    """
    seen: set[Path] = set()
    for path in paths:
        if not path.is_dir():
            found, named = [path], True
        else:
            found, named = sorted(_below(path)), False
        for file in found:
            if (known := file.resolve()) not in seen:
                seen.add(known)
                yield file, named


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if not path.is_symlink():
                yield from _below(path)
        elif path.is_file() and path.suffix.lower() not in FORMATS:
            yield path


def _keep_captions(source: SourceVideo, path: Path) -> str:
    """Captions files beside the recording, by its name; what could not be kept, in words."""
    problems = []
    for beside in sorted(path.parent.glob("*")):
        if beside.suffix.lower() not in FORMATS or not beside.is_file():
            continue
        stem, _, language = beside.stem.partition(f"{path.stem}.")
        if beside.stem == path.stem:
            language = source.language
        elif stem or not language or language_tag(language) == UNKNOWN:
            continue
        try:
            captions_add(source=source, path=beside, language=language)
        except DomainError as error:
            problems.append(error.message)
    return " ".join(problems)
