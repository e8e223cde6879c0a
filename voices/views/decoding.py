"""Finding the values with which a voice speaks best: look up, authorise, call a service, respond."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.services.following import latest_job
from datasets.views.access import editable_or_forbidden, may_edit
from training.engine.figures import FIGURES
from training.engine.search import BY_NAME
from voices.decodingforms import DecodingForm
from voices.models import Candidate, DecodingSearch, Voice
from voices.services import (
    decoding_cancel,
    decoding_create,
    decoding_delete,
    decoding_forget,
    decoding_table,
    decoding_use,
)
from xttsproject.http import file_response
from xttsproject.lib.errors import DomainError


@login_required
@require_http_methods(["GET", "POST"])
def settings_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The voice's values, the latest search (``?search=<id>``: another), and the form of the next."""
    voices = Voice.objects.visible_to(request.user).select_related("owner", "checkpoint__run")
    voice = get_object_or_404(voices, pk=pk)
    editable = may_edit(Voice.objects.all(), request.user, voice)
    form = DecodingForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if not editable:
            raise PermissionDenied("It is shared with you to use, not to change.")
        if form.is_valid() and _created(request, voice, form):
            return redirect("voices:voice-settings", pk)
    searches = list(DecodingSearch.objects.filter(voice=voice).select_related("job", "asked_by")[:20])
    wanted = request.GET.get("search", "")
    shown = next((each for each in searches if str(each.pk) == wanted), searches[0] if searches else None)
    if shown is not None:
        shown.voice = voice
    context: dict[str, Any] = {
        "voice": voice,
        "form": form,
        "editable": editable,
        "values": _named(voice.values),
        "searches": searches,
        "search": shown,
        "job": latest_job(subject=shown, user=request.user) if shown and shown.is_active else None,
        "table": decoding_table(search=shown) if shown else [],
        "figures": FIGURES,
    }
    return render(request, "voices/voice_settings.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def use(request: HttpRequest, pk: int) -> HttpResponse:
    rows = Candidate.objects.select_related("search__voice")
    candidate = editable_or_forbidden(rows, request.user, pk)
    try:
        decoding_use(candidate=candidate)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"“{candidate.search.voice.name}” speaks with these values from now on.")
    return redirect("voices:voice-settings", candidate.search.voice_id)


@login_required
@require_POST
def forget(request: HttpRequest, pk: UUID) -> HttpResponse:
    voice = editable_or_forbidden(Voice.objects.all(), request.user, pk)
    decoding_forget(voice=voice)
    messages.success(request, f"“{voice.name}” speaks with its model's own values again.")
    return redirect("voices:voice-settings", pk)


@login_required
@require_POST
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    search = editable_or_forbidden(DecodingSearch.objects.select_related("voice"), request.user, pk)
    try:
        decoding_cancel(search=search)
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("voices:voice-settings", search.voice_id)


@login_required
@require_POST
def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    search = editable_or_forbidden(DecodingSearch.objects.select_related("voice"), request.user, pk)
    decoding_delete(search=search)
    messages.success(request, "The search and its sounds were deleted; the voice keeps its values.")
    return redirect("voices:voice-settings", search.voice_id)


@login_required
@require_GET
def audio(request: HttpRequest, pk: int, number: int) -> HttpResponseBase:
    rows = Candidate.objects.visible_to(request.user).select_related("search__voice")
    candidate = get_object_or_404(rows, pk=pk)
    if number >= len(candidate.samples):
        raise Http404("This candidate has said no such sentence.")
    return file_response(request, candidate.audio_path(number), content_type="audio/wav")


def _created(request: HttpRequest, voice: Voice, form: DecodingForm) -> DecodingSearch | None:
    chosen = form.cleaned_data
    try:
        return decoding_create(
            voice=voice,
            user=request.user,
            space=form.space(),
            count=chosen["count"],
            seed=chosen["seed"],
            text=chosen["text"],
            write_winner=chosen["write_winner"],
        )
    except DomainError as error:
        form.refuse(error)
        return None


def _named(values: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(BY_NAME[name].label if name in BY_NAME else name, value) for name, value in values.items()]
