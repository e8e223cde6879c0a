"""Who is recorded, and why their voice may be cloned."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from datasets.choices import ConsentKind
from datasets.querysets import SpeakerQuerySet
from xttsproject.accounts.models import OwnedModel


class Speaker(OwnedModel):
    """A person (or a synthetic voice). Nothing is recorded, trained or cloned without one, nor without consent."""

    name = models.CharField(max_length=120)
    notes = models.TextField(blank=True)
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
