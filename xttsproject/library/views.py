"""The models of this installation: a page for everybody; bringing in and deleting for those who run the portal."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.services.following import latest_job
from xttsproject.bundles.catalog import CPML
from xttsproject.bundles.manifest import Bundle, list_bundles
from xttsproject.lib.errors import DomainError
from xttsproject.library.forms import ModelImportForm
from xttsproject.library.models import ModelImport
from xttsproject.library.services.importing import model_import_delete, model_import_start
from xttsproject.library.services.usage import bundle_delete, bundles_uses
from xttsproject.refusals import refusals_told

PER_PAGE = 20


def staff_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
    """Strangers sign in; whoever does not run the portal is refused."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_staff:
            raise PermissionDenied("Only those who run the portal bring models in and delete them.")
        return view(request, *args, **kwargs)

    return login_required(guarded)


@login_required
@require_GET
def bundle_list(request: HttpRequest) -> HttpResponse:
    """The model bundles on this machine, what uses them, and their licences."""
    bundles: list[Bundle] = list_bundles(settings.MODELS_DIR)
    uses = bundles_uses(names=[bundle.path.name for bundle in bundles], user=request.user)
    rows = [{"bundle": bundle, "uses": uses[bundle.path.name]} for bundle in bundles]
    used = {settings.XTTS_BUNDLE, settings.WHISPER_BUNDLE, settings.WHISPER_SECOND_BUNDLE}
    return render(request, "models.html", {"rows": rows, "used": used})


@staff_only
@require_http_methods(["GET", "POST"])
def import_add(request: HttpRequest) -> HttpResponse:
    """The form, and below it what was imported before."""
    sent = request.method == "POST"
    form = ModelImportForm(request.POST if sent else None, request.FILES if sent else None)
    if sent and form.is_valid():
        try:
            importing, _job = model_import_start(owner=request.user, **form.cleaned_data)
        except DomainError as error:
            form.refuse(error)
        else:
            return redirect("library:import-detail", importing.pk)
    rows = ModelImport.objects.visible_to(request.user).select_related("owner")
    context = {
        "form": form,
        "licence": CPML,
        "page": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")),
        "limit": settings.MODEL_UPLOAD_MAX_BYTES,
    }
    return render(request, "library/import_add.html", context, status=400 if sent else 200)


@staff_only
@require_GET
def import_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    importing = get_object_or_404(ModelImport.objects.visible_to(request.user).select_related("owner"), pk=pk)
    job = latest_job(subject=importing, user=request.user)
    offered = job is not None and (job.is_active or job.can_retry)
    context = {
        "importing": importing,
        "job": job if offered else None,
        "extras": sorted(importing.extras.values()),
        "is_there": importing.target.exists(),
    }
    return render(request, "library/import_detail.html", {**context, "name": importing.name})


@staff_only
@require_POST
def import_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    importing = get_object_or_404(ModelImport.objects.editable_by(request.user), pk=pk)
    model_import_delete(importing=importing)
    messages.success(request, f"The import of “{importing.name}” was deleted from the list.")
    return redirect("library:import-add")


@staff_only
@require_POST
def delete_bundle(request: HttpRequest, name: str) -> HttpResponse:
    with refusals_told(request):
        bundle_delete(name=name, user=request.user)
        messages.success(request, f"The model “{name}” was deleted.")
    return redirect("models")
