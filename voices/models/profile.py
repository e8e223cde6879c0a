"""Named values for how a voice speaks."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models

from voices.choices import GuardMode
from voices.engine.profiles import GUARDING, VALUES
from voices.querysets import QualityProfileQuerySet
from xttsproject.accounts.models import Visibility


class QualityProfile(models.Model):
    """One of the portal's own, which nobody changes and every migration writes anew, or a person's copy.

    A value that is empty is the voice's, and where it has none the model's.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="qualityprofiles",
        help_text="Empty: the portal's own.",
    )
    visibility = models.CharField(max_length=8, choices=Visibility.choices, default=Visibility.PRIVATE)
    name = models.CharField(max_length=60)
    purpose = models.CharField(max_length=200, blank=True, help_text="What it is for.")
    temperature = models.FloatField(null=True, blank=True)
    top_k = models.PositiveIntegerField(null=True, blank=True)
    top_p = models.FloatField(null=True, blank=True)
    repetition_penalty = models.FloatField(null=True, blank=True)
    speed = models.FloatField(null=True, blank=True)
    guard = models.CharField(
        max_length=8, blank=True, choices=GuardMode.choices, help_text="How sentences are guarded."
    )
    max_retries = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="How many times a bad sentence is said again."
    )
    candidates = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Of how many a careful guard takes the best."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = QualityProfileQuerySet.as_manager()

    class Meta:
        ordering = (models.F("owner").asc(nulls_first=True), "name")
        constraints = [
            models.UniqueConstraint(fields=("owner", "name"), name="profile_name_per_owner"),
            models.UniqueConstraint(
                fields=("name",), condition=models.Q(owner__isnull=True), name="builtin_profile_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_builtin(self) -> bool:
        return self.owner_id is None

    @property
    def values(self) -> dict[str, Any]:
        """What it sets of sampling."""
        return {name: getattr(self, name) for name in VALUES if getattr(self, name) is not None}

    @property
    def described(self) -> str:
        """All that it sets, in words."""
        drawn, guarded = (
            ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())
            for values in (self.values, self.guarding)
        )
        return "; ".join([drawn or "drawn as the voice and its model have it", *([guarded] if guarded else [])])

    @property
    def guarding(self) -> dict[str, Any]:
        """What it sets of the guard."""
        return {name: getattr(self, name) for name in GUARDING if getattr(self, name) not in (None, "")}
