"""The language of a recording: named by a person, or heard by the first transcription."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from django.utils.translation import get_language_info

from datasets.choices import DETECT, UNDETERMINED
from datasets.models import SourceVideo
from datasets.pipeline.heard_language import HeardLanguage, clips_to_hear, majority
from datasets.services.transcribers import transcriber_bundle, transcriber_load, transcriber_of
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress
from xttsproject.xtts.languages import LANGUAGES, validate_language


def recording_language(code: str) -> str:
    """What is kept for a language that somebody named, or for “detect”. DomainError ``language_unsupported``."""
    if code.strip().lower() in (DETECT, UNDETERMINED):
        return UNDETERMINED
    try:
        return validate_language(code)
    except DomainError as error:
        raise DomainError(error.code, f"{error.message.rstrip('.')}, or {DETECT}.", field=error.field) from None


def language_detect(*, source: SourceVideo, progress: Progress) -> bool:
    """Listen for the language of a recording that has none; True once it has one.

    Clips from all over the recording are heard by the model that will transcribe it. Where none is likely enough, the
    model knows a single language, or XTTS does not speak what was heard, the recording waits for a person's choice and
    says why. DomainErrors as for transcription: ``model_missing``, ``model_damaged``, ``master_missing``, …
    """
    if source.language_known:
        return True
    name = transcriber_of(source)
    progress.check()
    progress.report(0.0, f"loading {name}")
    transcriber = transcriber_load(name)
    # A network may have places for languages that it was never trained on.
    only = transcriber_bundle(name).languages or transcriber.languages
    if len(only) == 1:
        source.ask_language(
            f"The transcription model “{name}” knows {_name(only[0])} only, so it cannot tell which language "
            f"“{source.title}” is in; choose the language.",
            {},
        )
        return source.language_known
    segments = list(source.segments.order_by("index").only("start", "end", "index"))
    chosen = [segments[number] for number in clips_to_hear([segment.seconds for segment in segments])]
    progress.report(0.0, f"{name}: hearing the language")
    try:
        clips = [read_wav(source.master_path, segment.start, segment.end) for segment in chosen]
    except FileNotFoundError:
        raise DomainError(
            "master_missing", f"The sound of “{source.title}” is gone from the disk; upload it again."
        ) from None
    shares = transcriber.heard_languages(clips, settings.WHISPER_BATCH_SIZE, progress)
    _decide(source, majority(shares, len(clips)))
    return source.language_known


def _decide(source: SourceVideo, heard: HeardLanguage) -> None:
    try:
        ours = validate_language(heard.code)
    except DomainError:
        ours = ""
    told = replace(heard, code=ours or heard.code)
    kept = {"language": told.code, "probability": round(told.probability, 4), "clips": told.clips}
    likely = f"{_name(told.code)} ({heard.probability:.0%})"
    if not heard.is_sure:
        source.ask_language(
            f"The language of “{source.title}” cannot be told: the likeliest is {likely}; choose the language.", kept
        )
    elif not ours:
        source.ask_language(
            f"“{source.title}” sounds like {likely}, which XTTS does not speak; choose one of its languages if this "
            "is wrong, or delete the recording.",
            kept,
        )
    else:
        source.determine(ours, kept)


def _name(code: str) -> str:
    if code in LANGUAGES:
        return LANGUAGES[code].name
    try:
        return str(get_language_info(code)["name"])
    except KeyError:
        return f"the language “{code}”"
