"""Recordings: the list, and one with its segments."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.choices import LANGUAGE_OR_DETECT, ReviewStatus, SourceState
from datasets.forms import LanguageForm, RecordingEditForm
from datasets.models import SourceVideo
from datasets.services.beside import segment_caption
from datasets.services.captions import captions_of
from datasets.services.following import latest_job, latest_jobs
from datasets.services.language_choice import source_language_set
from datasets.services.retranscribing import segments_retranscribe
from datasets.services.segments import ReviewOutcome, segments_review
from datasets.services.sources import source_delete, source_update
from datasets.services.transcribers import transcriber_choices
from datasets.views.access import editable_or_forbidden, may_edit, owned_or_forbidden, owns
from xttsproject.http import file_response
from xttsproject.lib.errors import DomainError
from xttsproject.refusals import refusals_told

PER_PAGE = 20
SEGMENTS_PER_PAGE = 25


@login_required
@require_GET
def source_list(request: HttpRequest) -> HttpResponse:
    rows = SourceVideo.objects.visible_to(request.user).with_counts().select_related("speaker", "owner")
    page = Paginator(rows.order_by("-created_at"), PER_PAGE).get_page(request.GET.get("page"))
    jobs = latest_jobs(subjects=list(page), user=request.user)
    sources = [(source, jobs.get(str(source.pk))) for source in page]
    any_active = any(job is not None and job.is_active for _source, job in sources)
    return render(request, "datasets/source_list.html", {"page": page, "sources": sources, "any_active": any_active})


@login_required
@require_GET
def source_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    rows = SourceVideo.objects.with_counts().select_related("speaker", "owner", "duplicate_of")
    source = get_object_or_404(rows.visible_to(request.user), pk=pk)
    status = request.GET.get("status", "")
    segments = source.segments.with_decisions().select_related("reviewer").order_by("index")
    if status in ReviewStatus.values:
        segments = segments.filter(status=status)
    page = Paginator(segments, SEGMENTS_PER_PAGE).get_page(request.GET.get("page"))
    for segment in page:
        # Saves the query for what is known, when the row's template asks for the recording.
        segment.source = source
        segment.caption = segment_caption(segment=segment)  # type: ignore[attr-defined]
    job = latest_job(subject=source, user=request.user)
    context = {
        "source": source,
        "page": page,
        "status": status,
        "statuses": ReviewStatus.choices,
        "job": job if job is not None and (job.is_active or job.can_retry) else None,
        "may_edit": may_edit(SourceVideo.objects.all(), request.user, source),
        "is_owner": owns(source, request.user),
        "languages": LANGUAGE_OR_DETECT,
        "transcribers": transcriber_choices(),
        "has_master": source.state in (SourceState.SEGMENTED, SourceState.TRANSCRIBING, SourceState.READY)
        or bool(page.paginator.count),
    }
    return render(request, "datasets/source_detail.html", context)


@login_required
@require_GET
def source_audio(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    source = get_object_or_404(SourceVideo.objects.visible_to(request.user), pk=pk)
    return file_response(request, source.master_path, content_type="audio/wav")


@login_required
@require_GET
def source_captions(request: HttpRequest, pk: UUID, file: str) -> HttpResponseBase:
    """A caption track as the WebVTT file that it is."""
    source = get_object_or_404(SourceVideo.objects.visible_to(request.user), pk=pk)
    track = next((track for track in captions_of(source) if track.path.name == file), None)
    if track is None:
        raise Http404
    return file_response(
        request,
        track.path,
        content_type="text/vtt; charset=utf-8",
        download_name=f"{source.title} {file.removeprefix('captions.')}",
    )


@login_required
@require_http_methods(["GET", "POST"])
def source_edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    source = owned_or_forbidden(SourceVideo.objects.all(), request.user, pk)
    initial = {"title": source.title, "visibility": source.visibility, "transcriber": source.transcriber}
    form = RecordingEditForm(request.POST or None, initial=initial, transcribers=transcriber_choices())
    if request.method == "POST" and form.is_valid():
        try:
            source_update(source=source, **form.cleaned_data)
        except DomainError as error:
            form.refuse(error)
        else:
            return redirect("datasets:source-detail", pk)
    context = {"form": form, "source": source}
    return render(request, "datasets/source_edit.html", context, status=400 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def delete_source(request: HttpRequest, pk: UUID) -> HttpResponse:
    source = owned_or_forbidden(SourceVideo.objects.with_counts(), request.user, pk)
    if request.method == "GET":
        return render(request, "datasets/source_delete.html", {"source": source, "datasets": source.datasets.all()})
    source_delete(source=source)
    messages.success(request, f"“{source.title}” was deleted.")
    return redirect("datasets:source-list")


@login_required
@require_POST
def retranscribe(request: HttpRequest, pk: UUID) -> HttpResponse:
    source = editable_or_forbidden(SourceVideo.objects.all(), request.user, pk)
    with refusals_told(request):
        _job, count = segments_retranscribe(
            source=source, owner=request.user, transcriber=request.POST.get("transcriber")
        )
        messages.info(request, f"{counted(count)} will be transcribed anew; what people corrected or reviewed stays.")
    return redirect("datasets:source-detail", pk)


@login_required
@require_POST
def set_language(request: HttpRequest, pk: UUID) -> HttpResponse:
    source = editable_or_forbidden(SourceVideo.objects.all(), request.user, pk)
    form = LanguageForm(request.POST)
    with refusals_told(request):
        if not form.is_valid():
            raise DomainError("language_unsupported", str(form.errors["language"][0]))
        job = source_language_set(source=source, owner=request.user, language=form.cleaned_data["language"])
        known = f"The language is {source.get_language_display()}" if source.language_known else "The language is open"
        then = "what people corrected or reviewed stays, all else is transcribed anew" if job else "no text changes"
        messages.info(request, f"{known}; {then}.")
    return redirect("datasets:source-detail", pk)


@login_required
@require_POST
def review_all(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Approve or reject everything of a recording that is still to be reviewed."""
    source = editable_or_forbidden(SourceVideo.objects.all(), request.user, pk)
    waiting: Any = source.segments.filter(status=ReviewStatus.PENDING)
    with refusals_told(request):
        outcome = segments_review(segments=waiting, status=request.POST.get("status", ""), reviewer=request.user)
        tell_outcome(request, outcome, ReviewStatus(request.POST["status"]))
    return redirect("datasets:source-detail", pk)


def tell_outcome(request: HttpRequest, outcome: ReviewOutcome, status: ReviewStatus) -> None:
    """Say what was done, and of what was not done, why."""
    messages.success(request, f"{counted(outcome.changed)}: {status.label.lower()}.")
    for reason, count in outcome.reasons():
        messages.warning(request, f"{counted(count)} skipped: {reason}")


def counted(count: int) -> str:
    return "1 segment" if count == 1 else f"{count} segments"
