"""A frozen folder read back: its manifest, and whether its clips are still what was frozen."""

from __future__ import annotations

import hashlib
import json
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datasets.pipeline.manifest import samples_hash
from datasets.pipeline.quality import measure
from datasets.pipeline.screening.loudness import loudness_lufs
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress, Silent

Row = Mapping[str, Any]


@dataclass(frozen=True)
class MeasuredClip:
    """``measures``: those of :class:`datasets.pipeline.quality.Quality`, and ``loudness_lufs``; empty where the sound
    cannot be read. ``problem`` completes “clip … is …”, and is empty for a clip that is as it was frozen."""

    row: Row
    measures: Mapping[str, float | None]
    problem: str = ""


def read_rows(manifest: Path, sha256: str, name: str) -> list[dict[str, Any]]:
    """The lines of a manifest, see :func:`datasets.pipeline.manifest.freeze`.

    ``sha256`` is what its bytes had when it was frozen ("" where that is not known), ``name`` what people call the
    version. DomainErrors ``manifest_missing``, ``version_damaged``.
    """
    try:
        raw = manifest.read_bytes()
    except FileNotFoundError:
        raise DomainError("manifest_missing", f"The files of “{name}” are gone from the disk; freeze anew.") from None
    if sha256 and hashlib.sha256(raw).hexdigest() != sha256:
        raise DomainError(
            "version_damaged",
            f"The manifest of “{name}” is not the one that was frozen: somebody has changed the file. Put it back from "
            "a backup, or freeze anew.",
        )
    try:
        # Not by splitlines(): a text may hold separators that JSON leaves as they are.
        return [json.loads(line) for line in raw.decode("utf-8").split("\n") if line]
    except ValueError as error:
        raise DomainError(
            "version_damaged", f"The manifest of “{name}” cannot be read ({error}); freeze anew."
        ) from error


def measure_clips(folder: Path, rows: Sequence[Row], progress: Progress | None = None) -> list[MeasuredClip]:
    """Read, check and measure every clip. Raises ``Cancelled``."""
    progress = progress or Silent()
    measured = []
    for number, row in enumerate(rows, start=1):
        progress.check()
        measured.append(_measured(folder, row))
        progress.report(number / len(rows), "measuring clips")
    return measured


def _measured(folder: Path, row: Row) -> MeasuredClip:
    try:
        audio = read_wav(folder / str(row["audio"]))
    except FileNotFoundError:
        return MeasuredClip(row, {}, "gone from the disk")
    except (OSError, EOFError, ValueError, wave.Error) as error:
        return MeasuredClip(row, {}, f"not readable ({error})")
    # A manifest that was written before it carried sums says nothing to compare with.
    known = str(row.get("sha256") or "")
    problem = "another sound than was frozen" if known and known != samples_hash(audio) else ""
    measures: dict[str, float | None] = measure(audio, str(row["text"])).as_dict()
    measures["loudness_lufs"] = loudness_lufs(audio.samples.astype(np.float64), audio.sample_rate)
    return MeasuredClip(row, measures, problem)
