"""Where a voice's reference clips come from: uploads, approved segments, or what a checkpoint was trained on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile

from datasets.choices import ReviewStatus
from datasets.models import Segment
from datasets.services.names import file_name, renamed
from training.models import Checkpoint
from training.services.spec import references_choose
from voices.engine.references import MAX_CLIP_SECONDS, ClipReport, examine_clip, require_count, require_file_size
from xttsproject.lib.audio import Audio, read_wav
from xttsproject.lib.errors import DomainError

UPLOAD_RATE = 24_000


@dataclass(frozen=True)
class Upload:
    """A file as a person sent it: its name on their machine, and where it lies now."""

    name: str
    path: Path


@dataclass(frozen=True)
class Clip:
    """A reference clip, decoded and found fit. ``text`` is what is said in it, where that is known."""

    name: str
    audio: Audio
    report: ClipReport
    text: str = ""


def uploads_of(files: Iterable[UploadedFile]) -> list[Upload]:
    """What a form or an API call brought; the settings have every upload lie on disk."""
    uploads = []
    for file in files:
        assert isinstance(file, TemporaryUploadedFile)
        uploads.append(Upload(file_name(file.name or ""), Path(file.temporary_file_path())))
    return uploads


def upload_clips(uploads: Sequence[Upload]) -> Iterator[Clip]:
    """Decode and examine uploaded files of any format, each when it is asked for.

    Number and sizes are looked at before the first is decoded. DomainErrors name the file as its owner calls it.
    """
    require_count(len(uploads))
    for upload in uploads:
        require_file_size(upload.name, upload.path.stat().st_size)
    return (_decoded(upload) for upload in uploads)


def _decoded(upload: Upload) -> Clip:
    from datasets.pipeline.media import decode_audio

    try:
        audio = decode_audio(upload.path, UPLOAD_RATE, max_seconds=MAX_CLIP_SECONDS)
    except DomainError as error:
        # The decoder knows the file by its temporary name only.
        named = renamed(error, upload.path, f"“{upload.name}”")
        named.field = "clips"
        raise named from error
    return Clip(upload.name, audio, examine_clip(upload.name, audio))


def segment_clips(segments: Sequence[Segment]) -> list[Clip]:
    """Cut approved segments out of their recordings' masters.

    DomainError ``segment_not_approved``, ``segments_mixed`` (of several speakers) or ``clip_missing``.
    """
    require_count(len(segments))
    if len({segment.source.speaker_id for segment in segments}) > 1:
        raise DomainError(
            "segments_mixed", "The chosen segments are of several speakers; a voice is of one.", field="segments"
        )
    clips = []
    for segment in segments:
        if segment.status != ReviewStatus.APPROVED:
            raise DomainError(
                "segment_not_approved",
                f"“{segment}” is {segment.get_status_display().lower()}; only approved segments make a voice.",
                field="segments",
            )
        try:
            audio = read_wav(segment.source.master_path, segment.start, segment.end)
        except FileNotFoundError:
            raise DomainError(
                "clip_missing", f"The sound of “{segment.source}” is no longer there.", field="segments"
            ) from None
        name = str(segment)
        clips.append(Clip(name, audio, examine_clip(name, audio), segment.text))
    return clips


def checkpoint_clips(checkpoint: Checkpoint) -> list[Clip]:
    """The default for a fine-tuned voice: the clips that its run's epoch samples were conditioned on.

    So the voice speaks as the sample did by which the checkpoint was chosen. Clips that are unfit (silent, distorted)
    are passed over. DomainError ``clip_missing`` when none is left.
    """
    version = checkpoint.run.version
    lines = {version.folder / line.audio: line for line in _training_lines(version.manifest_path)}
    chosen: list[Clip] = []
    for path in references_choose(version=version) if lines else ():
        line = lines[path]
        name = f"{version} · {line.id}"
        try:
            audio = read_wav(path)
            chosen.append(Clip(name, audio, examine_clip(name, audio), line.text))
        except (FileNotFoundError, DomainError):
            continue
    if not chosen:
        raise DomainError(
            "clip_missing",
            f"{version}, on which this checkpoint was trained, has no usable clip any more; "
            "upload reference clips instead.",
            field="clips",
        )
    return chosen


@dataclass(frozen=True)
class _Line:
    id: str
    audio: str
    text: str
    seconds: float


def _training_lines(manifest: Path) -> Iterable[_Line]:
    try:
        raw = manifest.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    for text in raw.splitlines():
        line = json.loads(text)
        if line["split"] == "train":
            yield _Line(str(line["id"]), line["audio"], line["text"], float(line["seconds"]))
