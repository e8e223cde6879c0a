"""What is decided before a request reaches any view."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponsePermanentRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.middleware.common import CommonMiddleware
from django.shortcuts import render, resolve_url
from django.template.defaultfilters import filesizeformat
from django.urls import Resolver404, resolve
from django.utils.http import escape_leading_slashes

from xttsproject.accounts.api.errors import body

# Fields, boundaries and headers around the file itself.
_MARGIN = 1024 * 1024


# Routes that take models, by name.
_TAKING_MODELS = {"library:import-add", "model-import-list"}
_TRANSCRIBING = {"openai-transcriptions", "openai-translations"}


def _limit_of(path: str) -> tuple[int, str]:
    """The most bytes that an address takes, and what to do with more."""
    try:
        name = resolve(path).view_name
    except Resolver404:
        name = ""
    if name in _TAKING_MODELS:
        return settings.MODEL_UPLOAD_MAX_BYTES, "put the file into the models' inbox on the server and name it there"
    if name in _TRANSCRIBING:
        return settings.TRANSCRIPTION_MAX_BYTES, "compress or cut it, or add it as a recording"
    return settings.UPLOAD_MAX_BYTES, "upload a shorter recording, or only its sound"


class _SentOn(HttpResponsePermanentRedirect):
    def __init__(self, to: str):
        super().__init__(to, preserve_request=True)


class SlashMiddleware(CommonMiddleware):
    """Sends on whoever leaves out the slash at an address's end, with what they sent.

    Django's own answer is 301, which clients follow with a GET, whatever it was.
    """

    response_redirect_class = _SentOn

    def get_full_path_with_slash(self, request: HttpRequest) -> str:
        """As Django's, which with DEBUG raises for what has a body: a 301 would lose it, and 308 does not."""
        return escape_leading_slashes(request.get_full_path(force_append_slash=True))


class HeadMiddleware:
    """Whoever asks for the headers alone is sent those, and nothing is streamed or read from a file for it.

    Servers drop the body of such an answer only after all of it has been made. A short speech whose length has to be
    told is still converted by its view, and kept.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method == "HEAD":
            # What was to be sent is closed with the answer; its length has been told.
            if isinstance(response, StreamingHttpResponse):
                response.streaming_content = ()
            elif isinstance(response, HttpResponse):
                response.content = b""
        return response


class UploadLimitMiddleware:
    """Refuses a body that is over the limit by its own declaration, before a byte of it is taken in.

    A body that declares no length is read as empty by WSGI servers, so nothing passes by this.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            length = 0
        if length > min(settings.UPLOAD_MAX_BYTES, settings.TRANSCRIPTION_MAX_BYTES) + _MARGIN:
            limit, instead = _limit_of(request.path_info)
            if length > limit + _MARGIN:
                return self._refuse(request, length, limit, instead)
        return self.get_response(request)

    def _refuse(self, request: HttpRequest, length: int, limit: int, instead: str) -> HttpResponse:
        sentence = f"The upload has {filesizeformat(length)}, but {filesizeformat(limit)} are the limit; {instead}."
        if request.path.startswith(("/api/", "/v1/")):
            return JsonResponse(body(sentence, code="too_large", param="file", http=413), status=413)
        return render(request, "413.html", {"sentence": sentence}, status=413)


class SignedOutMiddleware:
    """Tells a script that the sign-in has ended, instead of leading it to the page for it.

    htmx would put that page into a part of its own. What only looks reloads its page, which then asks for the sign-in;
    what was typed stays where it is.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        away = response.status_code == 302 and response.headers["Location"].startswith(resolve_url(settings.LOGIN_URL))
        if not (away and getattr(request, "htmx", False)):
            return response
        return HttpResponse(status=401, headers={"HX-Refresh": "true"} if request.method == "GET" else {})
