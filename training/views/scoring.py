"""Having a run's checkpoints scored; what comes of it stands on the run's page."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from datasets.views.access import editable_or_forbidden
from training.models import TrainingRun
from training.services import scoring_start
from xttsproject.refusals import refusals_told


@login_required
@require_POST
def score(request: HttpRequest, pk: UUID) -> HttpResponse:
    run = editable_or_forbidden(TrainingRun.objects.all(), request.user, pk)
    with refusals_told(request):
        scoring_start(run=run, user=request.user)
    return redirect(f"{reverse('training:run-detail', args=[pk])}#scores")
