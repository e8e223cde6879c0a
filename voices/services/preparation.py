"""Listening to a voice's reference clips: conditioning latents, computed once and kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from django.db import transaction

from training.services import checkpoint_verify
from voices.models import Voice
from voices.services.voices import voice_start_preparing
from xttsproject import storage
from xttsproject.bundles.manifest import open_bundle
from xttsproject.jobs.models import Job
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path
from xttsproject.lib.progress import Progress
from xttsproject.xtts.types import ConditioningSettings


def conditioning_key(clips: Sequence[str], model_key: str, settings: ConditioningSettings) -> str:
    """What latents depend on, as 64 hexadecimal digits: the clips' SHA-256 in order, the model's content, the settings.

    Nothing else makes latents stale: neither time nor the voice's name nor a restart.
    """
    facts = {"clips": list(clips), "model": model_key, "settings": asdict(settings)}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def voice_prepare(*, voice: Voice, progress: Progress) -> None:
    """Compute the voice's latents unless they are there, and make it ready. Running it twice does no harm.

    Raises ``Cancelled`` and DomainError (``model_missing``, ``checkpoint_damaged``, ``adapter_mismatch``,
    ``clip_missing``, …).
    """
    voice.mark_preparing()
    bundle = open_bundle(voice.bundle_path)
    if voice.checkpoint is not None:
        checkpoint_verify(checkpoint=voice.checkpoint)
    progress.check()
    # Hashing only; the networks are loaded where latents are really to be computed.
    from xttsproject.xtts.weights import model_key

    of_model, settings = model_key(bundle.path, voice.adapter_path), ConditioningSettings()
    clips = list(voice.clips.all())
    key = conditioning_key([clip.sha256 for clip in clips], of_model, settings)
    target = Voice(pk=voice.pk, conditioning_key=key).conditioning_path
    if not target.is_file() and not _copy_twin(voice, key, target):
        progress.report(0.1, "loading the model")
        _compute(voice, [(clip.name, clip.path) for clip in clips], settings, target, progress)
    if (
        not voice.mark_ready(conditioning_key=key, model_key=of_model)
        and not Voice.objects.filter(pk=voice.pk).exists()
    ):
        # Deleted while its latents were computed: writing them has brought its folder back.
        storage.remove_tree(voice.folder)


def voice_prepare_again(*, voice: Voice) -> Job:
    """After a failure, or when the model below the voice was replaced. What is still right is not computed anew."""
    with transaction.atomic():
        voice.mark_preparing()
        return voice_start_preparing(voice=voice)


def _compute(
    voice: Voice, clips: Sequence[tuple[str, Path]], settings: ConditioningSettings, target: Path, progress: Progress
) -> None:
    from xttsproject.xtts.engine import XttsEngine

    sounds = []
    for name, path in clips:
        try:
            sounds.append(read_wav(path))
        except FileNotFoundError:
            raise DomainError(
                "clip_missing", f"The reference clip “{name}” is no longer there; make the voice anew."
            ) from None
    # On the CPU whatever the device is: the GPU is the gpu cluster's, and this takes seconds.
    engine = XttsEngine.load(voice.bundle_path, adapter=voice.adapter_path, device="cpu", precision="fp32")
    progress.check()
    progress.report(0.6, "listening to the clips")
    conditioning = engine.conditioning(sounds, settings)
    progress.check()
    with atomic_path(target) as temporary:
        conditioning.save(temporary)


def _copy_twin(voice: Voice, key: str, target: Path) -> bool:
    """Latents under the same key are the same latents: take them from another voice that has them."""
    for twin in Voice.objects.filter(conditioning_key=key).exclude(pk=voice.pk):
        if twin.conditioning_path.is_file():
            with atomic_path(target) as temporary:
                shutil.copyfile(twin.conditioning_path, temporary)
            return True
    return False
