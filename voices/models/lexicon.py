"""How people want words to be spoken."""

from __future__ import annotations

from django.db import models

from datasets.choices import LANGUAGE_CHOICES
from voices.querysets import LexiconQuerySet
from xttsproject.accounts.models import OwnedModel
from xttsproject.xtts.lexicon import Word


class LexiconEntry(OwnedModel):
    """A word and its spoken form, for its owner's speech, and for everybody's when it is shared with the team."""

    language = models.CharField(
        max_length=5, choices=[("", "All languages"), *LANGUAGE_CHOICES], blank=True, help_text="Empty: all languages."
    )
    written = models.CharField(max_length=100)
    spoken = models.CharField(max_length=200)
    whole_word = models.BooleanField(default=True, help_text="Not within a longer word.")
    match_case = models.BooleanField(default=False, help_text="Only with the same small and capital letters.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = LexiconQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "lexicon entries"
        ordering = ("written", "language", "pk")
        constraints = [
            models.UniqueConstraint(
                fields=("owner", "language", "written"), name="lexicon_entry_per_owner_and_language"
            )
        ]

    def __str__(self) -> str:
        return f"{self.written} → {self.spoken}"

    @property
    def word(self) -> Word:
        return Word(self.written, self.spoken, self.whole_word, self.match_case)
