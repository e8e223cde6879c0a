"""Answers that Django has no class for, and keys as requests have them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotModified,
    StreamingHttpResponse,
)
from django.utils.http import content_disposition_header, parse_etags

# No file has a place of more digits, and Python reads no number of thousands of them.
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})$", re.ASCII)
_BLOCK = 64 * 1024


def keys_given(values: Iterable[str]) -> list[int]:
    """Keys of rows, or other numbers, as a form or an address has them; what is none is passed over.

    No key has more digits: the database refuses a larger number before it looks for a row, and Python reads none of
    thousands of digits.
    """
    return [int(value) for value in values if value.isdecimal() and len(value) < 19]


def file_response(
    request: HttpRequest,
    path: Path,
    *,
    content_type: str,
    download_name: str | None = None,
    changes: bool = False,
) -> HttpResponseBase:
    """A file whose stretches can be asked for (RFC 9110 §14), which audio players need for seeking.

    Several ranges in one request are answered with the whole file, as the standard allows. The ETag is another one when
    the file has been replaced, so that nobody joins stretches of two (``If-Range``). ``changes``: another file may
    stand at the same address in a moment, so that a browser is to ask before it takes the one it has.
    """
    try:
        told = path.stat()
    except FileNotFoundError:
        raise Http404(f"{path.name} is no longer there.") from None
    size, etag = told.st_size, f'"{told.st_mtime_ns:x}-{told.st_size:x}"'
    asked = _asked(request, etag)
    first, last = _stretch(asked, size) if asked else (0, size - 1)
    response: HttpResponseBase
    if _has(request, etag):
        response = HttpResponseNotModified()
    elif asked is None:
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
    if download_name:
        response.headers["Content-Disposition"] = content_disposition_header(True, download_name) or "attachment"
    return _told(response, etag, changes=changes)


def bytes_response(
    request: HttpRequest, data: bytes, *, content_type: str, file_name: str | None = None, download: bool = False
) -> HttpResponseBase:
    """The same for a small file that is made as it is asked for; some players play nothing without ranges."""
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    asked = _asked(request, etag)
    first, last = _stretch(asked, len(data)) if asked else (0, len(data) - 1)
    response: HttpResponseBase
    if _has(request, etag):
        response = HttpResponseNotModified()
    elif asked and (first > last or first >= len(data)):
        response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
    else:
        response = HttpResponse(data[first : last + 1], content_type=content_type, status=206 if asked else 200)
        if asked:
            response.headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    if file_name:
        response.headers["Content-Disposition"] = content_disposition_header(download, file_name) or "inline"
    return _told(response, etag)


def _asked(request: HttpRequest, etag: str) -> re.Match[str] | None:
    """The stretch that is asked for; None for the whole, also where it was to be of a file that is another by now.

    A date in ``If-Range`` is that of none: no dates are given here.
    """
    if request.headers.get("If-Range", etag) != etag:
        return None
    return _RANGE.match(request.headers.get("Range", ""))


def _has(request: HttpRequest, etag: str) -> bool:
    """Whether the browser has it already."""
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in known or etag in {each.removeprefix("W/") for each in known}


def _told(response: HttpResponseBase, etag: str, *, changes: bool = False) -> HttpResponseBase:
    response.headers["ETag"] = etag
    # Audio of private recordings must not stay in shared caches.
    response.headers["Cache-Control"] = "private, no-cache" if changes else "private, max-age=3600"
    if response.status_code != 304:
        response.headers["Accept-Ranges"] = "bytes"
        response.headers["X-Content-Type-Options"] = "nosniff"
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
