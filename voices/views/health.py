"""Whether this process can speak, for whoever sends it requests."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from voices.services.runtime import readiness


@require_GET
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when a request for speech can be answered, else 503; to staff the body says why and what is loaded."""
    ready, facts = readiness()
    # Which model and how much memory a machine has is nothing for strangers; whether it can speak is for balancers.
    body = {"ready": ready, "speech": facts} if request.user.is_staff else {"ready": ready}
    return JsonResponse(body, status=200 if ready else 503)
