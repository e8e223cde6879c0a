"""Whether this process can speak, for whoever sends it requests."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from voices.services.runtime import readiness


@require_GET
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when a request for speech can be answered, else 503; the body says why and what is loaded."""
    ready, facts = readiness()
    return JsonResponse({"ready": ready, "speech": facts}, status=200 if ready else 503)
