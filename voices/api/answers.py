"""Speech as an HTTP answer."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpResponse

from voices.engine.encoding import encode, require_format
from voices.models import Synthesis
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import Cancelled

# Nobody reads it; servers' logs know this number for a client that hung up.
CLIENT_GONE = 499


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
