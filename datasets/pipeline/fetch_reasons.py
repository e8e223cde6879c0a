"""Why a fetch failed, in one sentence: yt-dlp's exceptions and warnings as a person needs them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from datasets.pipeline.fetch_bounds import PageTooLarge
from datasets.pipeline.fetch_guard import Guard, TooManyBytes
from datasets.pipeline.wording import bytes_words
from xttsproject.lib.errors import DomainError

PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})

_NO_JAVASCRIPT = (
    "{url} plays only through a script, and no JavaScript runtime was found to run it; ask the administrator to "
    "install Node.js or Deno where the portal's workers find it."
)
# What sites answer, as yt-dlp passes it on, with what it means here and whether it may pass.
_ANSWERS: tuple[tuple[str, str, bool], ...] = (
    (
        r"confirm you.?re not a bot|not a robot|captcha",
        "The site of {url} takes this server for a robot and blocks it for now; wait some hours, or download the "
        "recording yourself and upload the file.",
        False,
    ),
    (
        r"confirm your age|age.?restricted",
        "{url} is shown only to people who sign in and are of age; download the recording yourself and upload the "
        "file.",
        True,
    ),
    (r"private video|video is private", "{url} is private; ask its owner for the file and upload it.", True),
    (
        r"members.?only|join this channel|subscribers? only|requires? payment|premium",
        "{url} is only for those who pay its channel; upload the file if you may have it.",
        True,
    ),
    (r"\bDRM\b", "{url} is protected against copying (DRM), so it cannot be fetched.", True),
    (
        r"(?:blocked|not (?:made )?(?:this video )?available) .{0,40}(?:country|countries|region|location)",
        "{url} is not available in this server's country; download the recording yourself and upload the file.",
        True,
    ),
    (
        r"copyright (?:claim|grounds)|has been (?:removed|terminated)|account .{0,40}terminated",
        "{url} was taken down by its site, so there is nothing to fetch.",
        True,
    ),
    (
        r"sign in|log ?in|login required|cookies",
        "{url} is shown only to people who sign in; download the recording yourself and upload the file.",
        True,
    ),
)


def explained(error: Exception, url: str, guard: Guard, *, max_bytes: int, warnings: Sequence[str] = ()) -> DomainError:
    """yt-dlp's exception as a sentence. What the guard stopped comes first: libraries report it as something else.

    ``warnings`` are what yt-dlp said before it gave up; some of them are the cause.
    """
    from yt_dlp.networking.exceptions import CertificateVerifyError, HTTPError, TransportError
    from yt_dlp.utils import GeoRestrictedError, UnsupportedError

    chain = _chain(error)
    for cause in chain:
        if isinstance(cause, DomainError):
            return cause
    if any(isinstance(cause, PageTooLarge | MemoryError) for cause in chain):
        return DomainError(
            "fetch_failed",
            f"What stands at {url} is too large for a page and is no recording; give the address of the recording.",
            field="url",
        )
    if guard.exceeded or any(isinstance(cause, TooManyBytes) for cause in chain):
        return too_large(max_bytes)
    if guard.refused:
        message = (
            f"{url} leads to {guard.refused}, which is not a public address; give an address on the public internet."
        )
        return DomainError("url_private_address", message, field="url")
    if guard.unresolved:
        message = f"The host name {guard.unresolved} cannot be found; check the address."
        return DomainError("url_unresolved", message, permanent=False, field="url")
    for cause in chain:
        if isinstance(cause, HTTPError):
            return _http_error(url, int(cause.status))
        if isinstance(cause, UnsupportedError):
            return DomainError(
                "fetch_failed", f"No recording was found at {url}; give the address of one.", field="url"
            )
        if isinstance(cause, CertificateVerifyError):
            return DomainError(
                "fetch_failed", f"The certificate of {url} is not valid, so it is not trusted.", field="url"
            )
        if isinstance(cause, ConnectionRefusedError):
            return DomainError("fetch_failed", f"The server of {url} is not reachable.", permanent=False, field="url")
        if isinstance(cause, TimeoutError):
            message = f"The server of {url} did not answer in time."
            return DomainError("fetch_failed", message, permanent=False, field="url")
        if isinstance(cause, GeoRestrictedError):
            return DomainError("fetch_failed", f"{url} is not available in this server's country.", field="url")
    said = answer_in_words(str(chain[0]), url, warnings)
    if said is not None:
        return said
    if "Requested format is not available" in str(chain[0]):
        message = f"{url} offers the recording only in ways that are not fetched here, such as RTMP."
        return DomainError("fetch_failed", message, field="url")
    passing = any(isinstance(cause, TransportError | ConnectionError) for cause in chain)
    reason = reason_of(chain[0])
    return DomainError("fetch_failed", f"{url} could not be fetched: {reason}", permanent=not passing, field="url")


def _http_error(url: str, status: int) -> DomainError:
    words = {
        401: "asks for a sign-in",
        403: "is not open to this server",
        404: "does not exist",
        410: "is gone",
        429: "refuses more requests for now",
    }
    what = words.get(status, "could not be fetched")
    passing = status in PASSING_STATUS
    return DomainError("fetch_failed", f"{url} {what} (HTTP {status}).", permanent=not passing, field="url")


def answer_in_words(said: str, url: str, warnings: Sequence[str]) -> DomainError | None:
    """What a site (or yt-dlp, lacking a JavaScript runtime) answered, where it is a known answer."""
    missing = [warning for warning in warnings if "JavaScript runtime" in warning]
    for pattern, meaning, permanent in _ANSWERS:
        if re.search(pattern, said, re.IGNORECASE):
            return DomainError("fetch_blocked", meaning.format(url=url), permanent=permanent, field="url")
    if missing:
        return DomainError("fetch_no_javascript", _NO_JAVASCRIPT.format(url=url), field="url")
    return None


def too_large(max_bytes: int) -> DomainError:
    limit = bytes_words(max_bytes)
    return DomainError(
        "too_large", f"The recording is larger than the limit of {limit}; choose a shorter one.", field="url"
    )


def _chain(error: BaseException) -> list[BaseException]:
    """The exception and all it was made from, by whichever way it is remembered."""
    found: list[BaseException] = []
    queue: list[Any] = [error]
    while queue:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or current in found:
            continue
        found.append(current)
        exc_info = getattr(current, "exc_info", None)
        queue += [exc_info[1] if isinstance(exc_info, tuple) else None, getattr(current, "cause", None)]
        queue += [current.__cause__, current.__context__]
    return found


def reason_of(error: BaseException) -> str:
    """The first line of a message, without yt-dlp's own preamble and its advice on reporting bugs."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    text = re.sub(r"^ERROR:\s*(\[[^\]]+\]\s*)?", "", text)
    text = re.split(r";? please report this issue|\(caused by", text)[0].strip()
    return text if text.endswith(".") else f"{text}."
