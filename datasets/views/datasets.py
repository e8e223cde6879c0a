"""Datasets and their frozen versions."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.choices import VersionState
from datasets.forms import DatasetChoiceForm, DatasetForm
from datasets.models import Dataset, DatasetVersion, Segment, SourceVideo
from datasets.pipeline.health import FINDINGS
from datasets.services.datasets import dataset_create, dataset_delete, dataset_update
from datasets.services.following import latest_job
from datasets.services.freezing import version_freeze, version_manifest
from datasets.services.health import version_health
from datasets.services.leaving_out import dataset_left_out
from datasets.services.left_out import version_left_out
from datasets.views.access import editable_or_forbidden, may_edit, owned_or_forbidden, owns
from datasets.views.exporting import exports_of
from xttsproject.http import file_response
from xttsproject.lib.errors import DomainError
from xttsproject.refusals import refusals_told

CLIPS_PER_PAGE = 50
LEFT_OUT_PER_PAGE = 25


@login_required
@require_GET
def dataset_list(request: HttpRequest) -> HttpResponse:
    rows = Dataset.objects.visible_to(request.user).with_counts().select_related("speaker", "owner")
    page = Paginator(rows.order_by("-created_at"), 25).get_page(request.GET.get("page"))
    return render(request, "datasets/dataset_list.html", {"page": page})


@login_required
@require_http_methods(["GET", "POST"])
def dataset_add(request: HttpRequest) -> HttpResponse:
    form = DatasetForm(request.POST or None, user=request.user, initial={"sources": request.GET.getlist("source")})
    if request.method == "POST" and form.is_valid():
        fields = form.cleaned_data
        sources = list(fields.pop("sources"))
        try:
            # The first one tells who speaks what; the service refuses any other that differs.
            dataset = dataset_create(
                owner=request.user,
                speaker=sources[0].speaker,
                language=sources[0].language,
                sources=sources,
                **fields,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            return redirect("datasets:dataset-detail", dataset.pk)
    return render(request, "datasets/dataset_add.html", {"form": form}, status=400 if form.errors else 200)


@login_required
@require_GET
def dataset_detail(request: HttpRequest, pk: int) -> HttpResponse:
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user).select_related("speaker", "owner"), pk=pk)
    rows: Any = SourceVideo.objects.visible_to(request.user).filter(datasets=dataset)
    sources = rows.with_counts().order_by("created_at")
    left_out = dataset_left_out(dataset=dataset, viewer=request.user, code=request.GET.get("reason", ""))
    context = {
        "dataset": dataset,
        "sources": sources,
        "left_out": left_out,
        "reason": request.GET.get("reason", ""),
        "left_out_page": Paginator(left_out.rows, LEFT_OUT_PER_PAGE).get_page(request.GET.get("page")),
        "approved": sum(source.approved_count for source in sources),
        "versions": dataset.versions.in_short().select_related("created_by"),
        "may_edit": may_edit(Dataset.objects.all(), request.user, dataset),
        "is_owner": owns(dataset, request.user),
    }
    return render(request, "datasets/dataset_detail.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def dataset_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """What it is made of is for whoever may change it; who sees it, for its owner."""
    dataset = editable_or_forbidden(Dataset.objects.select_related("speaker"), request.user, pk)
    initial = {
        "sources": list(dataset.sources.values_list("pk", flat=True)),
        "validation_share": dataset.validation_share,
        "visibility": dataset.visibility,
    }
    form = DatasetChoiceForm(request.POST or None, user=request.user, dataset=dataset, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            fields = {**form.cleaned_data, "sources": list(form.cleaned_data["sources"])}
            dataset_update(dataset=dataset, editor=request.user, **fields)
        except DomainError as error:
            form.refuse(error)
        else:
            return redirect("datasets:dataset-detail", pk)
    context = {"form": form, "dataset": dataset}
    return render(request, "datasets/dataset_edit.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def freeze(request: HttpRequest, pk: int) -> HttpResponse:
    dataset = editable_or_forbidden(Dataset.objects.all(), request.user, pk)
    with refusals_told(request):
        version, _job = version_freeze(dataset=dataset, owner=request.user)
        return redirect("datasets:version-detail", version.pk)
    return redirect("datasets:dataset-detail", pk)


@login_required
@require_POST
def delete_dataset(request: HttpRequest, pk: int) -> HttpResponse:
    dataset = owned_or_forbidden(Dataset.objects.all(), request.user, pk)
    with refusals_told(request):
        dataset_delete(dataset=dataset)
        messages.success(request, f"“{dataset.name}” was deleted.")
        return redirect("datasets:dataset-list")
    return redirect("datasets:dataset-detail", pk)


@login_required
@require_GET
def version_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    rows = DatasetVersion.objects.visible_to(request.user).select_related(
        "dataset__speaker", "created_by", "duplicate_of"
    )
    version = get_object_or_404(rows, pk=pk)
    problem = ""
    try:
        clips = version_manifest(version=version)
    except DomainError as error:
        clips, problem = [], error.message
    finding, clips = _found(version, clips, request.GET.get("finding", ""))
    page = Paginator(clips, CLIPS_PER_PAGE).get_page(request.GET.get("page"))
    job = latest_job(subject=version, user=request.user, kind="datasets.freeze")
    left_out = version_left_out(version=version, viewer=request.user)
    context = {
        "version": version,
        "page": page,
        "clips": _with_segments(list(page), request.user),
        "finding": finding,
        "health": version_health(version=version),
        "problem": problem,
        "left_out": left_out,
        "left_out_reasons": Counter(row["reason"] for row in left_out).most_common(),
        "job": job if job is not None and (job.is_active or job.can_retry) else None,
        "is_ready": version.state == VersionState.READY,
        "exports": exports_of(version, request.user) if version.state == VersionState.READY else [],
    }
    return render(request, "datasets/version_detail.html", context)


def _found(version: DatasetVersion, clips: list[dict[str, Any]], wanted: str) -> tuple[str, list[dict[str, Any]]]:
    """The clips that the version's health names for a finding; all of them where there is no such finding."""
    found = version_health(version=version).get("findings", {}).get(wanted)
    if found is None:
        return "", clips
    named = set(found["ids"])
    return FINDINGS[wanted], [clip for clip in clips if clip["id"] in named]


def _with_segments(clips: list[dict[str, Any]], user: Any) -> list[tuple[dict[str, Any], int | None]]:
    """Each clip with the segment that it was made from, if that is still there and shown to the person."""
    ids = {clip["id"]: int(clip["id"].removeprefix("segment-")) for clip in clips if _of_segment(clip["id"])}
    shown = set(Segment.objects.visible_to(user).filter(pk__in=ids.values()).values_list("pk", flat=True))
    return [(clip, ids[clip["id"]] if ids.get(clip["id"]) in shown else None) for clip in clips]


def _of_segment(clip: str) -> bool:
    number = clip.removeprefix("segment-")
    return number != clip and number.isascii() and number.isdecimal()


@login_required
@require_GET
def version_manifest_file(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    version = get_object_or_404(DatasetVersion.objects.visible_to(request.user).select_related("dataset"), pk=pk)
    if version.state != VersionState.READY:
        raise Http404("The version has no manifest before it is ready.")
    name = f"{slugify(version.dataset.name) or 'dataset'}-v{version.number}.jsonl"
    return file_response(request, version.manifest_path, content_type="application/x-ndjson", download_name=name)
