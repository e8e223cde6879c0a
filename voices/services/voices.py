"""Making, sharing and deleting voices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from datasets.choices import ConsentKind
from datasets.models import Segment, Speaker
from datasets.services.following import stop_jobs
from datasets.services.speakers import speaker_create
from training.models import Checkpoint
from training.services import checkpoint_require
from training.services.spec import bundle_open
from voices.engine.preparing import Preparation
from voices.engine.references import require_enough, require_not_too_much
from voices.models import Voice, VoiceClip
from voices.services.clips import Clip, Upload, checkpoint_clips, segment_clips, upload_clips
from xttsproject import storage
from xttsproject.accounts.models import Visibility
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_start
from xttsproject.lib.audio import write_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_directory, sha256_of
from xttsproject.xtts.config import read_config
from xttsproject.xtts.languages import language_names, validate_language
from xttsproject.xtts.studio import require_studio

PREPARE = "voices.prepare"


def voice_create(
    *,
    owner: Any,
    name: str,
    speaker: Speaker | None = None,
    checkpoint: Checkpoint | None = None,
    bundle: str = "",
    language: str = "",
    uploads: Sequence[Upload] = (),
    segments: Sequence[Segment] = (),
    visibility: str = Visibility.PRIVATE,
    studio: str = "",
    preparation: Preparation | None = None,
    start: bool = True,
) -> Voice:
    """Make a voice and start the job that listens to its clips, unless whoever calls prepares it (``start`` false).

    It speaks with the checkpoint, or, without one, with the XTTS model ``bundle`` (empty: the portal's XTTS_BUNDLE).
    Clips are the uploads or the segments given; a voice of a checkpoint that names neither takes clips of the
    dataset it was trained on. ``preparation`` is what is done to them before they are listened to. With ``studio``, the
    name of a voice that came with the model, there are no clips and no speaker is asked for. Speaker and language
    follow from checkpoint or segments where they are not given. Nothing is left behind when it fails. Raises
    DomainError.
    """
    name = _free_name(owner, name)
    if uploads and segments:
        raise DomainError("clips_mixed", "Give either files or segments as reference clips, not both.", field="clips")
    if studio:
        bundle = bundle or str(settings.XTTS_BUNDLE)
        _require_studio_alone(checkpoint, uploads, segments, speaker)
        require_studio(bundle_open(name=bundle).path, studio)
    else:
        speaker = _speaker(speaker, checkpoint, segments)
    language = validate_language(language or _language(checkpoint, segments))
    bundle = _bundle(checkpoint, bundle, language)
    clips = () if studio else _clips(checkpoint, uploads, segments)
    voice = Voice(
        owner=owner,
        name=name,
        checkpoint=checkpoint,
        bundle=bundle,
        language=language,
        visibility=visibility,
        studio=studio,
        preparation=preparation.chosen if preparation and not studio else {},
    )
    rows = [] if studio else _write(voice, clips)
    try:
        with transaction.atomic():
            voice.speaker = speaker if speaker is not None else _studio_speaker(owner, bundle, studio)
            if checkpoint is not None:
                checkpoint_require(checkpoint=checkpoint)
            voice.save(force_insert=True)
            VoiceClip.objects.bulk_create(rows)
            if start:
                voice_start_preparing(voice=voice)
    except IntegrityError:
        storage.remove_tree(voice.folder)
        # Two requests at once: the other was first.
        _free_name(owner, name)
        raise
    except BaseException:
        storage.remove_tree(voice.folder)
        raise
    return voice


def voice_start_preparing(*, voice: Voice) -> Job:
    """Queue the job that computes the voice's conditioning latents."""
    return job_start(kind=PREPARE, title=f"Prepare the voice “{voice.name}”", owner=voice.owner, subject=voice)


def voice_share(*, voice: Voice, visibility: str) -> None:
    """Share the voice with the team, or take it back."""
    if visibility not in Visibility.values:
        raise DomainError(
            "visibility_unknown",
            f"The visibility “{visibility}” is not one of {', '.join(Visibility.values)}.",
            field="visibility",
        )
    voice.visibility = visibility
    voice.save(update_fields=["visibility"])


def voice_delete(*, voice: Voice) -> None:
    """Delete a voice with its clips and latents. What it has spoken stays with those who asked for it."""
    stop_jobs(subject=voice)
    for search in voice.searches.all():
        stop_jobs(subject=search)
    folder = voice.folder
    with transaction.atomic():
        voice.delete()
        transaction.on_commit(lambda: storage.remove_tree(folder))


def _free_name(owner: Any, name: str) -> str:
    name = name.strip()
    if not name:
        raise DomainError("name_empty", "Give the voice a name.", field="name")
    longest = Voice._meta.get_field("name").max_length or 0
    if len(name) > longest:
        raise DomainError(
            "name_too_long",
            f"The name has {len(name)} characters, but {longest} are the limit; shorten it.",
            field="name",
        )
    if Voice.objects.filter(owner=owner, name=name).exists():
        raise DomainError("duplicate", f"You have a voice “{name}” already; choose another name.", field="name")
    return name


def _speaker(speaker: Speaker | None, checkpoint: Checkpoint | None, segments: Sequence[Segment]) -> Speaker:
    known = [segment.source.speaker for segment in segments]
    if checkpoint is not None:
        known.insert(0, checkpoint.run.version.dataset.speaker)
    for other in known:
        if speaker is not None and other.pk != speaker.pk:
            raise DomainError(
                "speaker_mismatch",
                f"The voice would be of “{speaker}”, but what it is made from is of “{other}”; choose one speaker.",
                field="speaker",
            )
        speaker = other
    if speaker is None:
        raise DomainError(
            "speaker_missing",
            "Choose the speaker whose voice this is: the consent recorded there is what allows cloning it.",
            field="speaker",
        )
    return speaker


def _require_studio_alone(
    checkpoint: Checkpoint | None, uploads: Sequence[Upload], segments: Sequence[Segment], speaker: Speaker | None
) -> None:
    """A voice that came with the model is whole: DomainError ``studio_mixed`` where something is given besides."""
    given = {"checkpoint": checkpoint, "clips": uploads, "segments": segments, "speaker": speaker}
    for field, value in given.items():
        if value:
            raise DomainError(
                "studio_mixed",
                f"A voice that came with the model needs no {field} and can have none; leave the {field} out.",
                field=field,
            )


def _studio_speaker(owner: Any, bundle: str, studio: str) -> Speaker:
    """Who stands for a voice of the model: the licence under which the model was published allows its use."""
    model = bundle_open(name=bundle)
    name = f"{studio}, of {bundle}"[: Speaker._meta.get_field("name").max_length]
    known = Speaker.objects.filter(owner=owner, name=name).first()
    return known or speaker_create(
        owner=owner,
        name=name,
        consent_kind=ConsentKind.LICENCE,
        consent_statement=f"The voice “{studio}” was published with the model {model.name} under {model.licence}.",
        consent_evidence=model.licence_url,
    )


def _language(checkpoint: Checkpoint | None, segments: Sequence[Segment]) -> str:
    if checkpoint is not None:
        return checkpoint.run.version.dataset.language
    if segments:
        return segments[0].source.language
    raise DomainError("language_missing", "Choose the language that the voice speaks.", field="language")


def _bundle(checkpoint: Checkpoint | None, given: str, language: str) -> str:
    """The model that speaks; one that was chosen is looked at, so that a voice which cannot speak is not made."""
    if checkpoint is not None:
        if given and given != checkpoint.run.bundle:
            raise DomainError(
                "model_mismatch",
                f"The checkpoint “{checkpoint}” was fine-tuned from {checkpoint.run.bundle} and speaks with nothing "
                f"else; leave the model {given} out.",
                field="bundle",
            )
        return checkpoint.run.bundle
    if not given:
        return str(settings.XTTS_BUNDLE)
    speaks = read_config(bundle_open(name=given).path).languages
    if language not in speaks:
        raise DomainError(
            "language_unsupported",
            f"The model “{given}” does not speak {language_names([language])}; it speaks {language_names(speaks)}.",
            field="language",
        )
    return given


def _clips(checkpoint: Checkpoint | None, uploads: Sequence[Upload], segments: Sequence[Segment]) -> Iterable[Clip]:
    if segments:
        return segment_clips(segments)
    if uploads or checkpoint is None:
        return upload_clips(uploads)
    return checkpoint_clips(checkpoint)


def _write(voice: Voice, clips: Iterable[Clip]) -> list[VoiceClip]:
    """Write the clips into the voice's folder, all or none, and return their rows (not saved).

    Each is written before the next one is asked for, so that one at a time is in memory.
    """
    rows: list[VoiceClip] = []
    seconds = 0.0
    with atomic_directory(voice.folder) as folder:
        for index, clip in enumerate(clips):
            seconds += clip.audio.seconds
            require_not_too_much(seconds)
            file = f"clip-{index:02d}.wav"
            write_wav(folder / file, clip.audio)
            rows.append(
                VoiceClip(
                    voice=voice,
                    index=index,
                    name=clip.name[:255],
                    file=file,
                    sha256=sha256_of(folder / file),
                    seconds=clip.audio.seconds,
                    quality=asdict(clip.report),
                )
            )
        require_enough(seconds)
    return rows
