"""Approved clips to a frozen dataset: a folder that never changes, named by what is in it."""

from __future__ import annotations

import hashlib
import json
import math
import wave
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from xttsproject.lib.audio import Audio, read_wav, to_pcm16, write_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_directory, sha256_of
from xttsproject.lib.progress import Progress, Silent

CLIP_RATE = 22_050
"""Hertz at which XTTS's GPT and DVAE take sound."""
MANIFEST = "manifest.jsonl"
READ_ONLY = 0o444

Split = Literal["train", "validation"]


@dataclass(frozen=True)
class Item:
    """One approved segment.

    ``start`` and ``end`` are seconds of ``master`` (mono 16-bit WAV); ``source`` tells the recordings apart, best by
    what is in them, so that the same recordings are split alike everywhere; ``id`` names the clip's file and must be
    unique; ``text`` is what the model shall learn to speak, ``raw`` the transcript as it was written.
    """

    id: str
    source: str
    master: Path
    start: float
    end: float
    text: str
    language: str
    speaker: str
    split: Split = "train"
    raw: str = ""


@dataclass(frozen=True)
class FrozenClip:
    """``audio`` is relative to the folder; ``sha256`` is of its 16-bit samples; ``sound``: see :func:`sound_hash`."""

    id: str
    audio: str
    seconds: float
    sha256: str
    sound: str
    split: Split


@dataclass(frozen=True)
class Frozen:
    """``hash`` is 64 hexadecimal digits and depends on sound, text, language and split alone; ``manifest_sha256`` is of
    the manifest's bytes, ``rows`` are its lines."""

    hash: str
    folder: Path
    manifest: Path
    manifest_sha256: str
    rows: tuple[Mapping[str, Any], ...]
    clips: tuple[FrozenClip, ...]
    train_clips: int
    validation_clips: int
    train_seconds: float
    validation_seconds: float
    bytes: int


def freeze(items: Sequence[Item], target_dir: Path, *, progress: Progress | None = None) -> Frozen:
    """Write ``clips/<id>.wav`` (22 050 Hz mono 16-bit) and ``manifest.jsonl`` into a new folder, whole or not at all.

    A line of the manifest: {"id", "audio", "text", "raw", "language", "split", "speaker", "seconds", "recording",
    "start", "end", "sound", "sha256"}; ``recording`` numbers the recordings from 1 in the order in which they come,
    ``start`` and ``end`` are seconds of it. Every file is read-only. Raises ``Cancelled``, ``ValueError`` for ids that
    cannot be file names or repeat, and DomainError ``dataset_empty``, ``clip_missing`` (a master is gone or ends before
    the segment) or ``text_missing``.
    """
    progress = progress or Silent()
    target_dir = Path(target_dir)
    _check(items)
    clips: list[FrozenClip] = []
    rows: list[Mapping[str, Any]] = []
    recordings = {source: number for number, source in enumerate(dict.fromkeys(item.source for item in items), start=1)}
    size = 0
    with atomic_directory(target_dir) as folder:
        (folder / "clips").mkdir()
        with open(folder / MANIFEST, "w", encoding="utf-8") as lines:
            for index, item in enumerate(items):
                progress.check()
                clip, row = _write_clip(folder, item, recordings[item.source])
                clips.append(clip)
                rows.append(row)
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
                size += (folder / clip.audio).stat().st_size
                progress.report((index + 1) / len(items), "writing clips")
        size += (folder / MANIFEST).stat().st_size
        (folder / MANIFEST).chmod(READ_ONLY)
        manifest_sha256 = sha256_of(folder / MANIFEST)
    train = [clip.seconds for clip in clips if clip.split == "train"]
    validation = [clip.seconds for clip in clips if clip.split == "validation"]
    return Frozen(
        hash=content_hash(
            (clip.sound, item.text, item.language, item.split) for clip, item in zip(clips, items, strict=True)
        ),
        folder=target_dir,
        manifest=target_dir / MANIFEST,
        manifest_sha256=manifest_sha256,
        rows=tuple(rows),
        clips=tuple(clips),
        train_clips=len(train),
        validation_clips=len(validation),
        train_seconds=round(math.fsum(train), 3),
        validation_seconds=round(math.fsum(validation), 3),
        bytes=size,
    )


def content_hash(rows: Iterable[tuple[str, str, str, str]]) -> str:
    """SHA-256 over rows of (sound's hash, text, language, split), whatever their order."""
    digest = hashlib.sha256()
    for row in sorted(rows):
        # JSON marks where a field ends, so no two different rows read alike.
        digest.update(json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n")
    return digest.hexdigest()


def _check(items: Sequence[Item]) -> None:
    if not items:
        raise DomainError("dataset_empty", "No approved segment is in this dataset; approve some first.")
    seen: set[str] = set()
    for item in items:
        if not item.id or Path(item.id).name != item.id or item.id in {".", ".."} or "\\" in item.id:
            raise ValueError(f"A clip's id must be usable as a file name, got {item.id!r}.")
        if item.id in seen:
            raise ValueError(f"Each clip's id must be unique, {item.id!r} is not.")
        seen.add(item.id)
        if not item.text.strip():
            raise DomainError("text_missing", f"Segment {item.id} has no text; write what is said in it or reject it.")


def sound_hash(stretch: Audio) -> str:
    """SHA-256 of a stretch of a master: its rate in hertz and its 16-bit samples.

    Of the master and not of the clip that is made from it, because resampling computes with floating-point numbers,
    whose last bit may differ from one processor to another; these samples are integers that are only copied.
    """
    return hashlib.sha256(b"%d\n" % stretch.sample_rate + to_pcm16(stretch.samples)).hexdigest()


def _write_clip(folder: Path, item: Item, recording: int) -> tuple[FrozenClip, dict[str, object]]:
    stretch = _read_stretch(item)
    audio = stretch.at_rate(CLIP_RATE)
    name = f"clips/{item.id}.wav"
    write_wav(folder / name, audio)
    (folder / name).chmod(READ_ONLY)
    seconds = round(audio.seconds, 3)
    sha256, sound = samples_hash(audio), sound_hash(stretch)
    row = {
        "id": item.id,
        "audio": name,
        "text": item.text,
        "raw": item.raw or item.text,
        "language": item.language,
        "split": item.split,
        "speaker": item.speaker,
        "seconds": seconds,
        "recording": recording,
        "start": round(item.start, 3),
        "end": round(item.end, 3),
        "sound": sound,
        "sha256": sha256,
    }
    return FrozenClip(item.id, name, seconds, sha256, sound, item.split), row


def samples_hash(audio: Audio) -> str:
    """SHA-256 of 16-bit samples, whatever the header around them."""
    return hashlib.sha256(to_pcm16(audio.samples)).hexdigest()


def _read_stretch(item: Item) -> Audio:
    """The segment from its master; a stretch that is not wholly there is an error, not a shorter clip."""
    try:
        audio = read_wav(item.master, item.start, item.end)
    except FileNotFoundError as error:
        raise DomainError(
            "clip_missing", f"The sound of segment {item.id} is gone from the disk; process its recording again."
        ) from error
    except (OSError, EOFError, ValueError, wave.Error) as error:
        raise DomainError(
            "clip_missing", f"The sound of segment {item.id} cannot be read ({error}); process its recording again."
        ) from error
    if abs(audio.seconds - (item.end - item.start)) > 0.01 or not audio.samples.size:
        raise DomainError(
            "clip_missing",
            f"Segment {item.id} reaches from {item.start:.2f} s to {item.end:.2f} s, beyond the end of its recording; "
            "process the recording again.",
        )
    return audio
