"""Reads of voices and what they said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from voices.choices import VoiceState
from xttsproject.accounts.querysets import OwnedQuerySet

if TYPE_CHECKING:
    from voices.models import Synthesis, Voice


class VoiceQuerySet(OwnedQuerySet["Voice"]):
    def ready(self) -> VoiceQuerySet:
        return self.filter(state=VoiceState.READY)


class SynthesisQuerySet(models.QuerySet["Synthesis"]):
    """What somebody had spoken is theirs alone, whoever owns the voice."""

    def visible_to(self, user: Any) -> SynthesisQuerySet:
        if user.is_superuser:
            return self
        return self.filter(owner_id=user.pk)

    editable_by = visible_to
