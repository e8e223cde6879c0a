"""What the machine hears in each segment: one pass of one model, and a second of a larger one over what is doubtful."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from datasets.choices import TRANSCRIPT_FLAGS, UNDETERMINED, Flag, SourceState
from datasets.models import Segment, SourceVideo
from datasets.pipeline.doubt import better, doubts
from datasets.pipeline.text import check_text
from datasets.pipeline.transcribe import Listening, Transcriber
from datasets.pipeline.transcript import Transcript, Word
from datasets.querysets import SegmentQuerySet
from datasets.services.languages import language_detect
from datasets.services.recutting import source_recut
from datasets.services.transcribers import (
    listening_options,
    transcriber_bundle,
    transcriber_load,
    transcriber_of,
)
from xttsproject.lib.audio import Audio, read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Part, Progress

_BEFORE = (
    SourceState.SEGMENTED,
    SourceState.TRANSCRIBING,
    SourceState.ASKING,
    SourceState.FAILED,
    SourceState.CANCELLED,
)
# What is read from the database to fill one batch from; several times what a batch of any sensible size holds.
_AHEAD = 400
# Of the progress bar: most is done once the first model is.
_FIRST_PASS = 0.8

Record = Callable[[Segment, Transcript, str], bool]


def source_transcribe(*, source: SourceVideo, progress: Progress) -> int:
    """Transcribe every segment that nobody has listened to yet; returns how many were written.

    A recording that was ready stays ready while some of its segments are done again; one whose language nobody named
    and nobody could hear waits for a person's choice. DomainErrors: ``not_segmented``, and those of
    :func:`segments_transcribe`.
    """
    if not source.segments.exists():
        raise DomainError(
            "not_segmented", f"“{source.title}” has not been cut into segments yet, so nothing can be transcribed."
        )
    source.advance(SourceState.TRANSCRIBING, since=_BEFORE)
    own = Segment.objects.filter(source=source)
    done = segments_transcribe(segments=own, progress=Part(progress, 0.0, 0.85))
    source.refresh_from_db(fields=["language", "heard_language", "state", "error", "error_code"])
    if not source.language_known:
        return done
    if source_recut(source=source, progress=Part(progress, 0.85, 0.9)).waiting:
        done += segments_transcribe(segments=own, progress=Part(progress, 0.9, 1.0))
    source.advance(SourceState.READY, since=(SourceState.TRANSCRIBING,))
    return done


def segments_transcribe(*, segments: SegmentQuerySet, progress: Progress) -> int:
    """Transcribe those of ``segments`` that wait for it, in batches shared by recordings of one speaker and language.

    Each batch is saved by itself, so an interrupted job goes on where it was. Recordings of unknown language are heard
    for it first; what cannot be told is left as it is. Returns how many texts were written.
    DomainErrors: ``model_missing``, ``model_damaged``, ``precision_unsupported``, ``language_unsupported``,
    ``master_missing``.
    """
    second = str(settings.WHISPER_SECOND_BUNDLE)
    if second:
        # Said before hours of work, not after.
        transcriber_bundle(second, variable="WHISPER_SECOND_BUNDLE")
    unknown = SourceVideo.objects.filter(language=UNDETERMINED, pk__in=segments.untranscribed().values("source"))
    for source in unknown:
        language_detect(source=source, progress=Part(progress, 0.0, 0.0))
    segments = segments.exclude(source__language=UNDETERMINED)
    part = Part(progress, 0.0, _FIRST_PASS if second else 1.0)
    written = _pass(segments.untranscribed(), part, lambda segment: transcriber_of(segment.source), _record_first)
    if second:
        part = Part(progress, _FIRST_PASS, 1.0)
        _pass(segments.untouched().filter(awaits_second=True), part, lambda _segment: second, _record_second)
    return written


def _pass(waiting: SegmentQuerySet, progress: Progress, model: Callable[[Segment], str], record: Record) -> int:
    """Let a model listen to all of ``waiting``, which are asked for again and again: ``record`` takes them out of it,
    and a person may review one meanwhile or send another back."""
    done = written = 0
    rows = waiting.select_related("source__speaker").order_by(
        "source__transcriber", "source__language", "source__speaker", "source__created_at", "source", "index"
    )
    while ahead := list(rows[:_AHEAD]):
        name = model(ahead[0])
        progress.check()
        if not done:
            progress.report(0.0, f"loading {name}")
        transcriber = transcriber_load(name)
        listening = listening_options(
            hotwords=ahead[0].source.speaker.hotwords,
            retry=record is _record_second or settings.WHISPER_SECOND_BUNDLE in ("", name),
        )
        batch = _batch(ahead, transcriber, listening)
        progress.report(done / (done + waiting.count()), f"{name}: {_numbers(batch)}")
        # Whisper knows Chinese as "zh"; none of its languages has a region.
        language = batch[0].source.language.split("-")[0]
        clips = [_sound(segment) for segment in batch]
        heard = transcriber.transcribe_many(clips, language, listening, progress)
        written += sum(record(segment, transcript, name) for segment, transcript in zip(batch, heard, strict=True))
        done += len(batch)
    return written


def _batch(ahead: Sequence[Segment], transcriber: Transcriber, listening: Listening) -> list[Segment]:
    """The first of them that fill a batch and are alike: one model, one language, one speaker's glossary."""
    alike = [segment for segment in ahead if _kind(segment) == _kind(ahead[0])]
    return alike[: transcriber.clips_of_a_batch([segment.seconds for segment in alike], listening)]


