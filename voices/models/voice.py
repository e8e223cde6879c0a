"""A voice that can speak."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.db import models

from datasets.choices import LANGUAGE_CHOICES
from datasets.models import Speaker
from training.models import Checkpoint
from voices.choices import GuardMode, VoiceState
from voices.engine.preparing import Preparation
from voices.engine.tags import Spoke
from voices.models.profile import QualityProfile
from voices.querysets import VoiceQuerySet
from xttsproject import storage
from xttsproject.accounts.models import OwnedModel


class Voice(OwnedModel):
    """A base model or one of its fine-tuned checkpoints, with reference clips and the latents computed from them."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    speaker = models.ForeignKey(Speaker, on_delete=models.PROTECT, related_name="voices")
    checkpoint = models.ForeignKey(
        Checkpoint,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="voices",
        help_text="Empty: base model.",
    )
    bundle = models.CharField(max_length=80, help_text="Name of the XTTS bundle below the checkpoint.")
    language = models.CharField(max_length=5, choices=LANGUAGE_CHOICES)
    # Conditioning latents are kept under a key of clips + checkpoint + settings: the same key is never computed twice.
    conditioning_key = models.CharField(max_length=64, blank=True)
    model_key = models.CharField(max_length=64, blank=True, help_text="Content of the model the latents were made for.")
    profile = models.ForeignKey(
        QualityProfile,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="voices",
        help_text="How it speaks unless a request says otherwise; empty: as the bundle does.",
    )
    defaults = models.JSONField(
        default=dict, blank=True, help_text="Sampling values that differ from the profile's and the bundle's."
    )
    guard = models.CharField(
        max_length=8,
        choices=GuardMode.choices,
        blank=True,
        default="",
        help_text="How its sentences are guarded unless a request says otherwise; empty: as its profile has it.",
    )

    preparation = models.JSONField(
        default=dict, blank=True, help_text="What is done to the clips, see voices.engine.preparing; empty: nothing."
    )
    studio = models.CharField(
        max_length=120, blank=True, help_text="Name of a voice that came with the bundle; it has no clips."
    )

    state = models.CharField(max_length=10, choices=VoiceState.choices, default=VoiceState.PREPARING)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = VoiceQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = [models.UniqueConstraint(fields=("owner", "name"), name="voice_name_per_owner")]

    def __str__(self) -> str:
        return self.name

    # --- transitions ------------------------------------------------------------------------------------------

    def mark_preparing(self) -> bool:
        """From any state: its latents are about to be computed. False when the voice has been deleted."""
        return self._set(state=VoiceState.PREPARING, error="", error_code="")

    def mark_ready(self, *, conditioning_key: str, model_key: str) -> bool:
        """preparing → ready, with the keys of what was computed. False when it was deleted or failed meanwhile."""
        return self._set(
            since=(VoiceState.PREPARING,),
            state=VoiceState.READY,
            conditioning_key=conditioning_key,
            model_key=model_key,
            error="",
            error_code="",
        )

    def mark_failed(self, *, code: str, message: str) -> bool:
        """preparing → failed; a voice that is ready stays ready."""
        return self._set(since=(VoiceState.PREPARING,), state=VoiceState.FAILED, error_code=code, error=message)

    def _set(self, *, since: tuple[VoiceState, ...] = tuple(VoiceState), **changes: Any) -> bool:
        moved = bool(Voice.objects.filter(pk=self.pk, state__in=since).update(**changes))
        if moved:
            self.refresh_from_db(fields=list(changes))
        return moved

    # --- where its files lie ----------------------------------------------------------------------------------

    @property
    def values(self) -> dict[str, Any]:
        """The sampling values it speaks with where a request gives none: its own, below them its profile's."""
        return {**(self.profile.values if self.profile else {}), **self.defaults}

    @property
    def prepared(self) -> Preparation:
        return Preparation(**self.preparation)

    @property
    def is_ready(self) -> bool:
        return self.state == VoiceState.READY

    @property
    def folder(self) -> Path:
        return storage.voice_dir(self.pk)

    @property
    def bundle_path(self) -> Path:
        return storage.bundle_dir(self.bundle)

    @property
    def conditioning_path(self) -> Path:
        return self.folder / f"conditioning-{self.conditioning_key[:16]}.safetensors"

    @property
    def spoke(self) -> Spoke:
        """What is told of it where it has spoken."""
        return Spoke(self.name, self.bundle, str(self.checkpoint or "")[:255])

    @property
    def adapter_path(self) -> Path | None:
        return self.checkpoint.folder if self.checkpoint else None


class VoiceClip(models.Model):
    """A reference clip: mono PCM16 WAV in the voice's folder."""

    voice = models.ForeignKey(Voice, on_delete=models.CASCADE, related_name="clips")
    index = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=255, help_text="Where it came from, for people.")
    file = models.CharField(max_length=100, help_text="File name inside the voice's folder.")
    sha256 = models.CharField(max_length=64)
    seconds = models.FloatField()
    quality = models.JSONField(
        default=dict, blank=True, help_text="Measures and warnings, see voices.engine.references"
    )

    class Meta:
        ordering = ("voice", "index")
        constraints = [models.UniqueConstraint(fields=("voice", "index"), name="clip_index_per_voice")]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        return self.voice.folder / self.file
