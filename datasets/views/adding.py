"""Adding recordings: by upload or from an address."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from datasets.forms import UploadForm, UrlForm
from datasets.models import SourceVideo, Speaker
from datasets.pipeline.wording import bytes_words, duration_words
from datasets.services.fetching import source_from_url
from datasets.services.playlists import playlist_from_url
from datasets.services.uploads import source_upload
from xttsproject.lib.errors import DomainError


@login_required
@require_http_methods(["GET", "POST"])
def source_add(request: HttpRequest) -> HttpResponse:
    """Two tabs, two forms; the hidden ``kind`` tells which one was sent."""
    sent = request.POST.get("kind", "") if request.method == "POST" else ""
    initial = {"speaker": request.GET.get("speaker")}
    upload = UploadForm(request.POST, request.FILES, user=request.user) if sent == "upload" else None
    by_url = UrlForm(request.POST, user=request.user) if sent == "url" else None
    response = _upload(request, upload) if upload else _fetch(request, by_url) if by_url else None
    if response is not None:
        return response
    context: dict[str, Any] = {
        "upload": upload or UploadForm(user=request.user, initial=initial),
        "by_url": by_url or UrlForm(user=request.user, initial=initial),
        "tab": "url" if sent == "url" or request.GET.get("tab") == "url" else "upload",
        "limit": settings.UPLOAD_MAX_BYTES,
        "limit_bytes": bytes_words(settings.UPLOAD_MAX_BYTES),
        "has_speakers": Speaker.objects.visible_to(request.user).exists(),
        "limit_seconds": duration_words(settings.RECORDING_MAX_SECONDS),
    }
    return render(request, "datasets/source_add.html", context, status=400 if sent else 200)


def _upload(request: HttpRequest, form: UploadForm) -> HttpResponse | None:
    """Take each file by itself: one that is refused does not hold back the others."""
    if not form.is_valid():
        return None
    fields: dict[str, Any] = {**form.cleaned_data}
    files = fields.pop("file")
    if len(files) > 1:
        fields["title"] = ""
    taken: list[SourceVideo] = []
    for file in files:
        try:
            taken.append(source_upload(owner=request.user, file=file, **fields)[0])
        except DomainError as error:
            form.refuse(error)
    if form.errors:
        for source in taken:
            messages.success(request, f"“{source.title}” is uploaded and being prepared.")
        return None
    return redirect("datasets:source-detail", taken[0].pk) if len(taken) == 1 else redirect("datasets:source-list")


def _fetch(request: HttpRequest, form: UrlForm) -> HttpResponse | None:
    if not form.is_valid():
        return None
    fields: dict[str, Any] = {**form.cleaned_data}
    try:
        if "list" in request.POST:
            # Its recordings have titles of their own.
            fields.pop("title")
            playlist, _job = playlist_from_url(owner=request.user, **fields)
            return redirect("datasets:playlist-detail", playlist.pk)
        source, _job = source_from_url(owner=request.user, **fields)
    except DomainError as error:
        form.refuse(error)
        return None
    return redirect("datasets:source-detail", source.pk)
