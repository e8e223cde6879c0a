"""Listening to a voice's reference clips: conditioning latents, computed once and kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction

from training.services import checkpoint_verify
from voices.engine.preparing import Preparation
from voices.models import Voice, VoiceClip
from voices.services.voices import voice_start_preparing
from xttsproject import storage
from xttsproject.bundles.manifest import open_bundle
from xttsproject.jobs.models import Job
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path
from xttsproject.lib.progress import Part, Progress
from xttsproject.xtts.types import ConditioningSettings

if TYPE_CHECKING:
    from xttsproject.xtts.conditioning import Conditioning


def conditioning_key(
    clips: Sequence[str], model_key: str, settings: ConditioningSettings, changes: Mapping[str, Any] | None = None
) -> str:
    """What latents depend on, as 64 hexadecimal digits: the clips' SHA-256 in order, the model's content, the settings
    and what is done to the sound of the clips.

    Nothing else makes latents stale: neither time nor the voice's name nor a restart.
    """
    facts: dict[str, Any] = {"clips": list(clips), "model": model_key, "settings": asdict(settings)}
    if changes:
        facts["changes"] = dict(changes)
    return _digest(facts)


def voice_prepare(*, voice: Voice, progress: Progress) -> None:
    """Compute the voice's latents unless they are there, and make it ready. Running it twice does no harm.

    Its clips are measured as well, unless they have been. Raises ``Cancelled`` and DomainError (``model_missing``,
    ``checkpoint_damaged``, ``adapter_mismatch``, ``clip_missing``, ``studio_unknown``, …).
    """
    voice.mark_preparing()
    bundle = open_bundle(voice.bundle_path)
    if voice.checkpoint is not None:
        checkpoint_verify(checkpoint=voice.checkpoint)
    progress.check()
    # Hashing only; the networks are loaded where latents are really to be computed.
    from xttsproject.xtts.weights import model_key

    of_model, wanted = model_key(bundle.path, voice.adapter_path), voice.prepared
    clips = list(voice.clips.all())
    key = (
        _digest({"studio": voice.studio, "model": of_model})
        if voice.studio
        else conditioning_key([clip.sha256 for clip in clips], of_model, wanted.settings, wanted.changes)
    )
    target = Voice(pk=voice.pk, conditioning_key=key).conditioning_path
    if not target.is_file() and not _copy_twin(voice, key, target):
        _compute(voice, clips, target, Part(progress, 0.1, 0.7))
    if clips:
        clips_report(voice=voice, clips=clips, progress=Part(progress, 0.7, 1.0))
    if (
        not voice.mark_ready(conditioning_key=key, model_key=of_model)
        and not Voice.objects.filter(pk=voice.pk).exists()
    ):
        # Deleted while its latents were computed: writing them has brought its folder back.
        storage.remove_tree(voice.folder)


def voice_prepare_again(*, voice: Voice, preparation: Preparation | None = None) -> Job:
    """After a failure, when the model below the voice was replaced, or to take it from its clips in another way.

    What is still right is not computed anew; latents of another preparation are kept for when it is chosen again.
    """
    with transaction.atomic():
        voice.mark_preparing()
        if preparation is not None:
            voice.preparation = preparation.chosen
            voice.save(update_fields=["preparation"])
        return voice_start_preparing(voice=voice)


def clips_report(*, voice: Voice, clips: Sequence[VoiceClip], progress: Progress) -> None:
    """Measure the clips unless they have been; what is found stands in each clip's ``quality["report"]``."""
    from voices.engine.reports import FORMAT, report_clips

    of = _digest({"format": FORMAT, "bundle": voice.bundle, "clips": [clip.sha256 for clip in clips]})[:16]
    if all(clip.quality.get("report", {}).get("of") == of for clip in clips):
        return
    from xttsproject.xtts.likeness import SpeakerEar

    reports = report_clips([_there(clip) for clip in clips], SpeakerEar.load(voice.bundle_path), progress)
    for clip, report in zip(clips, reports, strict=True):
        clip.quality = {**clip.quality, "report": {"of": of, "values": report.values, "advice": list(report.advice)}}
    VoiceClip.objects.bulk_update(clips, ["quality"])


def _compute(voice: Voice, clips: Sequence[VoiceClip], target: Path, progress: Progress) -> None:
    if voice.studio:
        from xttsproject.xtts.studio import studio_voice

        conditioning = studio_voice(voice.bundle_path, voice.studio)
    else:
        conditioning = _heard(voice, clips, progress)
    progress.check()
    with atomic_path(target) as temporary:
        conditioning.save(temporary)


def _heard(voice: Voice, clips: Sequence[VoiceClip], progress: Progress) -> Conditioning:
    from xttsproject.xtts.engine import XttsEngine

    wanted = voice.prepared
    sounds = []
    for place, clip in enumerate(clips):
        progress.check()
        progress.report(0.3 * place / len(clips), "reading the clips")
        sounds.append(wanted.apply(_there(clip)))
    progress.report(0.3, "loading the model")
    # On the CPU whatever the device is: the GPU is the gpu cluster's, and this takes seconds.
    engine = XttsEngine.load(voice.bundle_path, adapter=voice.adapter_path, device="cpu", precision="fp32")
    progress.check()
    progress.report(0.7, "listening to the clips")
    return engine.conditioning(sounds, wanted.settings)


def _there(clip: VoiceClip) -> Path:
    if not clip.path.is_file():
        raise DomainError("clip_missing", f"The reference clip “{clip.name}” is no longer there; make the voice anew.")
    return clip.path


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _copy_twin(voice: Voice, key: str, target: Path) -> bool:
    """Latents under the same key are the same latents: take them from another voice that has them."""
    for twin in Voice.objects.filter(conditioning_key=key).exclude(pk=voice.pk):
        if twin.conditioning_path.is_file():
            with atomic_path(target) as temporary:
                shutil.copyfile(twin.conditioning_path, temporary)
            return True
    return False
