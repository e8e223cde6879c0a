"""Measuring every clip of a dataset, so that a policy can be shown and applied at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from datasets.models import Dataset, Segment, SourceVideo
from datasets.pipeline.screening.duplicates import same_sound, same_text
from datasets.pipeline.screening.fingerprint import SILENT
from datasets.pipeline.screening.likeness import likeness
from datasets.pipeline.screening.prints import Print, read_print, write_print
from datasets.pipeline.screening.recording import measure_clips
from datasets.pipeline.screening.transcript import paces
from datasets.services.sources import files_follow_row
from datasets.services.text_measures import TextMeasurer
from xttsproject import storage
from xttsproject.bundles.manifest import open_bundle
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_start
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Part, Progress
from xttsproject.xtts.limits import Problem

if TYPE_CHECKING:
    from xttsproject.xtts.likeness import SpeakerEar

MEASURE = "datasets.measure"
FORMAT = 2
"""Raised when a measure is added or changed: every clip is then measured anew."""
_BATCH = 200


@dataclass(frozen=True)
class Measured:
    """How many clips there are, and how many had to be measured anew. ``notice``: what could not be told, and why."""

    clips: int
    anew: int
    notice: str


def dataset_measure_start(*, dataset: Dataset, owner: Any) -> Job:
    """Start the job, or return the one under way. DomainError ``nothing_to_measure`` where there is no clip."""
    if not dataset_segments(dataset=dataset, editor=owner).exists():
        raise DomainError(
            "nothing_to_measure",
            f"No recording of “{dataset.name}” that you may change has been cut into segments, so there is nothing to "
            "measure; process a recording first.",
        )
    return job_start(kind=MEASURE, title=f"Measure the clips of “{dataset.name}”", owner=owner, subject=dataset)


def dataset_segments(*, dataset: Dataset, editor: Any) -> Any:
    """The segments of the dataset's recordings that ``editor`` may change, in the recordings' order."""
    sources = SourceVideo.objects.editable_by(editor).filter(datasets=dataset)
    return Segment.objects.filter(source__in=sources).order_by("source__created_at", "source", "index")


def measured_key(segment: Segment) -> str:
    """What the measures of a segment depend on; another value than the stored one means that they are out of date."""
    depends = [FORMAT, f"{segment.start:.3f}", f"{segment.end:.3f}", segment.text, segment.machine_text]
    return hashlib.sha256(json.dumps(depends).encode()).hexdigest()


def is_measured(segment: Segment) -> bool:
    """Cutting anew writes measures of its own in the place of these; a clip is then to be measured again."""
    return "problem" in segment.quality and segment.measured_key == measured_key(segment)


def known_problem(segment: Segment) -> tuple[str, str] | None:
    """Why XTTS cannot learn from a clip, as (code, reason), as far as it is known without asking the model."""
    if is_measured(segment):
        stored = segment.quality.get("problem")
        return (stored["code"], stored["reason"]) if stored else None
    found = TextMeasurer(None).problem(segment, segment.source.language)
    return (found.code, found.reason) if isinstance(found, Problem) else None


def dataset_measure(*, dataset: Dataset, editor: Any, progress: Progress) -> Measured:
    """Measure what has not been measured or has changed since, then compare all clips with each other.

    Each clip is written by itself, so an interrupted job goes on where it was. DomainErrors: ``master_missing``,
    ``subject_gone``, and what opening a damaged model raises; without a model, voices and the model's own limits stay
    untold.
    """
    progress.report(0.0, "loading the model")
    ear, texts, model, notice = _model()
    segments = list(dataset_segments(dataset=dataset, editor=editor).select_related("source").defer("words"))
    by_source: dict[SourceVideo, list[Segment]] = {}
    for segment in segments:
        by_source.setdefault(segment.source, []).append(segment)
    anew = done = 0
    for source, own in by_source.items():
        end = done + len(own)
        part = Part(progress, 0.9 * done / len(segments), 0.9 * end / len(segments))
        with files_follow_row(source):
            anew += _measure_source(source, own, ear, texts, model, part)
        done = end
    progress.check()
    progress.report(0.92, "comparing the clips")
    _compare(dataset, segments, model, editor)
    return Measured(len(segments), anew, notice)


def _model() -> tuple[SpeakerEar | None, TextMeasurer, str, str]:
    """The speaker encoder, the texts' judge, a key of the model, and what is to be said if there is none."""
    try:
        bundle = open_bundle(storage.bundle_dir(settings.XTTS_BUNDLE))
    except DomainError as error:
        if error.code != "model_missing":
            raise
        return None, TextMeasurer(None), "", f"{error.message} Until then neither voices nor tokens are compared."
    from xttsproject.xtts.likeness import SpeakerEar

    facts = sorted((name, fact.sha256) for name, fact in bundle.files.items())
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return SpeakerEar.load(bundle.path), TextMeasurer(bundle.path), key, ""


