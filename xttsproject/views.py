"""Pages and answers that belong to the portal as a whole."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from django.views.defaults import page_not_found
from django.views.defaults import server_error as server_error_page
from django_prometheus.exports import ExportToDjangoView

from datasets.choices import ReviewStatus
from datasets.models import DatasetVersion, Segment, SourceVideo
from training.models import Checkpoint, TrainingRun
from voices.models import Synthesis, Voice
from xttsproject.accounts.api.errors import body
from xttsproject.jobs.models import Job


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Where the person's work stands along the way from recording to speech."""
    user = request.user
    segments = Segment.objects.visible_to(user)
    return render(
        request,
        "home.html",
        {
            "sources": SourceVideo.objects.visible_to(user).count(),
            "segments": segments.count(),
            "pending": segments.filter(status=ReviewStatus.PENDING).count(),
            "versions": DatasetVersion.objects.visible_to(user).ready().count(),
            "runs": TrainingRun.objects.visible_to(user).count(),
            "checkpoints": Checkpoint.objects.visible_to(user).count(),
            "voices": Voice.objects.visible_to(user).ready().count(),
            "syntheses": Synthesis.objects.visible_to(user).count(),
            "jobs": Job.objects.visible_to(user)[:6],
        },
    )


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures for Prometheus: for administrators, and for whoever holds METRICS_TOKEN."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    trusted = bool(settings.METRICS_TOKEN) and constant_time_compare(given, settings.METRICS_TOKEN)
    if not trusted and not request.user.is_superuser:
        raise PermissionDenied
    response: HttpResponse = ExportToDjangoView(request)
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Programs get the API's shape of an error even where there is no endpoint."""
    if request.path.startswith(("/api/", "/v1/")):
        sentence = f"There is nothing at {request.path}; /api/docs/ lists every address."
        return JsonResponse(body(sentence, code="not_found", param=None, http=404), status=404)
    return page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """As :func:`not_found`, where something unexpected broke."""
    if request.path.startswith(("/api/", "/v1/")):
        sentence = "Something broke on our side, and the log has the details; try again, or tell who runs the portal."
        return JsonResponse(body(sentence, code="server_error", param=None, http=500), status=500)
    return server_error_page(request)


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The web process answers."""
    return HttpResponse("ok\n", content_type="text/plain")
