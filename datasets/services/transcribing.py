"""What the machine hears in each segment."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from datasets.choices import TRANSCRIPT_FLAGS, Flag, SourceState
from datasets.models import Segment, SourceVideo
from datasets.pipeline.text import check_text
from datasets.pipeline.transcribe import Transcriber, Transcript
from datasets.services.preparing import transcription_start
from datasets.services.recutting import source_recut
from xttsproject import storage
from xttsproject.bundles.manifest import open_bundle
from xttsproject.jobs.models import Job
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Part, Progress

_BEFORE = (SourceState.SEGMENTED, SourceState.TRANSCRIBING, SourceState.FAILED, SourceState.CANCELLED)
# Whisper's own thresholds for a transcript that it would rather try again.
UNSURE_LOG_PROBABILITY = -1.0
REPETITIVE_RATIO = 2.4


def source_transcribe(*, source: SourceVideo, progress: Progress) -> int:
    """Transcribe every segment that nobody has listened to yet; returns how many were written.

    Each is saved by itself, so an interrupted job goes on where it was. A recording that was ready stays ready
    while some of its segments are done again. DomainErrors: ``not_segmented``, ``model_missing``, ``model_damaged``,
    ``language_unsupported``, ``master_missing``.
    """
    if not source.segments.exists():
        raise DomainError(
            "not_segmented", f"“{source.title}” has not been cut into segments yet, so nothing can be transcribed."
        )
    if not source.master_path.is_file():
        raise DomainError("master_missing", f"The sound of “{source.title}” is gone from the disk; upload it again.")
    source.advance(SourceState.TRANSCRIBING, since=_BEFORE)
    done = _listen(source, Part(progress, 0.0, 0.85))
    if source_recut(source=source, progress=Part(progress, 0.85, 0.9)).waiting:
        done += _listen(source, Part(progress, 0.9, 1.0))
    source.advance(SourceState.READY, since=(SourceState.TRANSCRIBING,))
    return done


def _listen(source: SourceVideo, progress: Progress) -> int:
    """Transcribe what waits for it."""
    waiting = source.segments.untranscribed().order_by("index")
    done = 0
    if waiting.exists():
        progress.report(0.0, "loading the model")
        transcriber = load_transcriber()
        # Asked again each time: a person may review one meanwhile, or send another back.
        while segment := waiting.first():
            progress.check()
            progress.report(done / (done + waiting.count()), f"segment {segment.index}")
            audio = read_wav(source.master_path, segment.start, segment.end)
            # Whisper knows Chinese as "zh"; none of its languages has a region.
            transcript = transcriber.transcribe(audio, source.language.split("-")[0])
            done += _record(segment, transcript, source.language)
    return done


def segments_retranscribe(*, source: SourceVideo, owner: Any) -> tuple[Job, int]:
    """Have the machine listen again to what nobody has corrected or reviewed; returns the job and their number.

    DomainErrors: ``not_segmented``, ``nothing_to_transcribe``.
    """
    if not source.segments.exists():
        raise DomainError(
            "not_segmented", f"“{source.title}” has not been cut into segments yet, so nothing can be transcribed."
        )
    with transaction.atomic():
        count = source.segments.untouched().update(transcribed_at=None)
        if not count:
            raise DomainError(
                "nothing_to_transcribe",
                f"Every segment of “{source.title}” has been corrected or reviewed by a person; reopen those that the "
                "machine shall write anew.",
            )
        # New words, new cuts.
        SourceVideo.objects.filter(pk=source.pk).update(cut_by_words_at=None)
        return transcription_start(source=source, owner=owner), count


def load_transcriber() -> Transcriber:
    """The configured model; it stays in this process's memory for the next job."""
    bundle = open_bundle(storage.bundle_dir(settings.WHISPER_BUNDLE))
    if bundle.kind != "whisper":
        raise DomainError("model_damaged", f"WHISPER_BUNDLE names “{bundle.name}”, which is not a transcription model.")
    return _loaded(bundle.path, settings.DEVICE, settings.WHISPER_COMPUTE_TYPE)


@lru_cache(maxsize=1)
def _loaded(path: Path, device: str, compute_type: str) -> Transcriber:
    return Transcriber.load(path, device=device.partition(":")[0], compute_type=compute_type)


def _record(segment: Segment, transcript: Transcript, language: str) -> bool:
    """Write what was heard unless a person has touched the segment meanwhile; their word stands."""
    with transaction.atomic():
        current = Segment.objects.select_for_update().untranscribed().filter(pk=segment.pk).first()
        if current is None:
            return False
        current.text = current.machine_text = transcript.text
        current.words = [asdict(word) for word in transcript.words]
        current.language_probability = transcript.language_probability
        current.average_log_probability = transcript.avg_logprob
        current.no_speech_probability = transcript.no_speech_prob
        current.compression_ratio = transcript.compression_ratio
        current.transcribed_at = timezone.now()
        current.flags = [flag for flag in current.flags if flag not in TRANSCRIPT_FLAGS] + _flags(transcript, language)
        current.save()
    return True


def _flags(transcript: Transcript, language: str) -> list[str]:
    if not transcript.text:
        return [Flag.NO_TEXT.value]
    flags = []
    if transcript.avg_logprob < UNSURE_LOG_PROBABILITY:
        flags.append(Flag.UNSURE.value)
    if transcript.compression_ratio > REPETITIVE_RATIO:
        flags.append(Flag.REPETITIVE.value)
    if check_text(transcript.text, language):
        flags.append(Flag.UNSPEAKABLE.value)
    return flags
