"""Pages and answers that belong to the portal as a whole."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from datasets.choices import ReviewStatus
from datasets.models import DatasetVersion, Segment, SourceVideo
from training.models import Checkpoint, TrainingRun
from voices.models import Synthesis, Voice
from xttsproject.bundles.manifest import Bundle, list_bundles
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


@login_required
def models(request: HttpRequest) -> HttpResponse:
    """The model bundles on this machine, which of them are in use, and their licences."""
    bundles: list[Bundle] = list_bundles(settings.MODELS_DIR)
    return render(request, "models.html", {"bundles": bundles, "used": {settings.XTTS_BUNDLE, settings.WHISPER_BUNDLE}})


def healthz(request: HttpRequest) -> HttpResponse:
    """The web process answers."""
    return HttpResponse("ok\n", content_type="text/plain")
