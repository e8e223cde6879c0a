"""Speech as an HTTP answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from rest_framework.response import Response
from rest_framework.views import APIView

from voices.engine.encoding import encode, require_format
from voices.models import Synthesis
from voices.services.pace import speech_turn_seconds
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import Cancelled, DomainError

# Nobody reads it; servers' logs know this number for a client that hung up.
CLIENT_GONE = 499
# Nobody is sent away for longer, whatever was measured.
LONGEST_RETRY = 600


class SpeakingView(APIView):
    """Whoever is turned away because too many wait is told when to come again."""

    def handle_exception(self, exc: Exception) -> Response:
        response: Any = super().handle_exception(exc)
        if isinstance(exc, DomainError) and exc.code == "busy":
            response["Retry-After"] = str(min(max(1, math.ceil(self.seconds_until_free())), LONGEST_RETRY))
        return response  # type: ignore[no-any-return]

    def seconds_until_free(self) -> float:
        """About how long until a place in the line becomes free."""
        return speech_turn_seconds()


def spoken(make: Callable[[], Synthesis], format_name: str) -> HttpResponse:
    """Run ``make`` and answer with its sound in the format asked for, and what it is in the headers."""
    wanted = require_format(format_name)
    try:
        synthesis = make()
    except Cancelled:
        return HttpResponse(status=CLIENT_GONE)
    return HttpResponse(
        encode(read_wav(synthesis.audio_path), wanted),
        content_type=wanted.content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{synthesis.pk}.{wanted.name}"',
            "Cache-Control": "no-store",
            "X-Synthesis-Id": str(synthesis.pk),
            "X-Speech-Seed": str(synthesis.sampling["seed"]),
            "X-Speech-Seconds": f"{synthesis.seconds:.3f}",
            "X-Speech-Model": synthesis.bundle,
        },
    )
