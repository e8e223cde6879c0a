"""What was spoken, as a file: in a format, at a rate and loudness, with subtitles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from voices.engine.encoding import Output, encode
from voices.engine.tags import speech_tags
from voices.models import Synthesis
from voices.services.converting import converted
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.subtitles import Cue, srt, vtt

SUBTITLES = {
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "json": "application/json",
    "chapters": "text/vtt; charset=utf-8",
}
"""Forms of subtitles and their content types. ``chapters`` are WebVTT's of that kind: a cue a chapter."""


def synthesis_tags(*, synthesis: Synthesis) -> Mapping[str, str]:
    """That it is synthetic, which voices and which model spoke, what and when."""
    return speech_tags(
        text=synthesis.text,
        spoke=synthesis.spoke,
        date=f"{synthesis.created_at:%Y-%m-%d}",
    )


def synthesis_file(*, synthesis: Synthesis, output: Output, kept: bool = True) -> bytes:
    """The whole file. FileNotFoundError where its sound has gone.

    Unless it is for one answer only, what has been encoded is ``kept`` for a while: players ask for it in stretches.
    """
    if output.as_spoken:
        return synthesis.audio_path.read_bytes()
    tags = synthesis_tags(synthesis=synthesis)

    def make() -> bytes:
        return encode(read_wav(synthesis.audio_path), output, tags)

    return converted(synthesis=synthesis, output=output, tags=tags, make=make) if kept else make()


def synthesis_subtitles(*, synthesis: Synthesis, form: str) -> tuple[str, str]:
    """(content type, subtitles), one cue a sentence. DomainErrors ``format_unsupported``, and ``speech_unfinished``
    for what is not whole yet."""
    if form not in SUBTITLES:
        raise DomainError(
            "format_unsupported",
            f"Subtitles are not written as “{form}”; choose one of {', '.join(SUBTITLES)}.",
            field="format",
        )
    if not synthesis.has_whole:
        raise DomainError(
            "speech_unfinished", "The speech is not whole yet, so its times are not known; come again.", permanent=False
        )
    if form == "json":
        told = {"sentences": _told(synthesis), "chapters": synthesis.chapters, "seconds": synthesis.seconds}
        return SUBTITLES[form], json.dumps(told, ensure_ascii=False)
    if form == "chapters":
        cues = [Cue(each["start"], each["end"], each["title"] or "Beginning") for each in synthesis.chapters]
        return SUBTITLES[form], vtt(cues)
    cues = [Cue(each["start"], each["end"], each["text"]) for each in _told(synthesis)]
    return SUBTITLES[form], (srt if form == "srt" else vtt)(cues)


def _told(synthesis: Synthesis) -> list[dict[str, Any]]:
    """Every sentence with its times, its voice and language."""
    if not synthesis.is_long:
        kept = ("text", "start", "end", "voice", "language")
        return [{name: each[name] for name in kept if name in each} for each in synthesis.sentences]
    rows = list(synthesis.parts.filter(start__isnull=False).order_by("number"))
    # By the whole as it is: while a sentence is said anew its own length is not what is heard there.
    ends = [following.start - following.pause for following in rows[1:] if following.start is not None]
    ends.append(synthesis.seconds - synthesis.asked["pause_after"])
    return [
        {"text": row.text, "start": row.start, "end": end, "voice": row.voice_name, "language": row.language}
        for row, end in zip(rows, ends, strict=True)
    ]
