"""What a frozen version is worth, what changed from one to another, and how its clips sound."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from datasets.choices import ChangeKind, VersionState
from datasets.forms import CompareForm
from datasets.models import Dataset, DatasetVersion
from datasets.pipeline.comparing import Change, Comparison, word_changes, written
from datasets.services.comparing import version_clip_path, versions_compare
from datasets.services.following import latest_job
from datasets.services.health import version_health, version_health_start
from datasets.views.access import editable_or_forbidden, may_edit
from xttsproject.http import file_response
from xttsproject.lib.errors import DomainError
from xttsproject.refusals import refusals_told

CHANGES_PER_PAGE = 25
MOST_CHARACTERS = 40
# Key, heading, and what is written along the axis.
CHARTS = (
    ("seconds", "Length of clips"),
    ("characters_per_second", "Pace: characters per second"),
    ("loudness", "Loudness"),
    ("snr", "Speech over noise"),
)


@login_required
@require_GET
def version_health_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    rows = DatasetVersion.objects.visible_to(request.user).select_related("dataset__speaker")
    version = get_object_or_404(rows, pk=pk)
    health = version_health(version=version)
    measures = health.get("measures", {})
    others = list(health.get("text", {}).get("other", {}).items())
    job = latest_job(subject=version, user=request.user, kind="datasets.health")
    context = {
        "version": version,
        "health": health,
        "charts": [(name, heading, _with_bins(measures[name])) for name, heading in CHARTS if name in measures],
        "chart_data": measures,
        "job": job if job is not None and (job.is_active or job.can_retry) else None,
        "is_ready": version.state == VersionState.READY,
        "may_edit": may_edit(DatasetVersion.objects.all(), request.user, version),
        "letters": list(health.get("text", {}).get("letters", {}).items()),
        "others": others[:MOST_CHARACTERS],
        "more_others": max(len(others) - MOST_CHARACTERS, 0),
    }
    return render(request, "datasets/version_health.html", context)


def _with_bins(measure: dict[str, Any]) -> dict[str, Any]:
    edges = pairwise(measure["edges"])
    return {**measure, "bins": [(*edge, count) for edge, count in zip(edges, measure["counts"], strict=True)]}


@login_required
@require_POST
def version_measure_anew(request: HttpRequest, pk: UUID) -> HttpResponse:
    version = editable_or_forbidden(DatasetVersion.objects.select_related("dataset"), request.user, pk)  # type: ignore[arg-type]
    with refusals_told(request):
        version_health_start(version=version, owner=request.user)
    return redirect("datasets:version-health", pk)


@login_required
@require_GET
def dataset_compare(request: HttpRequest, pk: int) -> HttpResponse:
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), pk=pk)
    versions = dataset.versions.ready().in_short().select_related("dataset").order_by("-number")
    newest = list(versions[:2])
    # Opened plainly, the page shows what the last freezing changed.
    preset = {"version": newest[0].pk, "base": newest[1].pk} if len(newest) == 2 else {}
    asked = {**preset, **{name: request.GET[name] for name in ("version", "base", "kind") if name in request.GET}}
    form = CompareForm(asked or None, versions=versions)
    context: dict[str, Any] = {"dataset": dataset, "form": form, "enough": len(newest) == 2}
    status = 200
    if form.is_bound and form.is_valid():
        before, after, kind = (form.cleaned_data[name] for name in ("base", "version", "kind"))
        try:
            comparison = versions_compare(before=before, after=after)
        except DomainError as error:
            form.refuse(error)
        else:
            context |= _compared(request, comparison, kind) | {"before": before, "after": after, "kind": kind}
    if form.errors:
        status = 400
    return render(request, "datasets/dataset_compare.html", context, status=status)


def _compared(request: HttpRequest, comparison: Comparison, kind: str) -> dict[str, Any]:
    page = Paginator(comparison.of_kind(kind), CHANGES_PER_PAGE).get_page(request.GET.get("page"))
    counts: dict[Any, int] = dict(comparison.counts())
    return {
        "page": page,
        "changes": [(change, *_texts(change)) for change in page],
        "counts": [(kind.value, kind.label, counts[kind.value]) for kind in ChangeKind],
        "total": len(comparison.changes),
        "unchanged": comparison.unchanged,
    }


def _texts(change: Change) -> tuple[list[Any], list[Any]]:
    """Runs of words of the written text, and of the spoken one where only that has changed."""
    if change.before is None or change.after is None:
        return word_changes(written(change.row), written(change.row)), []
    spoken = []
    if written(change.before) == written(change.after) and change.before["text"] != change.after["text"]:
        spoken = word_changes(change.before["text"], change.after["text"])
    return word_changes(written(change.before), written(change.after)), spoken


@login_required
@require_GET
def version_clip_audio(request: HttpRequest, pk: UUID, clip: str) -> HttpResponseBase:
    version = get_object_or_404(DatasetVersion.objects.visible_to(request.user).in_short(), pk=pk)
    try:
        path = version_clip_path(version=version, clip=clip)
    except DomainError as error:
        raise Http404(error.message) from error
    return file_response(request, path, content_type="audio/wav")
