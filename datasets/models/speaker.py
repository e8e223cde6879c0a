"""Who is recorded, and why their voice may be cloned."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from datasets.choices import ConsentKind
from datasets.querysets import SpeakerQuerySet
from xttsproject.accounts.models import OwnedModel

# Whisper takes 223 tokens of hints and ignores the rest, unsaid.
GLOSSARY_LENGTH = 800


class Speaker(OwnedModel):
    """A person (or a synthetic voice). Nothing is recorded, trained or cloned without one, nor without consent."""

    name = models.CharField(max_length=120)
    notes = models.TextField(blank=True)
    glossary = models.TextField(
        blank=True,
        max_length=GLOSSARY_LENGTH,
        help_text="Names and words that transcription should expect: one per line, or with commas between.",
    )
    consent_kind = models.CharField(max_length=12, choices=ConsentKind.choices)
    consent_statement = models.TextField(help_text="Who agreed to what, in your own words.")
    consent_evidence = models.URLField(blank=True, help_text="Where the agreement or licence can be read, if anywhere.")
    consent_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", help_text="Who recorded the consent."
    )
    consent_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SpeakerQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = [models.UniqueConstraint(fields=("owner", "name"), name="speaker_name_per_owner")]

    def __str__(self) -> str:
        return self.name

    @property
    def hotwords(self) -> str:
        """The glossary as the transcription model takes it."""
        return ", ".join(glossary_entries(self.glossary))


def glossary_entries(text: str) -> list[str]:
    """Each entry once, in the order that they were given in, spaces folded."""
    entries = (" ".join(entry.split()) for line in text.splitlines() for entry in line.replace(";", ",").split(","))
    return list(dict.fromkeys(entry for entry in entries if entry))
