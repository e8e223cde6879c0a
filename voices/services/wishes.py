"""What somebody wants spoken: one contract for what is spoken at once, streamed, or by a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from voices.choices import Channel
from voices.models import QualityProfile, Voice
from xttsproject.xtts.types import Pauses


@dataclass(frozen=True, kw_only=True)
class Wish:
    """``text``, a script, said by ``voice`` for ``user``.

    ``language`` is a code, ``auto`` or empty for each voice's own. ``sampling`` holds values that differ from the
    voice's defaults, None counting as not given; ``guard`` likewise how its sentences are guarded (``guard``,
    ``max_retries``, ``candidates``). ``profile`` is the one that the request names: how it guards is below ``guard``,
    and its values are in ``sampling`` already. ``text_field`` is what the caller's form or API calls the text, for
    errors.
    """

    user: Any
    voice: Voice
    text: str
    channel: Channel
    language: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    pauses: Pauses = field(default_factory=Pauses)
    guard: Mapping[str, Any] = field(default_factory=dict)
    profile: QualityProfile | None = None
    text_field: str = "text"

    @property
    def profile_name(self) -> str:
        """Of the profile that it is spoken with; empty: of none."""
        named = self.profile or self.voice.profile
        return named.name if named is not None else ""
