"""The sentences of a long text, each with a sound of its own."""

from __future__ import annotations

from pathlib import Path

from django.db import models

from voices.models.synthesis import Synthesis
from voices.models.voice import Voice
from voices.querysets import SentenceQuerySet


class SynthesisSentence(models.Model):
    """What is decoded in one go, who says it, and what came of it.

    ``wish`` counts how often it was asked for and ``take`` which of these wishes its sound fulfils: what was asked for
    again keeps its sound until the new one is there. A file is named by its take, so a row never speaks of a sound
    that is only half written.
    """

    synthesis = models.ForeignKey(Synthesis, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField(help_text="Its place in the text, from 1.")
    chapter = models.PositiveSmallIntegerField(default=0, help_text="Place of its chapter, from 0.")
    # SET_NULL: what was spoken outlives its voice; only what is still to be spoken needs it.
    voice = models.ForeignKey(Voice, null=True, on_delete=models.SET_NULL, related_name="+")
    voice_name = models.CharField(max_length=120)
    language = models.CharField(max_length=5)
    text = models.TextField(help_text="As the model is given it.")
    pause = models.FloatField(default=0.0, help_text="Seconds of silence before it.")
    seed = models.PositiveBigIntegerField()

    wish = models.PositiveIntegerField(default=1)
    next_text = models.TextField(blank=True, help_text="What the last wish says instead; empty: the same.")
    next_seed = models.PositiveBigIntegerField(null=True, blank=True, help_text="The last wish's seed.")
    next_voice = models.ForeignKey(
        Voice,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Who says the last wish; empty: the same.",
    )
    next_voice_name = models.CharField(max_length=120, blank=True, help_text="Its name; it outlives the voice.")

    take = models.PositiveIntegerField(default=0, help_text="The wish that its sound fulfils; 0: it has none yet.")
    seconds = models.FloatField(default=0.0)
    start = models.FloatField(null=True, blank=True, help_text="Second of the whole at which it begins, once joined.")
    codes = models.PositiveIntegerField(default=0)
    finished = models.BooleanField(default=False, help_text="The model ended it by itself.")
    attempts = models.PositiveSmallIntegerField(default=0)
    faults = models.JSONField(default=list, blank=True)
    warnings = models.JSONField(default=list, blank=True)
    codes_per_character = models.FloatField(null=True, blank=True, help_text="Of a sentence that was judged.")
    spoken_at = models.DateTimeField(null=True, blank=True)

    objects = SentenceQuerySet.as_manager()

    class Meta:
        ordering = ("synthesis", "number")
        # How fast a voice has lately spoken is asked before each speech.
        indexes = [models.Index(fields=("voice", "-spoken_at"), name="sentence_by_voice")]
        constraints = [models.UniqueConstraint(fields=("synthesis", "number"), name="sentence_number_per_synthesis")]

    def __str__(self) -> str:
        return f"{self.number}: {self.text[:60]}"

    @property
    def is_spoken(self) -> bool:
        return self.take > 0

    @property
    def is_pending(self) -> bool:
        """It is to be spoken, for the first time or again."""
        return self.take < self.wish

    @property
    def speaker(self) -> Voice | None:
        """Who says it, or is to; None where that voice was deleted. ``voice`` is whose its sound is."""
        return self.next_voice if self.next_voice_name else self.voice

    @property
    def speaker_name(self) -> str:
        return self.next_voice_name or self.voice_name

    @property
    def end(self) -> float | None:
        """Second of the whole at which it ends; not known of one that was said anew since the whole was joined."""
        joined = self.synthesis.joined_at
        if self.start is None or (joined is not None and self.spoken_at is not None and self.spoken_at > joined):
            return None
        return self.start + self.seconds

    @property
    def path(self) -> Path:
        """Its sound; there once it is spoken."""
        return self.path_of(self.take)

    def path_of(self, take: int) -> Path:
        return sentence_path(self.synthesis, self.number, take)


def sentence_path(synthesis: Synthesis, number: int, take: int) -> Path:
    return synthesis.folder / f"{number:06d}-{take}.wav"
