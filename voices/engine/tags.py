"""What a file of speech says of itself: that it is synthetic, and what spoke."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Names as FFmpeg has them, in RIFF's words (Microsoft's RIFF INFO list).
_INFO = {"title": b"INAM", "artist": b"IART", "comment": b"ICMT", "date": b"ICRD", "encoded_by": b"ISFT"}
_RIFF_HEADER = 8
_SIZE_LIMIT = 2**32 - 1


@dataclass(frozen=True)
class Spoke:
    """Who speaks in a file, and with what; ``checkpoint`` is empty where the base model does."""

    voice: str
    bundle: str
    checkpoint: str


def speech_tags(*, text: str, spoke: Sequence[Spoke], date: str) -> Mapping[str, str]:
    """Of a file in which these speak: that it is synthetic, by which model and checkpoint and with which voices."""
    by_model: dict[tuple[str, str], list[str]] = {}
    for each in spoke:
        by_model.setdefault((each.bundle, each.checkpoint), []).append(f"“{each.voice}”")
    spoken = "; ".join(
        f"by the XTTS model {bundle}{f', fine-tuned ({checkpoint})' if checkpoint else ''} "
        f"with the voice {', '.join(voices)}"
        for (bundle, checkpoint), voices in by_model.items()
    )
    title = " ".join(text.split())
    return {
        "title": title if len(title) <= 100 else f"{title[:99]}…",
        "artist": ", ".join(dict.fromkeys(each.voice for each in spoke)),
        "comment": f"Synthetic speech, not a recording of a person: spoken {spoken}.",
        "date": date,
        "encoded_by": "XTTS voice portal",
    }


def tag_wav(path: Path, tags: Mapping[str, str], marks: Sequence[tuple[int, str]] = ()) -> None:
    """Add the tags to the end of a WAV as a RIFF INFO list; readers that do not know them pass over them.

    ``marks`` are places within the sound, as samples and what they are called: cue points with labels.
    """
    with open(path, "r+b") as handle:
        added = info_chunk(tags) + (_cue_chunks(marks) if marks else b"")
        end = handle.seek(0, 2)
        if end % 2:
            added = b"\0" + added
        if end + len(added) - _RIFF_HEADER > _SIZE_LIMIT:
            return
        handle.write(added)
        handle.seek(4)
        handle.write(struct.pack("<I", end + len(added) - _RIFF_HEADER))


def info_chunk(tags: Mapping[str, str]) -> bytes:
    """The tags as a RIFF INFO list."""
    chunks = b"".join(_chunk(_INFO[name], value.encode() + b"\0") for name, value in tags.items() if name in _INFO)
    return _chunk(b"LIST", b"INFO" + chunks)


def _cue_chunks(marks: Sequence[tuple[int, str]]) -> bytes:
    """Points of the data chunk by number, and a list that names them (Microsoft's Multimedia Data Standards, 1994)."""
    points = b"".join(
        struct.pack("<II4sIII", number, sample, b"data", 0, 0, sample) for number, (sample, _) in enumerate(marks, 1)
    )
    labels = b"".join(
        _chunk(b"labl", struct.pack("<I", number) + name.encode() + b"\0") for number, (_, name) in enumerate(marks, 1)
    )
    return _chunk(b"cue ", struct.pack("<I", len(marks)) + points) + _chunk(b"LIST", b"adtl" + labels)


def _chunk(name: bytes, content: bytes) -> bytes:
    """Chunks begin at even places; the size does not count the filling."""
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
