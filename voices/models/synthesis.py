"""What a voice said."""

from __future__ import annotations

import uuid
from pathlib import Path

from django.conf import settings
from django.db import models
from django.utils import timezone

from voices.choices import Channel
from voices.models.voice import Voice
from voices.querysets import SynthesisQuerySet
from xttsproject import storage
from xttsproject.xtts.text import shorten


class Synthesis(models.Model):
    """A text, the voice and the values it was spoken with, and the WAV that came of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="syntheses")
    voice = models.ForeignKey(Voice, null=True, on_delete=models.SET_NULL, related_name="syntheses")
    # Kept beside the relation: what was spoken outlives the voice that spoke it.
    voice_name = models.CharField(max_length=120)
    bundle = models.CharField(max_length=80, help_text="Name of the XTTS bundle that spoke.")
    checkpoint_name = models.CharField(max_length=255, blank=True, help_text="Empty: the base model spoke.")
    text = models.TextField()
    language = models.CharField(max_length=5)
    profile_name = models.CharField(
        max_length=60, blank=True, help_text="Name of the quality profile that it was spoken with; empty: of none."
    )
    sampling = models.JSONField(default=dict)
    sentences = models.JSONField(
        default=list,
        help_text="[{text, start, end, codes, finished, piece, voice, language}], seconds; of those that were judged "
        "also {attempts, faults, warnings, codes_per_character}",
    )
    seconds = models.FloatField(help_text="Length of the speech.")
    elapsed = models.FloatField(help_text="Seconds that speaking took.")
    channel = models.CharField(max_length=8, choices=Channel.choices)
    pinned = models.BooleanField(default=False, help_text="Kept whatever its age and size, until somebody deletes it.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = SynthesisQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "syntheses"
        ordering = ("-created_at",)
        indexes = [
            # The history of a person, how fast a voice has lately spoken, what is to go first.
            models.Index(fields=("owner", "-created_at"), name="synthesis_by_owner"),
            models.Index(fields=("voice", "-created_at"), name="synthesis_by_voice"),
            models.Index(fields=("-created_at",), name="synthesis_by_time"),
        ]

    def __str__(self) -> str:
        return self.text[:60]

    @property
    def warnings(self) -> list[str]:
        """What the guard had to say, in words, in the order of the text."""
        return [
            f"“{shorten(sentence['text'])}”: {warning}"
            for sentence in self.sentences
            for warning in sentence.get("warnings", ())
        ]

    @property
    def audio_path(self) -> Path:
        return storage.speech_file(self.pk, self.created_at)
