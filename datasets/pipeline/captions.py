"""Captions that came with a recording: kept as WebVTT, read as cues.

FFmpeg's demuxers find the cues of a WebVTT or SubRip file; what stands between the tags of a cue is its text. Sites
whose captions were heard by a machine show two lines at a time and let them roll, so that each cue repeats the line
before it: the repeated line belongs to the cue that said it first.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.pipeline.wording import bytes_words
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path

FORMATS = {".vtt": "webvtt", ".srt": "srt"}
"""Suffixes that are read, with FFmpeg's names for the formats."""

# An hour of speech in two lines a second is 400 kB; more is no captions file.
MAX_BYTES = 8 * 1024 * 1024
# Cues of rolling captions follow each other within a frame or so.
_ROLLS_WITHIN = 0.1
_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
# The file as it lies in a recording's folder.
_NAME = re.compile(r"captions\.([A-Za-z0-9-]+?)(\.auto)?\.vtt")
UNKNOWN = "und"


@dataclass(frozen=True)
class Cue:
    """``start`` and ``end`` in seconds of the recording; ``text`` on one line, without markup, never empty."""

    start: float
    end: float
    text: str


def read_captions(path: Path) -> list[Cue]:
    """The cues of a WebVTT (``.vtt``) or SubRip (``.srt``) file in order of time.

    DomainError ``captions_unreadable`` for anything else, for a file without cues and for one over ``MAX_BYTES``.
    """
    path = Path(path)
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise DomainError("captions_unreadable", f"{path.name} is no captions file; give a .vtt or .srt file.")
    if path.stat().st_size > MAX_BYTES:
        raise DomainError(
            "captions_unreadable", f"{path.name} is too large for captions; {bytes_words(MAX_BYTES)} are the limit."
        )
    cues = sorted(_unrolled(list(_raw_cues(path, form))), key=lambda cue: (cue.start, cue.end))
    if not cues:
        raise DomainError("captions_unreadable", f"There are no captions in {path.name}.")
    return cues


def write_vtt(path: Path, cues: Iterable[Cue]) -> None:
    """Write cues as a WebVTT file, whole or not at all."""
    blocks = [f"{_clock(cue.start)} --> {_clock(cue.end)}\n{html.escape(cue.text, quote=False)}\n" for cue in cues]
    with atomic_path(path) as temporary:
        temporary.write_text("WEBVTT\n\n" + "\n".join(blocks), encoding="utf-8")


def keep_as_vtt(given: Path, folder: Path, *, language: str, automatic: bool) -> tuple[Path, int]:
    """Put a captions file into ``folder`` as WebVTT: as it is where it is WebVTT, rewritten where it is SubRip.

    Returns the new path and the number of cues. Raises DomainError ``captions_unreadable``.
    """
    cues = read_captions(given)
    target = Path(folder) / file_name(language, automatic=automatic)
    if given.suffix.lower() == ".vtt":
        with atomic_path(target) as temporary:
            temporary.write_bytes(given.read_bytes())
    else:
        write_vtt(target, cues)
    return target, len(cues)


def file_name(language: str, *, automatic: bool) -> str:
    """``captions.en.vtt``, or ``captions.en.auto.vtt`` where a machine heard them."""
    plain = language_tag(language)
    return f"captions.{plain}.auto.vtt" if automatic else f"captions.{plain}.vtt"


def parse_file_name(name: str) -> tuple[str, bool] | None:
    """(language, automatic) of a name that :func:`file_name` made; None for any other."""
    match = _NAME.fullmatch(name)
    return (match[1], bool(match[2])) if match else None


def language_tag(given: str) -> str:
    """A site's name of a language if it is a plain tag ("en", "pt-BR"), else "und" (undetermined)."""
    plain = given.strip().replace("_", "-")
    return plain if _LANGUAGE.fullmatch(plain) else UNKNOWN


def same_language(one: str, other: str) -> bool:
    """Whether two tags name one language, whatever their region: "pt-BR" and "pt"."""
    return one.lower().partition("-")[0] == other.lower().partition("-")[0]


def _raw_cues(path: Path, form: str) -> Iterator[tuple[float, float, list[str]]]:
    """(start, end, lines without markup) as they stand in the file."""
    import av

    try:
        # The format is given, and no protocol may be opened: a file that claims to be a playlist is not followed.
        with (
            open(path, "rb") as handle,
            av.open(handle, mode="r", format=form, options={"protocol_whitelist": "none"}) as read,
        ):
            if not read.streams.subtitles:
                return
            for packet in read.demux(read.streams.subtitles[0]):
                if packet.pts is None or packet.time_base is None or not packet.size:
                    continue
                start = float(packet.pts * packet.time_base)
                end = start + float((packet.duration or 0) * packet.time_base)
                yield max(start, 0.0), max(end, 0.0), _lines(bytes(packet))
    except (av.error.FFmpegError, ValueError) as error:
        raise DomainError("captions_unreadable", f"{path.name} cannot be read as captions.") from error


def _lines(raw: bytes) -> list[str]:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        # Old SubRip files do not say how their letters are coded; this one coding holds for most of them.
        text = raw.decode("cp1252", "replace")
    plain = html.unescape(_TAG.sub("", text))
    return [line for line in (" ".join(line.split()) for line in plain.splitlines()) if line]


def _unrolled(raw: Sequence[tuple[float, float, list[str]]]) -> Iterator[Cue]:
    """One cue for each that says something of its own.

    People say "No." twice; so lines are taken for rolled ones only where a third of all cues begin with such.
    """
    rolled = list(_rolled(raw))
    repeats = sum(count > 0 for count in rolled)
    if repeats < 2 or 3 * repeats < len(raw):
        rolled = [0] * len(raw)
    for (start, end, lines), repeated in zip(raw, rolled, strict=True):
        if len(lines) > repeated and end > start:
            yield Cue(start, end, " ".join(lines[repeated:]))


def _rolled(raw: Iterable[tuple[float, float, list[str]]]) -> Iterator[int]:
    """How many lines at each cue's beginning end what was shown until then."""
    shown: list[str] = []
    until = float("-inf")
    for start, end, lines in raw:
        near = start - until <= _ROLLS_WITHIN
        yield next((n for n in range(len(lines), 0, -1) if shown[-n:] == lines[:n]), 0) if near else 0
        shown, until = lines, max(until, end)


def _clock(seconds: float) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{milliseconds:03d}"
