"""What is decided before a request reaches any view."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat

from xttsproject.accounts.api.errors import body

# Fields, boundaries and headers around the file itself.
_MARGIN = 1024 * 1024


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
        if length > settings.UPLOAD_MAX_BYTES + _MARGIN:
            return self._refuse(request, length)
        return self.get_response(request)

    def _refuse(self, request: HttpRequest, length: int) -> HttpResponse:
        sentence = (
            f"The upload has {filesizeformat(length)}, but {filesizeformat(settings.UPLOAD_MAX_BYTES)} are the limit; "
            "upload a shorter recording, or only its sound."
        )
        if request.path.startswith(("/api/", "/v1/")):
            return JsonResponse(body(sentence, code="too_large", param="file", http=413), status=413)
        return render(request, "413.html", {"sentence": sentence}, status=413)
