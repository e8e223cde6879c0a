"""Requests that a client has given a key, so that it may send them again without being spoken to twice."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from voices.models.synthesis import Synthesis


class IdempotentRequest(models.Model):
    """A person's key, what it was first used for, and what came of it (nothing yet: it is being answered)."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the address and the body.")
    # With the speech goes the memory of it: the same request then speaks anew.
    synthesis = models.ForeignKey(Synthesis, null=True, on_delete=models.CASCADE, related_name="+")
    claim = models.UUIDField(default=uuid.uuid4, help_text="Of whoever answers it now.")
    touched_at = models.DateTimeField(default=timezone.now, help_text="Last sign of life of who answers it.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("owner", "key"), name="idempotency_key_per_owner")]

    def __str__(self) -> str:
        return self.key
