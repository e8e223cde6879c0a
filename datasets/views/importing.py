"""Datasets from outside: giving one in, and following what becomes of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.forms import DatasetImportForm
from datasets.models import Dataset, DatasetImport, SourceVideo, Speaker
from datasets.pipeline.wording import bytes_words
from datasets.services.following import latest_job
from datasets.services.importing import import_delete, import_upload
from xttsproject.lib.errors import DomainError

PER_PAGE = 20
PROBLEMS_PER_PAGE = 50


@login_required
@require_http_methods(["GET", "POST"])
def import_add(request: HttpRequest) -> HttpResponse:
    """The form, and below it what was imported before."""
    sent = request.method == "POST"
    form = DatasetImportForm(
        request.POST if sent else None,
        request.FILES if sent else None,
        user=request.user,
        initial={"speaker": request.GET.get("speaker")},
    )
    if sent and form.is_valid():
        try:
            importing, _job = import_upload(owner=request.user, **form.cleaned_data)
        except DomainError as error:
            form.refuse(error)
        else:
            return redirect("datasets:import-detail", importing.pk)
    rows = DatasetImport.objects.visible_to(request.user).select_related("speaker", "owner", "dataset")
    context: dict[str, Any] = {
        "form": form,
        "page": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")),
        "has_speakers": Speaker.objects.visible_to(request.user).exists(),
        "limit_bytes": bytes_words(settings.UPLOAD_MAX_BYTES),
        "limit_hours": settings.IMPORT_MAX_HOURS,
    }
    return render(request, "datasets/import_add.html", context, status=400 if sent else 200)


@login_required
@require_GET
def import_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    rows = DatasetImport.objects.visible_to(request.user).select_related("speaker", "owner")
    importing = get_object_or_404(rows, pk=pk)
    job = latest_job(subject=importing, user=request.user)
    sources: Any = SourceVideo.objects.visible_to(request.user).with_counts().filter(imported=importing)
    # Only what may help is tried again: a dataset with broken rows is mended and given anew.
    offered = job is not None and (job.is_active or (job.can_retry and not importing.problem_count))
    context = {
        "importing": importing,
        "job": job if offered else None,
        "sources": sorted(sources, key=lambda source: (len(source.title), source.title)),
        "dataset": Dataset.objects.visible_to(request.user).filter(imports=importing).first(),
        "page": Paginator(importing.problems, PROBLEMS_PER_PAGE).get_page(request.GET.get("page")),
        "unlisted": importing.problem_count - len(importing.problems),
    }
    return render(request, "datasets/import_detail.html", {**context, "name": importing.title})


@login_required
@require_POST
def delete_import(request: HttpRequest, pk: UUID) -> HttpResponse:
    importing = get_object_or_404(DatasetImport.objects.editable_by(request.user), pk=pk)
    import_delete(importing=importing)
    messages.success(request, f"The import of “{importing.title}” was deleted from the list.")
    return redirect("datasets:import-add")
