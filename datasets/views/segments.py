"""One segment: its sound, its text, its review."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from datasets.models import Segment, SourceVideo
from datasets.services.beside import segment_caption
from datasets.services.clips import segment_wav
from datasets.services.retranscribing import selection_retranscribe
from datasets.services.segments import segment_edit, segment_review
from datasets.views.access import editable_or_forbidden
from datasets.views.sources import SEGMENTS_PER_PAGE, counted
from xttsproject.http import bytes_response, keys_given
from xttsproject.lib.errors import DomainError
from xttsproject.refusals import refusals_told


@login_required
@require_GET
def segment_audio(request: HttpRequest, pk: int) -> HttpResponseBase:
    segment = get_object_or_404(Segment.objects.visible_to(request.user).select_related("source"), pk=pk)
    try:
        data = segment_wav(segment=segment)
    except DomainError as error:
        raise Http404(error.message) from error
    return bytes_response(request, data, content_type="audio/wav", file_name=f"segment-{pk}.wav")


@login_required
@require_GET
def segment_place(request: HttpRequest, pk: int) -> HttpResponse:
    """To the segment on the page of its recording that holds it."""
    segment = get_object_or_404(Segment.objects.visible_to(request.user), pk=pk)
    before = Segment.objects.filter(source=segment.source_id, index__lt=segment.index).count()
    page = before // SEGMENTS_PER_PAGE + 1
    return redirect(f"{reverse('datasets:source-detail', args=[segment.source_id])}?page={page}#segment-{pk}")


@login_required
@require_POST
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Take the text and, where a button says so, the review; both or neither. htmx gets the row back."""
    rows = Segment.objects.select_related("source", "reviewer")
    segment = editable_or_forbidden(rows, request.user, pk)  # type: ignore[arg-type]
    status, problem, given = request.POST.get("status", ""), "", request.POST.get("text")
    try:
        with transaction.atomic():
            if given is not None:
                segment = segment_edit(segment=segment, text=given)
            if status:
                segment = segment_review(segment=segment, status=status, reviewer=request.user)
    except DomainError as error:
        problem = error.message
        segment = rows.get(pk=pk)
    if request.headers.get("HX-Request"):
        segment.caption = segment_caption(segment=segment)  # type: ignore[attr-defined]
        # What was typed stays in the box, so that a refusal loses nothing.
        context = {"segment": segment, "may_edit": True, "problem": problem, "given": given if problem else None}
        return render(request, "datasets/_segment.html", context)
    if problem:
        messages.error(request, problem)
    return redirect(f"{reverse('datasets:source-detail', args=[segment.source_id])}#segment-{pk}")


@login_required
@require_POST
def transcribe(request: HttpRequest) -> HttpResponse:
    """Have the machine listen again to the one whose button was pressed, or to those that are ticked."""
    chosen = keys_given(request.POST.getlist("only") or request.POST.getlist("ids"))
    seen = Segment.objects.visible_to(request.user).filter(pk__in=chosen)
    first = seen.order_by("source", "index").first()
    if first is None:
        messages.error(request, "No segment was chosen; tick those that the machine shall listen to again.")
        source = _uuid(request.POST.get("source", ""))
        back = source and SourceVideo.objects.visible_to(request.user).filter(pk=source).first()
        return redirect("datasets:source-detail", back.pk) if back else redirect("datasets:source-list")
    rows: Any = Segment.objects.editable_by(request.user)
    with refusals_told(request):
        _job, count = selection_retranscribe(segments=rows.filter(pk__in=chosen), owner=request.user)
        kept = len(chosen) - count
        stays = f" {counted(kept)} stay{'s' if kept == 1 else ''} as a person left it." if kept else ""
        messages.info(request, f"{counted(count)} will be transcribed anew.{stays}")
    return redirect("datasets:segment-place", first.pk)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
