"""The clips of a dataset version that a run really uses, and those it leaves out, with the reason for each."""

from __future__ import annotations

import hashlib
import json
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress
from xttsproject.xtts.languages import language_names, validate_language
from xttsproject.xtts.limits import (
    MODEL_RATE,
    SAMPLES_PER_CODE,
    Encode,
    Limits,
    Problem,
    length_problem,
    text_tokens,
)


@dataclass(frozen=True)
class Clip:
    """``samples`` counts at MODEL_RATE, whatever the file's own rate."""

    id: str
    audio: Path
    text: str
    language: str
    speaker: str
    samples: int
    tokens: tuple[int, ...]

    @property
    def codes(self) -> int:
        return -(-self.samples // SAMPLES_PER_CODE)


@dataclass(frozen=True)
class LeftOut:
    """``code`` of the reason: those of :class:`xttsproject.xtts.limits.Problem`, and of what is wrong with a file
    ``clip_missing``, ``clip_unreadable``, ``clip_altered``."""

    id: str
    reason: str
    code: str


@dataclass(frozen=True)
class Dataset:
    train: tuple[Clip, ...]
    validation: tuple[Clip, ...]
    left_out: tuple[LeftOut, ...]


def read_dataset(manifest: Path, language: str, encode: Encode, limits: Limits, progress: Progress) -> Dataset:
    """Check every clip of a manifest before anything is computed.

    ``language`` counts for lines that name none. DomainError: ``manifest_missing``, ``manifest_invalid`` (with the
    line's number), ``language_unsupported``, ``dataset_empty`` (no clip left to train on).
    """
    default = validate_language(language)
    if default not in limits.languages:
        raise DomainError(
            "language_unsupported",
            f"The model does not speak {language_names([default])}; it speaks {language_names(limits.languages)}.",
            field="language",
        )
    splits: dict[str, list[Clip]] = {"train": [], "validation": []}
    left_out: list[LeftOut] = []
    seen: set[str] = set()
    for number, line in _lines(manifest):
        progress.check()
        clip_id, split = str(line["id"]), line["split"]
        if split not in splits:
            raise _invalid(manifest, number, f"split must be train or validation, got {split!r}")
        if clip_id in seen:
            raise _invalid(manifest, number, f"the id {clip_id!r} stands there twice")
        seen.add(clip_id)
        found = _examine(manifest.parent, line, str(line.get("language") or default), encode, limits)
        if isinstance(found, Problem):
            left_out.append(LeftOut(clip_id, found.reason, found.code))
        else:
            splits[split].append(found)
    if not splits["train"]:
        raise nothing_left(left_out, len(seen))
    return Dataset(tuple(splits["train"]), tuple(splits["validation"]), tuple(left_out))


def nothing_left(left_out: Sequence[LeftOut], clips: int) -> DomainError:
    """The refusal of a dataset of which no clip can be trained on, with what is wrong with the first."""
    why = f" ({left_out[0].id}: {left_out[0].reason})" if left_out else ""
    return DomainError(
        "dataset_empty", f"No clip is left to train on: {len(left_out)} of {clips} were left out{why}.", field="version"
    )


def _lines(manifest: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        text = manifest.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DomainError("manifest_missing", f"The dataset's manifest {manifest} is not there.") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise _invalid(manifest, number, f"it is no JSON ({error})") from error
        missing = [
            name for name in ("id", "audio", "text", "split") if not isinstance(value, dict) or name not in value
        ]
        if missing:
            raise _invalid(manifest, number, f"it lacks {', '.join(missing)}")
        yield number, value


def _invalid(manifest: Path, number: int, what: str) -> DomainError:
    return DomainError("manifest_invalid", f"Line {number} of {manifest.name} cannot be used: {what}.")


def _examine(folder: Path, line: dict[str, Any], language: str, encode: Encode, limits: Limits) -> Clip | Problem:
    """The clip, or why it is left out."""
    path, text = folder / str(line["audio"]), str(line["text"]).strip()
    measured = _measure(path, str(line["audio"]), str(line.get("sha256") or ""))
    if isinstance(measured, Problem):
        return measured
    problem = length_problem(measured, limits.max_samples)
    tokens = problem or text_tokens(text, language, encode, limits)
    if isinstance(tokens, Problem):
        return tokens
    language = validate_language(language)
    speaker = str(line.get("speaker") or "")
    return Clip(str(line["id"]), path, text, language, speaker, measured, tokens)


def _measure(path: Path, name: str, sha256: str) -> int | Problem:
    """Samples at MODEL_RATE, or what is wrong with the file. ``sha256`` is what its samples had when they were frozen,
    "" where the manifest does not say."""
    try:
        with wave.open(str(path), "rb") as handle:
            if handle.getsampwidth() != 2 or handle.getnchannels() != 1:
                return Problem("clip_unreadable", f"{name} is not 16-bit mono")
            frames, rate = handle.getnframes(), handle.getframerate()
            samples = handle.readframes(frames) if sha256 else b""
    except FileNotFoundError:
        return missing_file(name)
    except (OSError, EOFError, wave.Error) as error:
        return Problem("clip_unreadable", f"{name} is no WAV file that can be read ({error})")
    if path.stat().st_size < 2 * frames:
        return Problem("clip_altered", f"{name} is cut short: its header promises {frames / rate:.1f} s")
    if sha256 and hashlib.sha256(samples).hexdigest() != sha256:
        return Problem("clip_altered", f"{name} is not the sound that was frozen")
    return round(frames * MODEL_RATE / rate)


def missing_file(name: str) -> Problem:
    """Of a clip that is gone from the disk."""
    return Problem("clip_missing", f"{name} is not there")
