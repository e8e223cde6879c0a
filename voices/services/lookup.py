"""Finding a voice by what programs call it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from voices.models import Voice
from xttsproject.lib.errors import DomainError


def voice_find(*, user: Any, given: str) -> Voice:
    """The voice of that id or name among those the person sees; their own goes before others' of the same name.

    DomainError ``voice_unknown``, or ``voice_ambiguous`` when several shared voices have the name.
    """
    visible = Voice.objects.visible_to(user).select_related("checkpoint__run", "owner")
    try:
        voice = visible.filter(pk=UUID(given)).first()
    except ValueError:
        voice = None
    if voice is not None:
        return voice
    named = list(visible.filter(name=given))
    own = [voice for voice in named if voice.owner_id == user.pk]
    found = own or named
    if not found:
        raise DomainError(
            "voice_unknown",
            f"There is no voice “{given}”, or it is not shared with you; see the list of voices.",
            field="voice",
        )
    if len(found) > 1:
        raise DomainError(
            "voice_ambiguous",
            f"{len(found)} shared voices are named “{given}”; give the id of one: "
            f"{', '.join(f'{voice.pk} ({voice.owner})' for voice in found)}.",
            field="voice",
        )
    return found[0]
