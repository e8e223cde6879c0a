"""The captions that came with a recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datasets.models import SourceVideo
from datasets.pipeline.captions import Cue, keep_as_vtt, parse_file_name, read_captions, same_language


@dataclass(frozen=True)
class CaptionTrack:
    """One track: ``language`` is a tag ("en", "pt-BR", "und"); ``automatic`` means that a machine heard it.

    ``path`` is its WebVTT file in the recording's folder.
    """

    language: str
    automatic: bool
    path: Path

    def cues(self) -> list[Cue]:
        """What is said from when to when, in seconds of the recording. DomainError ``captions_unreadable``."""
        return read_captions(self.path)


def captions_of(source: SourceVideo) -> list[CaptionTrack]:
    """The recording's caption tracks, best first: those in its own language, and people's before a machine's.

    Tracks that could not be fetched are not among them; the recording's ``captions`` say why.
    """
    tracks = [
        CaptionTrack(row["language"], row["automatic"], source.folder / row["file"])
        for row in source.captions
        if row["file"] and parse_file_name(row["file"]) and (source.folder / row["file"]).is_file()
    ]
    return sorted(
        tracks, key=lambda track: (not same_language(track.language, source.language), track.automatic, track.language)
    )


def captions_add(*, source: SourceVideo, path: Path, language: str, automatic: bool = False) -> CaptionTrack:
    """Keep a captions file (``.vtt`` or ``.srt``) with the recording; one of the same language and kind is replaced.

    DomainError ``captions_unreadable``.
    """
    kept, cues = keep_as_vtt(path, source.folder, language=language, automatic=automatic)
    parsed = parse_file_name(kept.name)
    assert parsed is not None
    row = {"language": parsed[0], "automatic": automatic, "file": kept.name, "cues": cues, "problem": ""}
    source.captions = [*(other for other in source.captions if other["file"] != kept.name), row]
    source.save(update_fields=["captions"])
    return CaptionTrack(parsed[0], automatic, kept)
