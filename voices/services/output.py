"""What was spoken, as a file: in a format, at a rate and loudness, with subtitles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voices.engine.encoding import Output, encode
from voices.engine.tags import speech_tags
from voices.models import Synthesis
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.subtitles import Cue, srt, vtt

SUBTITLES = {"srt": ("application/x-subrip; charset=utf-8", srt), "vtt": ("text/vtt; charset=utf-8", vtt)}


def synthesis_tags(*, synthesis: Synthesis) -> Mapping[str, str]:
    """That it is synthetic, which voices and which model spoke, what and when."""
    spoke = dict.fromkeys(sentence.get("voice", synthesis.voice_name) for sentence in synthesis.sentences)
    return speech_tags(
        text=synthesis.text,
        voices=tuple(spoke) or (synthesis.voice_name,),
        bundle=synthesis.bundle,
        checkpoint=synthesis.checkpoint_name,
        date=f"{synthesis.created_at:%Y-%m-%d}",
    )


def synthesis_file(*, synthesis: Synthesis, output: Output) -> bytes:
    """The whole file. FileNotFoundError where its sound has gone."""
    if output.as_spoken:
        return synthesis.audio_path.read_bytes()
    return encode(read_wav(synthesis.audio_path), output, synthesis_tags(synthesis=synthesis))


def synthesis_subtitles(*, synthesis: Synthesis, form: str) -> tuple[str, str]:
    """(content type, subtitles), one cue a sentence. DomainError ``format_unsupported``."""
    if form not in SUBTITLES:
        raise DomainError(
            "format_unsupported", f"Subtitles are not written as “{form}”; choose srt or vtt.", field="format"
        )
    content_type, write = SUBTITLES[form]
    return content_type, write(_cues(synthesis.sentences))


def _cues(sentences: list[dict[str, Any]]) -> list[Cue]:
    return [Cue(sentence["start"], sentence["end"], sentence["text"]) for sentence in sentences]
