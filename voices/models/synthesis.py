"""What a voice said."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from voices.choices import Channel
from voices.engine.tags import Spoke
from voices.models.voice import Voice
from voices.querysets import EXCERPT, SynthesisQuerySet
from xttsproject import storage
from xttsproject.jobs.choices import ACTIVE_STATES, JobState
from xttsproject.xtts.text import shorten


class Synthesis(models.Model):
    """A text, the voice and the values it was spoken with, and the WAV that came of it.

    What was spoken at once is born succeeded. A long text is spoken by a job, sentence by sentence
    (:class:`~voices.models.sentence.SynthesisSentence`), and joined at the end: queued → running → an end, and from
    each end back to the queue. Only the methods below and ``voices.services.longform`` change ``state``.
    """

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
        help_text="[{text, start, end, codes, finished, piece, voice, language, bundle, checkpoint}], seconds; of what "
        "was judged also {attempts, faults, warnings, codes_per_character}",
    )
    seconds = models.FloatField(default=0.0, help_text="Length of the speech; 0 until it is whole.")
    elapsed = models.FloatField(default=0.0, help_text="Seconds that speaking took.")
    channel = models.CharField(max_length=8, choices=Channel.choices)
    pinned = models.BooleanField(default=False, help_text="Kept whatever its age and size, until somebody deletes it.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    state = models.CharField(max_length=10, choices=JobState.choices, default=JobState.SUCCEEDED, db_index=True)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    asked = models.JSONField(
        default=dict,
        blank=True,
        help_text="Of a long text: what was asked for, and once it is planned its voices with all their values. "
        "Empty: it was spoken at once.",
    )
    chapters = models.JSONField(default=list, blank=True, help_text="[{title, start, end}], seconds, once it is whole.")
    loudness = models.FloatField(
        null=True, blank=True, help_text="Of a long one that is whole, in LUFS; empty for silence."
    )
    joined_at = models.DateTimeField(null=True, blank=True, help_text="When a long one's sentences were last joined.")

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
        return self.excerpt[:60]

    # --- transitions ------------------------------------------------------------------------------------------

    def begin(self) -> bool:
        """A worker takes it, from any state but succeeded; again after a worker's death or a retry of its job."""
        return self._move(
            (*ACTIVE_STATES, JobState.FAILED, JobState.CANCELLED), state=JobState.RUNNING, error="", error_code=""
        )

    def give_way(self) -> bool:
        """running → queued: somebody else's is spoken first, then the rest of it."""
        return self._move((JobState.RUNNING,), state=JobState.QUEUED)

    def queue_again(self) -> bool:
        """From an end back to the queue: something of it is still to be spoken."""
        ends = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
        return self._move(ends, state=JobState.QUEUED, error="", error_code="")

    def succeed(self) -> bool:
        """All of it is there, whatever a worker that was given up meanwhile was said to have ended with."""
        before = (JobState.RUNNING, JobState.FAILED, JobState.CANCELLED)
        return self._move(before, state=JobState.SUCCEEDED, error="", error_code="")

    def fail(self, *, code: str, message: str) -> bool:
        return self._move(ACTIVE_STATES, state=JobState.FAILED, error_code=code, error=message)

    def mark_cancelled(self) -> bool:
        return self._move(ACTIVE_STATES, state=JobState.CANCELLED)

    def _move(self, allowed: tuple[JobState, ...], **changes: Any) -> bool:
        moved = bool(Synthesis.objects.filter(pk=self.pk, state__in=allowed).update(**changes))
        if moved:
            self.refresh_from_db(fields=list(changes))
        return moved

    # --- what is known of it ----------------------------------------------------------------------------------

    @property
    def is_long(self) -> bool:
        """Whether a job spoke it, or is to; known in lists without reading what was asked for."""
        known: bool | None = getattr(self, "spoken_by_job", None)
        return bool(self.asked) if known is None else known

    @property
    def excerpt(self) -> str:
        """Its first characters, in lists without reading all of them."""
        known: str | None = getattr(self, "beginning", None)
        return self.text[:EXCERPT] if known is None else known

    @property
    def spoke(self) -> list[Spoke]:
        """Everybody who speaks in it, and with which model; of a long one that is not planned yet whoever was asked."""
        if self.is_long:
            told = [(facts["name"], facts) for facts in self.asked.get("cast", {}).values()]
        else:
            told = [(sentence.get("voice", self.voice_name), sentence) for sentence in self.sentences]
        spoke = [
            # What was spoken before this was kept of each has the model of the voice that was asked for.
            Spoke(name, facts.get("bundle", self.bundle), facts.get("checkpoint", self.checkpoint_name))
            for name, facts in told
        ]
        return list(dict.fromkeys(spoke)) or [Spoke(self.voice_name, self.bundle, self.checkpoint_name)]

    @property
    def voice_names(self) -> list[str]:
        """Of everybody who speaks in it."""
        return list(dict.fromkeys(each.voice for each in self.spoke))

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE_STATES

    @property
    def is_planned(self) -> bool:
        """Whether a long one's sentences are settled."""
        return "cast" in self.asked

    @property
    def has_whole(self) -> bool:
        """Whether all of it can be heard in one; of a long one that was joined before, while a sentence is said anew
        too."""
        return not self.is_long or self.joined_at is not None

    @property
    def is_lost(self) -> bool:
        """It was a long one's whole, and is no longer on the disk; its sentences can be joined again."""
        return self.is_long and self.joined_at is not None and not self.audio_path.is_file()

    @property
    def warnings(self) -> list[str]:
        """What the guard had to say, in words, in the order of the text."""
        return self.warned()

    @property
    def doubtful(self) -> bool:
        """Whether a short one is worth another try: the guard had to say something, or, unguarded, it found no end."""
        return any(
            sentence.get("warnings") or not (sentence.get("attempts") or sentence.get("finished", True))
            for sentence in self.sentences
        )

    def warned(self, most: int | None = None) -> list[str]:
        """:attr:`warnings`, of a long one at most so many."""
        if self.is_long:
            told = list(self.parts.exclude(warnings=[]).order_by("number").values_list("text", "warnings")[:most])
        else:
            told = [(sentence["text"], sentence.get("warnings", ())) for sentence in self.sentences]
        return [f"“{shorten(text)}”: {warning}" for text, warnings in told for warning in warnings][:most]

    # --- where its files lie ----------------------------------------------------------------------------------

    @property
    def audio_path(self) -> Path:
        return storage.speech_file(self.pk, self.created_at)

    @property
    def folder(self) -> Path:
        """Of the sounds of a long one's sentences."""
        return storage.speech_dir(self.pk, self.created_at)
