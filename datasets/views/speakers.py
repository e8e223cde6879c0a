"""Speakers."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.forms import SpeakerEditForm, SpeakerForm
from datasets.models import Speaker
from datasets.services.speakers import speaker_create, speaker_delete, speaker_update
from datasets.views.access import editable_or_forbidden, owned_or_forbidden, owns
from xttsproject.lib.errors import DomainError
from xttsproject.refusals import refusals_told


@login_required
@require_GET
def speaker_list(request: HttpRequest) -> HttpResponse:
    speakers = Speaker.objects.visible_to(request.user).select_related("owner", "consent_by")
    counted = speakers.annotate(source_count=Count("sources"), source_seconds=Sum("sources__seconds"))
    page = Paginator(counted.order_by("name", "pk"), 25).get_page(request.GET.get("page"))
    shown: Any = Speaker.objects.editable_by(request.user)
    editable = set(shown.filter(pk__in=[speaker.pk for speaker in page]).values_list("pk", flat=True))
    return render(request, "datasets/speaker_list.html", {"page": page, "editable": editable})


@login_required
@require_http_methods(["GET", "POST"])
def speaker_add(request: HttpRequest) -> HttpResponse:
    """``?next=<path>``: the page that asked for a speaker, which is told whom; else a recording is added next."""
    form = SpeakerForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            speaker = speaker_create(owner=request.user, **form.cleaned_data)
        except DomainError as error:
            form.refuse(error)
        else:
            there = _next(request)
            messages.success(request, f"“{speaker.name}” is on record." + ("" if there else " Add a recording next."))
            return redirect(f"{there or reverse('datasets:source-add')}?speaker={speaker.pk}")
    return render(request, "datasets/speaker_add.html", {"form": form}, status=400 if form.errors else 200)


def _next(request: HttpRequest) -> str:
    """A page of this portal, or empty."""
    path = request.GET.get("next", "").partition("?")[0]
    secure = request.is_secure()
    return path if url_has_allowed_host_and_scheme(path, {request.get_host()}, require_https=secure) else ""


@login_required
@require_http_methods(["GET", "POST"])
def speaker_edit(request: HttpRequest, pk: int) -> HttpResponse:
    speaker = editable_or_forbidden(Speaker.objects.all(), request.user, pk)
    initial = {"glossary": speaker.glossary, "notes": speaker.notes, "visibility": speaker.visibility}
    form = SpeakerEditForm(request.POST or None, initial=initial, is_owner=owns(speaker, request.user))
    if request.method == "POST" and form.is_valid():
        try:
            speaker_update(speaker=speaker, **form.cleaned_data)
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"“{speaker.name}” was changed; a new glossary counts from the next transcript.")
            return redirect("datasets:speaker-list")
    context = {"form": form, "speaker": speaker}
    return render(request, "datasets/speaker_edit.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def delete_speaker(request: HttpRequest, pk: int) -> HttpResponse:
    speaker = owned_or_forbidden(Speaker.objects.all(), request.user, pk)
    with refusals_told(request):
        speaker_delete(speaker=speaker)
        messages.success(request, f"“{speaker.name}” was deleted.")
    return redirect("datasets:speaker-list")
