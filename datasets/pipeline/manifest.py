"""Approved clips to a frozen dataset: a folder that never changes, named by what is in it."""

from __future__ import annotations

import hashlib
import json
import math
import random
import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from xttsproject.lib.audio import Audio, read_wav, to_pcm16, write_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_directory
from xttsproject.lib.progress import Progress, Silent

CLIP_RATE = 22_050
"""Hertz at which XTTS's GPT and DVAE take sound."""
MANIFEST = "manifest.jsonl"

Split = Literal["train", "validation"]


@dataclass(frozen=True)
class Item:
    """One approved segment.

    ``start`` and ``end`` are seconds of ``master`` (mono 16-bit WAV); ``source`` tells the recordings apart; ``id``
    names the clip's file and must be unique; ``text`` is what the model shall learn to speak, ``raw`` the transcript
    as it was written.
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
    """``audio`` is relative to the folder; ``sha256`` is of the sound's 16-bit samples."""

    id: str
    audio: str
    seconds: float
    sha256: str
    split: Split


@dataclass(frozen=True)
class Frozen:
    """``hash`` is 64 hexadecimal digits and depends on sound, text, language and split alone."""

    hash: str
    folder: Path
    manifest: Path
    clips: tuple[FrozenClip, ...]
    train_clips: int
    validation_clips: int
    train_seconds: float
    validation_seconds: float
    bytes: int


def split_by_source(items: Sequence[Item], validation_share: float = 0.1, seed: int = 0) -> list[Item]:
    """The same items in the same order, each with its ``split``; the same input gives the same answer.

    With several recordings whole recordings go to validation, drawn by ``seed`` until the share of seconds is met as
    closely as it can be; none is ever on both sides. With one recording its last part in time does. Two clips or more
    always leave at least one on either side; a single clip trains.
    """
    if not 0 <= validation_share < 1:
        raise ValueError(f"validation_share lies within 0..1 (1 excluded), got {validation_share}.")
    if len(items) < 2:
        return [replace(item, split="train") for item in items]
    sources = sorted({item.source for item in items})
    chosen = _last_part(items, validation_share) if len(sources) == 1 else _some_sources(items, validation_share, seed)
    return [replace(item, split="validation" if index in chosen else "train") for index, item in enumerate(items)]


def _last_part(items: Sequence[Item], share: float) -> set[int]:
    order = sorted(range(len(items)), key=lambda index: (items[index].start, items[index].end, items[index].text))
    count = min(max(1, round(share * len(items))), len(items) - 1)
    return set(order[-count:])


def _some_sources(items: Sequence[Item], share: float, seed: int) -> set[int]:
    seconds: dict[str, float] = {}
    for item in items:
        seconds[item.source] = seconds.get(item.source, 0.0) + item.end - item.start
    wanted = share * sum(seconds.values())
    order = sorted(seconds)
    random.Random(seed).shuffle(order)  # noqa: S311 - a draw that must repeat, not a secret
    chosen: list[str] = []
    held = 0.0
    for source in order:
        if len(chosen) + 1 < len(order) and abs(held + seconds[source] - wanted) < abs(held - wanted):
            chosen.append(source)
            held += seconds[source]
    if not chosen:
        chosen = [min(order, key=lambda source: (seconds[source], source))]
    return {index for index, item in enumerate(items) if item.source in chosen}


def freeze(items: Sequence[Item], target_dir: Path, *, progress: Progress | None = None) -> Frozen:
    """Write ``clips/<id>.wav`` (22 050 Hz mono 16-bit) and ``manifest.jsonl`` into a new folder, whole or not at all.

    A line of the manifest: {"id", "audio", "text", "language", "split", "speaker", "seconds"}. Raises ``Cancelled``,
    ``ValueError`` for ids that cannot be file names or repeat, and DomainError ``dataset_empty``, ``clip_missing``
    (a master is gone or ends before the segment) or ``text_missing``.
    """
    progress = progress or Silent()
    target_dir = Path(target_dir)
    _check(items)
    clips: list[FrozenClip] = []
    size = 0
    with atomic_directory(target_dir) as folder:
        (folder / "clips").mkdir()
        with open(folder / MANIFEST, "w", encoding="utf-8") as lines:
            for index, item in enumerate(items):
                progress.check()
                clip, row = _write_clip(folder, item)
                clips.append(clip)
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
                size += (folder / clip.audio).stat().st_size
                progress.report((index + 1) / len(items), "writing clips")
        size += (folder / MANIFEST).stat().st_size
    train = [clip.seconds for clip in clips if clip.split == "train"]
    validation = [clip.seconds for clip in clips if clip.split == "validation"]
    return Frozen(
        hash=content_hash(
            (clip.sha256, item.text, item.language, item.split) for clip, item in zip(clips, items, strict=True)
        ),
        folder=target_dir,
        manifest=target_dir / MANIFEST,
        clips=tuple(clips),
        train_clips=len(train),
        validation_clips=len(validation),
        train_seconds=round(math.fsum(train), 3),
        validation_seconds=round(math.fsum(validation), 3),
        bytes=size,
    )


def content_hash(rows: Iterable[tuple[str, str, str, str]]) -> str:
    """SHA-256 over rows of (sound's SHA-256, text, language, split), whatever their order."""
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


def _write_clip(folder: Path, item: Item) -> tuple[FrozenClip, dict[str, object]]:
    audio = _read_stretch(item).at_rate(CLIP_RATE)
    name = f"clips/{item.id}.wav"
    write_wav(folder / name, audio)
    sha256 = hashlib.sha256(to_pcm16(audio.samples)).hexdigest()
    seconds = round(audio.seconds, 3)
    row = {
        "id": item.id,
        "audio": name,
        "text": item.text,
        "raw": item.raw or item.text,
        "language": item.language,
        "split": item.split,
        "speaker": item.speaker,
        "seconds": seconds,
    }
    return FrozenClip(item.id, name, seconds, sha256, item.split), row


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
