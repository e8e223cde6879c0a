"""A search for the values with which a voice speaks best."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from training.choices import ACTIVE_STATES, RESUMABLE_STATES, RunState
from voices.models.voice import Voice
from voices.querysets import CandidateQuerySet, DecodingSearchQuerySet
from xttsproject.jobs.models import Job

PRESENT = 0
"""The candidate that is the voice as it was when the search began."""


class DecodingSearch(models.Model):
    """queued → running → an end. Only the methods below change ``state``, each by one filtered ``UPDATE``."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    voice = models.ForeignKey(Voice, on_delete=models.CASCADE, related_name="searches")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    space = models.JSONField(help_text="What is searched: values, or a lowest and a highest one, by name.")
    count = models.PositiveSmallIntegerField(help_text="Candidates, besides the voice as it is.")
    seed = models.PositiveBigIntegerField(default=1)
    texts = models.JSONField(help_text="What every candidate says.")
    write_winner = models.BooleanField(default=False, help_text="Give the voice the best values without being asked.")
    speaker = models.JSONField(default=dict, blank=True, help_text="The speaker's own figures, and a notice.")
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = DecodingSearchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "decoding searches"
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("voice",), condition=models.Q(state__in=ACTIVE_STATES), name="one_active_search_per_voice"
            )
        ]

    def __str__(self) -> str:
        return f"Values for {self.voice}"

    def begin(self) -> bool:
        """A worker takes it; again after a worker's death or a retry of its job. False once it has succeeded."""
        return self._move(
            (*ACTIVE_STATES, *RESUMABLE_STATES), state=RunState.RUNNING, error="", error_code="", finished_at=None
        )

    def succeed(self) -> bool:
        return self._move((RunState.RUNNING,), state=RunState.SUCCEEDED, finished_at=timezone.now())

    def fail(self, code: str, message: str) -> bool:
        return self._move(
            ACTIVE_STATES, state=RunState.FAILED, error_code=code, error=message, finished_at=timezone.now()
        )

    def mark_cancelled(self) -> bool:
        return self._move(ACTIVE_STATES, state=RunState.CANCELLED, finished_at=timezone.now())

    def _move(self, allowed: tuple[RunState, ...], **changes: Any) -> bool:
        moved = bool(DecodingSearch.objects.filter(pk=self.pk, state__in=allowed).update(**changes))
        if moved:
            self.refresh_from_db(fields=list(changes))
        return moved

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE_STATES

    @property
    def folder(self) -> Path:
        return self.voice.folder / "searches" / str(self.pk)

    @property
    def has_sounds(self) -> bool:
        """What was said is still there; of older searches only the figures are kept."""
        return self.folder.is_dir()


class Candidate(models.Model):
    """Values to speak with, what was said with them, and how it was measured."""

    search = models.ForeignKey(DecodingSearch, on_delete=models.CASCADE, related_name="candidates")
    index = models.PositiveSmallIntegerField(help_text="0: the voice as it is.")
    values = models.JSONField(default=dict, blank=True)
    seeds = models.PositiveSmallIntegerField(default=0, help_text="With how many seeds it has been heard.")
    figures = models.JSONField(default=dict, blank=True)
    samples = models.JSONField(default=list, blank=True, help_text="Each with its text, seed, file and figures.")
    composite = models.FloatField(null=True, blank=True, help_text="0 to 1, the higher the better.")

    objects = CandidateQuerySet.as_manager()

    class Meta:
        ordering = ("search", "index")
        constraints = [models.UniqueConstraint(fields=("search", "index"), name="candidate_index_per_search")]

    def __str__(self) -> str:
        return "as it was" if self.is_present else f"candidate {self.index}"

    @property
    def is_present(self) -> bool:
        return self.index == PRESENT

    def audio_path(self, number: int) -> Path:
        return self.search.folder / str(self.samples[number]["path"])
