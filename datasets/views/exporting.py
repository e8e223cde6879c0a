"""Exports of frozen versions: having them made, fetching and deleting them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from datasets.choices import ExportForm, ExportState
from datasets.models import DatasetExport, DatasetVersion
from datasets.services.exporting import export_delete, export_name, export_start
from datasets.services.following import latest_jobs
from datasets.views.access import editable_or_forbidden, may_edit
from xttsproject.http import file_response
from xttsproject.refusals import refusals_told


def exports_of(version: DatasetVersion, user: Any) -> list[dict[str, Any]]:
    """[{form, label, export, job}], one for each form there is; empty for those who may not export."""
    if not may_edit(DatasetVersion.objects.all(), user, version):
        return []
    made = {export.form: export for export in version.exports.all()}
    for export in made.values():
        # Known already; its name is asked for in the template.
        export.version = version
    jobs = latest_jobs(subjects=list(made.values()), user=user)
    return [
        {
            "form": form,
            "label": label,
            "export": made.get(form),
            "job": jobs.get(str(made[form].pk)) if form in made else None,
        }
        for form, label in ExportForm.choices
    ]


@login_required
@require_POST
def add_export(request: HttpRequest, pk: UUID) -> HttpResponse:
    version = editable_or_forbidden(DatasetVersion.objects.select_related("dataset"), request.user, pk)  # type: ignore[arg-type]
    with refusals_told(request):
        export_start(version=version, form=request.POST.get("form", ""), owner=request.user)
    return redirect("datasets:version-detail", pk)


@login_required
@require_safe
def export_file(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    export = get_object_or_404(DatasetExport.objects.visible_to(request.user).select_related("version__dataset"), pk=pk)
    if export.state != ExportState.READY:
        raise Http404("The export is not ready.")
    name = f"{export_name(export=export)}.zip"
    return file_response(request, export.path, content_type="application/zip", download_name=name)


@login_required
@require_POST
def delete_export(request: HttpRequest, pk: UUID) -> HttpResponse:
    export = get_object_or_404(
        DatasetExport.objects.editable_by(request.user).select_related("version__dataset"), pk=pk
    )
    version = export.version_id
    export_delete(export=export)
    messages.success(request, f"The export as {export.get_form_display()} was deleted; it can be made again.")
    return redirect("datasets:version-detail", version)
