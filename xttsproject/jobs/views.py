"""The pages of long work: a list, one job, and the live strip that other pages embed."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_cancel, job_retry
from xttsproject.refusals import refusals_told


@login_required
@require_GET
def job_list(request: HttpRequest) -> HttpResponse:
    page = Paginator(Job.objects.visible_to(request.user).with_places(), 30).get_page(request.GET.get("page"))
    return render(request, "jobs/list.html", {"page": page, "any_active": any(job.is_active for job in page)})


@login_required
@require_GET
def job_strip(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One job's live line. When it has ended, the page around it is asked to show the outcome."""
    job = get_object_or_404(Job.objects.visible_to(request.user), pk=pk)
    response = render(request, "jobs/_strip.html", {"job": job})
    if job.is_final and "watched" in request.GET:
        response["HX-Refresh"] = "true"
    return response


@login_required
@require_POST
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    job = get_object_or_404(Job.objects.editable_by(request.user), pk=pk)
    with refusals_told(request):
        job_cancel(job=job)
        messages.info(
            request, f"“{job.title}” is being cancelled." if job.is_active else f"“{job.title}” was cancelled."
        )
    return _back(request)


@login_required
@require_POST
def retry(request: HttpRequest, pk: UUID) -> HttpResponse:
    job = get_object_or_404(Job.objects.editable_by(request.user), pk=pk)
    with refusals_told(request):
        job_retry(job=job, user=request.user)
        messages.info(request, f"“{job.title}” is queued again.")
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        return redirect(target)
    return redirect("jobs:list")
