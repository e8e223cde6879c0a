"""A speech that is spoken once under its key, without the web around it."""

from __future__ import annotations

from typing import Any

from voices.models import Synthesis
from voices.services.idempotency import fingerprint_of, speak_once


def once(user: Any, make: Any, body: str = "body", key: str = "key") -> tuple[Synthesis, bool]:
    return speak_once(user=user, key=key, fingerprint=fingerprint_of("/", {"text": body}), make=make, gone=None)
