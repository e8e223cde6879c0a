"""Playlists: what an address leads to, and choosing what of it is fetched."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.choices import PlaylistState
from datasets.models import Playlist, SourceVideo
from datasets.services.following import latest_job
from datasets.services.playlists import (
    PlaylistOutcome,
    playlist_delete,
    playlist_entries,
    playlist_fetch,
    playlist_from_source,
)
from datasets.views.access import owned_or_forbidden, owns
from xttsproject.http import keys_given
from xttsproject.refusals import refusals_told

PER_PAGE = 20


@login_required
@require_GET
def playlist_list(request: HttpRequest) -> HttpResponse:
    rows = Playlist.objects.visible_to(request.user).select_related("speaker", "owner")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "datasets/playlist_list.html", {"page": page})


@login_required
@require_http_methods(["GET", "POST"])
def playlist_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The list with boxes to tick; sent, the ticked recordings are fetched."""
    if request.method == "POST":
        return _fetch(request, owned_or_forbidden(Playlist.objects.all(), request.user, pk))
    rows = Playlist.objects.select_related("speaker", "owner")
    playlist = get_object_or_404(rows.visible_to(request.user), pk=pk)
    job = latest_job(subject=playlist, user=request.user)
    is_owner = owns(playlist, request.user)
    entries = playlist_entries(playlist=playlist) if playlist.state == PlaylistState.READY else []
    context = {
        "playlist": playlist,
        "job": job if job is not None and (job.is_active or job.can_retry) else None,
        "is_owner": is_owner,
        "entries": entries,
        "any_left": is_owner and any(entry.can_fetch for entry in entries),
    }
    return render(request, "datasets/playlist_detail.html", context)


def _fetch(request: HttpRequest, playlist: Playlist) -> HttpResponse:
    chosen = keys_given(request.POST.getlist("entry"))
    with refusals_told(request):
        outcome = playlist_fetch(playlist=playlist, chosen=chosen)
        _tell(request, outcome)
        return redirect(
            "datasets:playlist-detail" if outcome.refused else "datasets:source-list", *_key(playlist, outcome)
        )
    return redirect("datasets:playlist-detail", playlist.pk)


def _key(playlist: Playlist, outcome: PlaylistOutcome) -> tuple[UUID, ...]:
    return (playlist.pk,) if outcome.refused else ()


def _tell(request: HttpRequest, outcome: PlaylistOutcome) -> None:
    if outcome.made:
        count = len(outcome.made)
        said = "1 recording is being fetched." if count == 1 else f"{count} recordings are being fetched."
        messages.success(request, said)
    for entry in outcome.there:
        messages.info(request, f"“{entry.title}” is already here.")
    for entry, reason in outcome.refused:
        messages.error(request, f"“{entry.title}” was not taken: {reason}")


@login_required
@require_POST
def source_to_playlist(request: HttpRequest, pk: UUID) -> HttpResponse:
    """List what is behind the address of a recording that turned out to be several."""
    source = owned_or_forbidden(SourceVideo.objects.all(), request.user, pk)
    with refusals_told(request):
        playlist, _job = playlist_from_source(source=source)
        return redirect("datasets:playlist-detail", playlist.pk)
    return redirect("datasets:source-detail", pk)


@login_required
@require_POST
def delete_playlist(request: HttpRequest, pk: UUID) -> HttpResponse:
    playlist = owned_or_forbidden(Playlist.objects.all(), request.user, pk)
    playlist_delete(playlist=playlist)
    messages.success(request, f"The list “{playlist.title}” was deleted; what was fetched from it stays.")
    return redirect("datasets:playlist-list")
