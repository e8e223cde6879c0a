"""Speech as an HTTP answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from voices.clients import CLIENT_GONE, hung_up
from voices.engine.encoding import FORMATS, Output, require_format
from voices.models import Synthesis
from voices.services.idempotency import HEADER, fingerprint_of, speak_once
from voices.services.output import synthesis_file
from voices.services.pace import speech_turn_seconds
from xttsproject.accounts.api.schema import ErrorSerializer
from xttsproject.lib.errors import Cancelled, DomainError

# Nobody is sent away for longer, whatever was measured.
LONGEST_RETRY = 600

SOUNDS: dict[Any, Any] = {(200, known.content_type): OpenApiTypes.BINARY for known in FORMATS.values()}
"""Content types of speech, for the schema."""

WAITING: dict[Any, Any] = dict.fromkeys((429, 503, 504), ErrorSerializer)
"""How a request is refused that a model would have to answer, for the schema."""

SPOKEN: dict[Any, Any] = {
    **SOUNDS,
    (200, "text/event-stream"): OpenApiTypes.STR,
    **WAITING,
    410: ErrorSerializer,
    422: ErrorSerializer,
}
"""How a request for speech is answered, for the schema."""

UNFINISHED: dict[Any, Any] = {409: ErrorSerializer}
"""How a long text is refused that is not whole yet, or a speech that is none, for the schema."""

KEY_PARAMETER = OpenApiParameter(
    HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Up to 255 characters of your own. The same request with the same key within 24 hours is answered with "
    "the same speech, which is spoken once.",
)


def retry_after(seconds: float) -> str:
    """As the header has it."""
    return str(min(max(1, math.ceil(seconds)), LONGEST_RETRY))


class SpeakingView(APIView):
    """Whoever is turned away because too many wait is told when to come again."""

    def handle_exception(self, exc: Exception) -> Response:
        response: Any = super().handle_exception(exc)
        if isinstance(exc, DomainError) and exc.code in ("busy", "idempotency_in_progress"):
            response["Retry-After"] = retry_after(self.seconds_until_free())
        return response  # type: ignore[no-any-return]

    def seconds_until_free(self) -> float:
        """About how long until a place in the line becomes free."""
        return speech_turn_seconds()


_LONGEST_HEADER = 2_000


def output_of(values: Mapping[str, Any], format_name: str) -> Output:
    """How the speech is to come, of a serializer's validated data."""
    return Output(require_format(format_name), values.get("sample_rate"), values.get("loudness"))


def streamable(request: Request, output: Output) -> bool:
    """Whether what is asked for can be sent before all of it is there: see :func:`require_streamable`."""
    return output.loudness is None and not request.headers.get(HEADER)


def require_streamable(request: Request, output: Output) -> None:
    """DomainError ``stream_unsupported`` for what only a whole speech can have."""
    if output.loudness is not None:
        raise DomainError(
            "stream_unsupported",
            "A loudness is measured over the whole speech; leave it out, or ask for the speech without streaming.",
            field="loudness",
        )
    if request.headers.get(HEADER):
        raise DomainError(
            "stream_unsupported",
            f"A streamed speech cannot be asked for again under a key; leave {HEADER} out, or stream nothing.",
            field=HEADER,
        )


def body_of(request: Request) -> Any:
    """What was sent, for telling two requests apart."""
    given = request.data
    return dict(given.lists()) if hasattr(given, "lists") else given


def spoken(request: Request, make: Callable[[Callable[[], bool] | None], Synthesis], output: Output) -> HttpResponse:
    """Run ``make`` and answer with its sound, and what it is in the headers.

    A request that is sent again under its key is spoken once. ``make`` is given a function that says whether the client
    has hung up.
    """
    try:
        synthesis, again = speak_once(
            user=request.user,
            key=request.headers.get(HEADER, ""),
            fingerprint=fingerprint_of(request.path, body_of(request)),
            make=make,
            gone=hung_up(request._request),
        )
    except Cancelled:
        return HttpResponse(status=CLIENT_GONE)
    response = HttpResponse(
        _sound(synthesis, output, again=again),
        content_type=output.format.content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{synthesis.pk}.{output.format.name}"',
            "Cache-Control": "no-store",
            "X-Synthesis-Id": str(synthesis.pk),
            "X-Speech-Seed": str(synthesis.sampling["seed"]),
            "X-Speech-Seconds": f"{synthesis.seconds:.3f}",
            "X-Speech-Model": synthesis.bundle,
            **_warned(synthesis.warnings),
        },
    )
    if again:
        response["Idempotent-Replayed"] = "true"
    return response


def _sound(synthesis: Synthesis, output: Output, *, again: bool) -> bytes:
    try:
        return synthesis_file(synthesis=synthesis, output=output, kept=False)
    except FileNotFoundError:
        raise DomainError(
            "speech_gone",
            f"The sound of the speech {synthesis.pk} is no longer on the disk; "
            + ("ask for it anew under another key." if again else "ask for it anew."),
            field=HEADER if again else None,
        ) from None


def _warned(warnings: list[str]) -> dict[str, str]:
    """A header of them: a JSON list in ASCII; of very many the first ones, no header for none."""
    kept = list(warnings)
    while len(header := json.dumps(kept)) > _LONGEST_HEADER:
        kept.pop()
    return {"X-Speech-Warnings": header} if kept else {}
