"""Answers that Django has no class for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

# No file has a place of more digits, and Python reads no number of thousands of them.
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})$", re.ASCII)
_BLOCK = 64 * 1024


def file_response(
    request: HttpRequest,
    path: Path,
    *,
    content_type: str,
    download_name: str | None = None,
    changes: bool = False,
) -> HttpResponseBase:
    """A file whose stretches can be asked for (RFC 9110 §14), which audio players need for seeking.

    Several ranges in one request are answered with the whole file, as the standard allows. ``changes``: another file
    may stand at the same address in a moment, so that a browser is not to keep this one.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise Http404(f"{path.name} is no longer there.") from None
    asked = _RANGE.match(request.headers.get("Range", ""))
    first, last = _stretch(asked, size) if asked else (0, size - 1)
    response: HttpResponseBase
    if asked is None:
        response = FileResponse(open(path, "rb"), content_type=content_type)  # noqa: SIM115 (the response closes it)
        response.block_size = _BLOCK
    elif first > last or first >= size:
        response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    else:
        response = StreamingHttpResponse(
            _blocks(path, first, last),
            status=206,
            content_type=content_type,
            headers={"Content-Range": f"bytes {first}-{last}/{size}", "Content-Length": str(last - first + 1)},
        )
    response.headers["Accept-Ranges"] = "bytes"
    # Audio of private recordings must not stay in shared caches.
    response.headers["Cache-Control"] = "private, no-cache" if changes else "private, max-age=3600"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if download_name:
        response.headers["Content-Disposition"] = content_disposition_header(True, download_name) or "attachment"
    return response


def bytes_response(
    request: HttpRequest, data: bytes, *, content_type: str, file_name: str | None = None
) -> HttpResponseBase:
    """The same for a small file that is made as it is asked for; some players play nothing without ranges."""
    asked = _RANGE.match(request.headers.get("Range", ""))
    first, last = _stretch(asked, len(data)) if asked else (0, len(data) - 1)
    if asked and (first > last or first >= len(data)):
        response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
    else:
        response = HttpResponse(data[first : last + 1], content_type=content_type, status=206 if asked else 200)
        if asked:
            response.headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "private, max-age=3600"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if file_name:
        response.headers["Content-Disposition"] = content_disposition_header(False, file_name) or "inline"
    return response


def _stretch(asked: re.Match[str], size: int) -> tuple[int, int]:
    start, end = asked.groups()
    if not start:
        # "-500": the last 500 bytes.
        return max(0, size - int(end or 0)), size - 1
    return int(start), min(int(end), size - 1) if end else size - 1


def _blocks(path: Path, first: int, last: int) -> Iterator[bytes]:
    left = last - first + 1
    with open(path, "rb") as handle:
        handle.seek(first)
        while left > 0 and (block := handle.read(min(_BLOCK, left))):
            left -= len(block)
            yield block
