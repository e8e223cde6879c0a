"""Speech as an HTTP answer that comes while it is spoken, on pages and in the API."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

from voices.clients import CLIENT_GONE
from voices.engine.encoding import Output
from voices.engine.encoding_streams import StreamEncoder, stream_encoder
from voices.services import SpeechStream
from xttsproject.lib.errors import Cancelled, DomainError

logger = logging.getLogger(__name__)


class Closing(Protocol):
    def close(self) -> None: ...


def streamed(start: Callable[[], SpeechStream], output: Output, *, events: bool = False) -> HttpResponseBase:
    """Answer with a speech's sound while it is spoken, or with OpenAI's server-sent events of it.

    The output's format and rate are followed; its loudness cannot be. What ``start`` raises becomes an ordinary answer.
    What goes wrong later ends the answer where it is: as an event that says what, else by breaking the connection off,
    because the status has been sent long before.
    """
    wanted = output.format
    try:
        stream = start()
    except Cancelled:
        return HttpResponse(status=CLIENT_GONE)
    encoder = stream_encoder(output, stream.sample_rate, stream.tags)
    response = StreamingHttpResponse(
        Body(stream, _events(stream, encoder) if events else _sound(stream, encoder)),
        content_type="text/event-stream" if events else wanted.content_type,
        headers={
            "Cache-Control": "no-store",
            # nginx would gather it otherwise.
            "X-Accel-Buffering": "no",
            "X-Synthesis-Id": str(stream.id),
            "X-Speech-Seed": str(stream.seed),
            "X-Speech-Model": stream.bundle,
        },
    )
    if not events:
        response.headers["Content-Disposition"] = f'attachment; filename="{stream.id}.{wanted.name}"'
    return response


class Body:
    """Blocks of an answer. Closed by the server when the client is gone or has all of it, also before the first; then
    their ``source`` is too."""

    def __init__(self, source: Closing, blocks: Generator[bytes, None, None]):
        self._source, self._blocks = source, blocks

    def __iter__(self) -> Iterator[bytes]:
        return self._blocks

    def close(self) -> None:
        self._blocks.close()
        self._source.close()


def _sound(stream: SpeechStream, encoder: StreamEncoder) -> Generator[bytes, None, None]:
    try:
        for samples in stream:
            block = encoder.push(samples)
            if block:
                yield block
    except Cancelled:
        return
    yield encoder.end()


def _events(stream: SpeechStream, encoder: StreamEncoder) -> Generator[bytes, None, None]:
    try:
        for block in _sound(stream, encoder):
            if block:
                yield event("speech.audio.delta", {"audio": base64.b64encode(block).decode()})
    except DomainError as error:
        yield event("error", {"error": {"message": error.message, "code": error.code, "param": error.field}})
        return
    except Exception:
        logger.exception("A speech broke while it was streamed")
        message = "The speech broke off; try again."
        yield event("error", {"error": {"message": message, "code": "server_error", "param": None}})
        return
    if stream.synthesis is None:
        return
    kept, read = stream.synthesis, stream.tokens
    spoken = sum(sentence["codes"] for sentence in kept.sentences)
    usage = {"input_tokens": read, "output_tokens": spoken, "total_tokens": read + spoken}
    # Beside what OpenAI's event has: what the guard had to say, and where the speech can be had again.
    told = {"warnings": kept.warnings, "synthesis_id": str(kept.pk), "seconds": round(kept.seconds, 3)}
    yield event("speech.audio.done", {"usage": usage, **told})


def event(kind: str, data: dict[str, Any]) -> bytes:
    """A server-sent event as OpenAI's are: its kind stands in the data too."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()
