"""A dataset's screening: what was measured, the policy, what it would do, and doing it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from datasets.forms import PolicyForm
from datasets.models import Dataset
from datasets.services.clip_measures import dataset_measure_start
from datasets.services.following import latest_job
from datasets.services.screening import (
    policy_of,
    policy_set,
    screening_preview,
    screening_start,
    screening_undo_start,
)
from datasets.views.access import editable_or_forbidden, may_edit
from xttsproject.lib.errors import DomainError
from xttsproject.refusals import refusals_told

CHANGES_PER_PAGE = 25


@login_required
@require_http_methods(["GET", "POST"])
def screening(request: HttpRequest, pk: int) -> HttpResponse:
    """The policy with what it would do now; posted, another one with what that would do, kept where "save" says so."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user).select_related("speaker", "owner"), pk=pk)
    if request.method == "POST":
        editable_or_forbidden(Dataset.objects.all(), request.user, pk)
    policy = policy_of(dataset=dataset)
    form = PolicyForm(request.POST or None, policy=policy)
    if request.method == "POST" and form.is_valid():
        try:
            policy = form.policy()
        except DomainError as error:
            form.refuse(error)
        else:
            if "save" in request.POST:
                policy_set(dataset=dataset, policy=policy)
                messages.success(request, "The policy was saved. It changes clips only when it is applied.")
                return redirect("datasets:dataset-screening", pk)
    preview = screening_preview(dataset=dataset, policy=policy, editor=request.user)
    job = latest_job(subject=dataset, user=request.user)
    context: dict[str, Any] = {
        "dataset": dataset,
        "form": form,
        "preview": preview,
        "is_tried": request.method == "POST" and not form.errors,
        "page": Paginator(preview.changes, CHANGES_PER_PAGE).get_page(request.GET.get("page")),
        "screenings": dataset.screenings.select_related("applied_by")[:10],
        "may_undo": dataset.screenings.filter(undone_at=None).exists(),
        "may_edit": may_edit(Dataset.objects.all(), request.user, dataset),
        "job": job if job is not None and (job.is_active or job.can_retry) else None,
    }
    return render(request, "datasets/dataset_screening.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def measure(request: HttpRequest, pk: int) -> HttpResponse:
    return _started(request, pk, lambda dataset: dataset_measure_start(dataset=dataset, owner=request.user))


@login_required
@require_POST
def apply(request: HttpRequest, pk: int) -> HttpResponse:
    return _started(request, pk, lambda dataset: screening_start(dataset=dataset, owner=request.user))


@login_required
@require_POST
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    return _started(request, pk, lambda dataset: screening_undo_start(dataset=dataset, owner=request.user))


def _started(request: HttpRequest, pk: int, start: Any) -> HttpResponse:
    dataset = editable_or_forbidden(Dataset.objects.all(), request.user, pk)
    with refusals_told(request):
        start(dataset)
    return redirect("datasets:dataset-screening", pk)
