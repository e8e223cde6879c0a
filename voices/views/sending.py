"""Sound that is encoded while it is sent, and what files are called."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.text import slugify

from voices.engine.encoding import Output
from voices.models import Synthesis
from voices.services.longform_output import Recording, longform_bytes


def file_name(synthesis: Synthesis, more: str = "") -> str:
    """By voice and first words."""
    return slugify(f"{synthesis.voice_name} {synthesis.text[:40]} {more}") or str(synthesis.pk)


def saved_headers(synthesis: Synthesis, suffix: str, more: str = "") -> dict[str, str]:
    name = f"{file_name(synthesis, more)}.{suffix}"
    return {
        "Content-Disposition": content_disposition_header(True, name) or "attachment",
        "Cache-Control": "private, no-store",
    }


def sent(synthesis: Synthesis, recording: Recording, output: Output, more: str = "") -> HttpResponseBase:
    blocks = longform_bytes(synthesis=synthesis, recording=recording, output=output)
    return streaming(blocks, output.format.content_type, saved_headers(synthesis, output.format.name, more))


def streaming(blocks: Iterator[bytes], content_type: str, headers: dict[str, str]) -> HttpResponseBase:
    return StreamingHttpResponse(blocks, content_type=content_type, headers=headers)