def _kind(segment: Segment) -> tuple[str, str, int]:
    return segment.source.transcriber, segment.source.language, segment.source.speaker_id


def _numbers(batch: Sequence[Segment]) -> str:
    first, last = batch[0], batch[-1]
    return f"segment {first.index}" if first == last else f"segments {first.index} to {last.index}"


def _sound(segment: Segment) -> Audio:
    try:
        return read_wav(segment.source.master_path, segment.start, segment.end)
    except FileNotFoundError:
        raise DomainError(
            "master_missing", f"The sound of “{segment.source.title}” is gone from the disk; upload it again."
        ) from None


def _record_first(segment: Segment, transcript: Transcript, model: str) -> bool:
    """Write what was heard unless a person has touched the segment meanwhile; their word stands."""
    with transaction.atomic():
        current = Segment.objects.select_for_update().untranscribed().filter(pk=segment.pk).first()
        if current is None:
            return False
        current.awaits_second = settings.WHISPER_SECOND_BUNDLE not in ("", model) and bool(doubts(transcript))
        _write(current, transcript, model, segment.source.language)
    return True


def _record_second(segment: Segment, transcript: Transcript, model: str) -> bool:
    """Write what the second model heard where it is the better of the two; either way the segment waits no more."""
    with transaction.atomic():
        current = Segment.objects.select_for_update().untouched().filter(pk=segment.pk, awaits_second=True).first()
        if current is None:
            return False
        current.awaits_second = False
        if better(_transcript_of(current, segment.source.language), transcript) is not transcript:
            current.save(update_fields=["awaits_second"])
            return False
        _write(current, transcript, model, segment.source.language)
    return True


def _write(segment: Segment, transcript: Transcript, model: str, language: str) -> None:
    segment.text = segment.machine_text = transcript.text
    segment.words = [asdict(word) for word in transcript.words]
    segment.language_probability = transcript.language_probability
    segment.average_log_probability = transcript.avg_logprob
    segment.no_speech_probability = transcript.no_speech_prob
    segment.compression_ratio = transcript.compression_ratio
    segment.transcribed_by = model
    segment.transcribed_at = timezone.now()
    segment.flags = [flag for flag in segment.flags if flag not in TRANSCRIPT_FLAGS] + _flags(transcript, language)
    segment.save()


def _transcript_of(segment: Segment, language: str) -> Transcript:
    """What the first model heard, as it was recorded."""
    return Transcript(
        text=segment.text,
        language=language,
        language_probability=segment.language_probability or 0.0,
        words=tuple(Word(**word) for word in segment.words),
        avg_logprob=segment.average_log_probability or 0.0,
        no_speech_prob=segment.no_speech_probability or 0.0,
        compression_ratio=segment.compression_ratio or 0.0,
    )


def _flags(transcript: Transcript, language: str) -> list[str]:
    if not transcript.text:
        return [Flag.NO_TEXT.value]
    found = doubts(transcript)
    flags = []
    if "unsure" in found:
        flags.append(Flag.UNSURE.value)
    if "repetitive" in found:
        flags.append(Flag.REPETITIVE.value)
    if check_text(transcript.text, language):
        flags.append(Flag.UNSPEAKABLE.value)
    return flags
