"""What the endpoints that speak have in common: a serializer's values as what somebody wants spoken."""

from __future__ import annotations

from typing import Any

from voices.api.serializers import guard_of, sampling_of
from voices.choices import Channel
from voices.models import Voice
from voices.services import pauses_of, profile_asked
from voices.services.wishes import Wish


def wish_of(values: dict[str, Any], user: Any, voice: Voice, channel: Channel, *, text_field: str = "text") -> Wish:
    """Of validated data; ``text_field`` is what the serializer calls the text. DomainErrors of the profile it names."""
    return Wish(
        user=user,
        voice=voice,
        text=values[text_field],
        language=values.get("language", ""),
        sampling=sampling_of(values, user),
        pauses=pauses_of(values),
        guard=guard_of(values),
        profile=profile_asked(user=user, profile=values.get("profile")),
        channel=channel,
        text_field=text_field,
    )
