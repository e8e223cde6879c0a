"""Reads of voices and what they said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from voices.choices import VoiceState
from xttsproject.accounts.querysets import OwnedQuerySet

if TYPE_CHECKING:
    # Named in strings below, where the linter does not look.
    from voices.models import Synthesis, Voice  # noqa: F401


class VoiceQuerySet(OwnedQuerySet["Voice"]):
    def ready(self) -> VoiceQuerySet:
        return self.filter(state=VoiceState.READY)

    def for_display(self) -> VoiceQuerySet:
        """With what a list shows of each: speaker, owner, checkpoint and its run, and clip_count and clip_seconds."""
        return self.select_related("speaker", "owner", "checkpoint__run").annotate(
            clip_count=models.Count("clips"), clip_seconds=models.Sum("clips__seconds")
        )


class SynthesisQuerySet(models.QuerySet["Synthesis"]):
    """What somebody had spoken is theirs alone, whoever owns the voice."""

    def visible_to(self, user: Any) -> SynthesisQuerySet:
        if user.is_superuser:
            return self
        return self.filter(owner_id=user.pk)

    def editable_by(self, user: Any) -> SynthesisQuerySet:
        return self.visible_to(user)

    def owned_by(self, user: Any) -> SynthesisQuerySet:
        """One's own alone, for an administrator too."""
        return self.filter(owner_id=user.pk)