def _measure_source(
    source: SourceVideo,
    segments: Sequence[Segment],
    ear: SpeakerEar | None,
    texts: TextMeasurer,
    model: str,
    progress: Progress,
) -> int:
    folder = storage.recording_prints(source.pk)
    waiting = [
        segment
        for segment in segments
        if not is_measured(segment) or _read(segment, model) is None or segment.quality.get("model") != model
    ]
    if not waiting:
        return 0
    if not source.master_path.is_file():
        raise DomainError("master_missing", f"The sound of “{source.title}” is gone from the disk; upload it again.")
    spans = [(segment.start, segment.end) for segment in waiting]
    listening, measuring = Part(progress, 0.0, 0.3), Part(progress, 0.3, 1.0)
    for clip in measure_clips(source.master_path, spans, listening):
        segment = waiting[clip.index]
        measuring.report(clip.index / len(waiting), f"{source.title}, segment {segment.index}")
        voice = ear.embed(clip.audio) if ear is not None else None
        write_print(folder / f"{segment.pk}.npz", Print(_print_key(segment, model), clip.fingerprint, voice))
        quality = {**segment.quality, **clip.values, **texts.measure(segment, source.language), "model": model}
        segment.quality, segment.measured_key = quality, measured_key(segment)
        # What was written or cut meanwhile is not what was measured.
        same = Segment.objects.filter(pk=segment.pk, start=segment.start, end=segment.end, text=segment.text)
        same.update(quality=quality, measured_key=segment.measured_key)
    known = {f"{pk}.npz" for pk in source.segments.values_list("pk", flat=True)}
    for path in folder.glob("*.npz"):
        if path.name not in known and not path.name.startswith("."):
            path.unlink(missing_ok=True)
    return len(waiting)


def _print_key(segment: Segment, model: str) -> str:
    return f"{FORMAT} {segment.start:.3f} {segment.end:.3f} {model}"


def _read(segment: Segment, model: str) -> Print | None:
    stored = read_print(storage.recording_prints(segment.source_id) / f"{segment.pk}.npz")
    return stored if stored is not None and stored.key == _print_key(segment, model) else None


def _compare(dataset: Dataset, segments: Sequence[Segment], model: str, editor: Any) -> None:
    """Write what only shows beside the others: pace, copies, and the voice against all clips of the speaker."""
    prints = [_read(segment, model) for segment in segments]
    others = _other_voices(dataset, segments, model, editor)
    voices = [each.voice if each is not None else None for each in prints]
    alike = likeness([*voices, *others])
    # A clip without a print keeps its place: it sounds like none.
    copies = same_sound([each.fingerprint if each is not None else SILENT for each in prints])
    texts = same_text([segment.text for segment in segments])
    pace = paces([segment.quality.get("characters_per_second") for segment in segments])
    changed = []
    for index, segment in enumerate(segments):
        voice = alike[index]
        found = {
            "pace": _rounded(pace[index], 3),
            "copies_of_text": texts[index],
            "duplicate_of": segments[copies[index]].pk if index in copies else None,
            "speaker_similarity": _rounded(voice.similarity if voice else None, 3),
            "speaker_deviation": _rounded(voice.deviation if voice else None, 2),
            "piece_deviation": _rounded(voice.piece_deviation if voice else None, 2),
        }
        if any(segment.quality.get(name, "") != value for name, value in found.items()):
            changed.append((segment, found))
    for begin in range(0, len(changed), _BATCH):
        _write_compared(changed[begin : begin + _BATCH])


@transaction.atomic
def _write_compared(changed: Sequence[tuple[Segment, dict[str, Any]]]) -> None:
    """What was cut or written anew while the others were measured is another clip, and keeps what it has."""
    keys = [segment.pk for segment, _found in changed]
    there = Segment.objects.select_for_update().defer("words").in_bulk(keys)
    same = []
    for segment, found in changed:
        row = there.get(segment.pk)
        if row is not None and row.measured_key == segment.measured_key and is_measured(row):
            row.quality = {**row.quality, **found}
            same.append(row)
    Segment.objects.bulk_update(same, ["quality"])


def _other_voices(dataset: Dataset, segments: Sequence[Segment], model: str, editor: Any) -> list[Any]:
    """Of the speaker's clips in other recordings that were measured before; the speaker's centre is of all of them."""
    sources = SourceVideo.objects.visible_to(editor).filter(speaker=dataset.speaker_id)
    elsewhere = Segment.objects.filter(source__in=sources).exclude(measured_key="")
    here = {segment.pk for segment in segments}
    rows = [row for row in elsewhere.only("pk", "start", "end", "source_id") if row.pk not in here]
    return [found.voice for row in rows if (found := _read(row, model)) is not None]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
