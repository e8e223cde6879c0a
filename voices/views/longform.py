"""Long texts on pages: asking for one, following it, changing sentences of it."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.services.following import latest_job
from voices.choices import GuardMode
from voices.longforms import AgainForm, LongForm, RecastForm, first_problem
from voices.models import Synthesis, SynthesisSentence, Voice
from voices.services import profile_spoken_with
from voices.services.longform import (
    longform_cancel,
    longform_create,
    longform_progress,
    longform_regenerate,
    longform_resume,
    longform_turn_seconds,
)
from voices.services.longform_casting import speaker_trouble
from voices.services.longform_output import chapter_title
from voices.services.lookup import voice_find
from voices.services.studio import studio_offered
from xttsproject.jobs.choices import JobState
from xttsproject.lib.errors import DomainError
from xttsproject.refusals import refusals_told
from xttsproject.xtts.types import Pauses

_PER_PAGE = 50
_PLAYLIST = 100
"""Sentences that the player is told of at once."""
_LARGEST = 2**31 - 1
"""No sentence has a larger number, and some databases look for none."""
_STOP_POLLING = 286
"""htmx's own status: what it asks for every few seconds need not be asked for again."""


@login_required
@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """The form, which the page that speaks sends its own to as well; ``?again=<id>`` fills in what was asked for."""
    form = (
        LongForm(request.POST, request.FILES, user=request.user)
        if request.method == "POST"
        else LongForm(user=request.user, initial=_initial(request))
    )
    refused: DomainError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            synthesis = longform_create(wish=form.wish)
        except DomainError as error:
            form.refuse(error)
            refused = error
        else:
            return redirect("voices:long-detail", synthesis.pk)
    response = render(
        request,
        "voices/long_add.html",
        {
            "form": form,
            "limit": settings.SPEECH_LONG_CHARACTERS,
            "any_voice": form.has_voices,
        },
        status=400 if form.is_bound else 200,
    )
    if refused is not None and refused.code == "too_many_waiting":
        response.status_code = 429
        response["Retry-After"] = str(math.ceil(longform_turn_seconds(user=request.user)))
    return response


@login_required
@require_GET
def detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Its sentences in pages; with ``?warned`` those alone of which the guard has something to say."""
    synthesis = _visible(request, pk)
    rows = _listed(synthesis, warned="warned" in request.GET)
    page = Paginator(rows, _PER_PAGE).get_page(request.GET.get("page"))
    spoken_by = synthesis.asked.get("cast", {})
    return render(
        request,
        "voices/long_detail.html",
        {
            **_facts(request, synthesis),
            "page": page,
            "rows": _told(synthesis, list(page)),
            "several_voices": len(spoken_by) > 1,
            "voices": _voices(request, synthesis),
            "chapters": [
                {**chapter, "number": number, "title": chapter_title(chapter["title"], number)}
                for number, chapter in enumerate(synthesis.chapters, 1)
            ],
            "warned": synthesis.parts.exclude(warnings=[]).count(),
            "recast": RecastForm(user=request.user) if _wants_voice(synthesis) else None,
        },
    )


@login_required
@require_GET
def status(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How far it is, for the page that is open; nothing more is asked for when it has ended."""
    synthesis = _visible(request, pk, whole=False)
    response = render(request, "voices/_long_status.html", _facts(request, synthesis))
    if not synthesis.is_active:
        response.status_code = _STOP_POLLING
        response["HX-Trigger"] = "long-ended"
    return response


@login_required
@require_GET
def playlist(request: HttpRequest, pk: UUID) -> JsonResponse:
    """Sentences from number ``from`` on, as far as they are spoken without a gap, for the page's player.

    ``more``: ask again for what follows; ``left``: something follows, be it that nobody speaks it any more.
    """
    synthesis = _visible(request, pk, whole=False)
    try:
        first = int(request.GET.get("from", "1"))
    except ValueError:
        first = 1
    first = min(max(first, 1), _LARGEST)
    found: list[dict[str, Any]] = []
    for row in synthesis.parts.filter(number__gte=first).order_by("number")[:_PLAYLIST]:
        if not row.is_spoken:
            break
        where = reverse("voices:long-sentence", args=(synthesis.pk, row.number))
        # The take belongs to the address: a sentence that was said anew is another sound.
        found.append({"number": row.number, "text": row.text, "pause": row.pause, "audio": f"{where}?take={row.take}"})
    last = found[-1]["number"] if found else first - 1
    left = synthesis.parts.filter(number__gt=last).exists() or not synthesis.is_planned
    more = left and (synthesis.is_active or len(found) == _PLAYLIST)
    return JsonResponse({"sentences": found, "more": more, "left": left})


@login_required
@require_POST
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    synthesis = _editable(request, pk)
    with refusals_told(request):
        longform_cancel(synthesis=synthesis)
        messages.info(request, "It is being stopped. What is spoken stays; you can go on with it later.")
    return redirect("voices:long-detail", pk)


@login_required
@require_POST
def resume(request: HttpRequest, pk: UUID) -> HttpResponse:
    """With ``voice`` chosen, it says what is left to voices that no longer can."""
    synthesis = _editable(request, pk)
    form = RecastForm(request.POST if "voice" in request.POST else {}, user=request.user)
    if not form.is_valid():
        messages.error(request, first_problem(form))
    else:
        with refusals_told(request):
            longform_resume(synthesis=synthesis, voice=form.cleaned_data["voice"])
    return redirect("voices:long-detail", pk)


@login_required
@require_POST
def regenerate(request: HttpRequest, pk: UUID, number: int) -> HttpResponse:
    parts = _editable(request, pk).parts.select_related("voice", "next_voice", "synthesis__owner")
    row = get_object_or_404(parts, number=min(number, _LARGEST))
    form = AgainForm(request.POST)
    if not form.is_valid():
        messages.error(request, first_problem(form))
    else:
        had_stopped = row.synthesis.state in (JobState.FAILED, JobState.CANCELLED)
        with refusals_told(request):
            given = form.cleaned_data.pop("voice")
            voice = voice_find(user=request.user, given=given) if given else None
            seed = longform_regenerate(sentence=row, voice=voice, **form.cleaned_data)
            by = f" by “{voice.name}”" if voice is not None else ""
            messages.info(request, f"Sentence {number} is said anew{by} with the seed {seed}.")
            if had_stopped and row.synthesis.parts.filter(take=0).exists():
                messages.info(request, "What was not spoken yet is gone on with, too.")
    warned = "warned" in request.POST
    rows = _listed(row.synthesis, warned=warned)
    page = (max(rows.filter(number__lte=number).count(), 1) - 1) // _PER_PAGE + 1
    only = "&warned=1" if warned else ""
    return redirect(f"{reverse('voices:long-detail', args=(pk,))}?page={page}{only}#sentence-{number}")


def _initial(request: HttpRequest) -> dict[str, Any]:
    try:
        long = Synthesis.objects.owned_by(request.user).exclude(asked={})
        again = long.filter(pk=UUID(request.GET.get("again", ""))).first()
    except ValueError:
        again = None
    if again is None:
        return {"voice": request.GET.get("voice")}
    asked, guard = again.asked, again.asked["guard"]
    values = {
        "guard": guard["mode"],
        "max_retries": guard["max_retries"],
        **({"candidates": guard["candidates"]} if guard["mode"] == GuardMode.CAREFUL else {}),
        **asked["sampling"],
    }
    profile, values = profile_spoken_with(user=request.user, name=again.profile_name, values=values)
    return {
        **values,
        "profile": profile,
        **{f"{name}_pause": value for name, value in asked["pauses"].items() if value != getattr(Pauses(), name)},
        "voice": again.voice_id,
        "text": again.text,
        "language": asked["language"],
        "seed": again.sampling["seed"],
    }


def _wants_voice(synthesis: Synthesis) -> bool:
    """Whether it has stopped for want of one that can say the rest."""
    return synthesis.state == JobState.FAILED and synthesis.error_code in ("voice_gone", "voice_outdated")


def _listed(synthesis: Synthesis, *, warned: bool) -> Any:
    rows = synthesis.parts.select_related("voice__checkpoint__run", "next_voice__checkpoint__run").order_by("number")
    return rows.exclude(warnings=[]) if warned else rows


def _facts(request: HttpRequest, synthesis: Synthesis) -> dict[str, Any]:
    return {
        "synthesis": synthesis,
        "progress": longform_progress(synthesis=synthesis),
        "job": latest_job(subject=synthesis, user=request.user),
    }


def _told(synthesis: Synthesis, rows: list[SynthesisSentence]) -> list[dict[str, Any]]:
    """Sentences with their chapters, and whether their voice can say them anew."""
    titles = synthesis.asked.get("chapters") or []
    speakers = {(row.speaker, row.speaker_name) for row in rows}
    mute = {
        (voice, name)
        for voice, name in speakers
        if speaker_trouble(synthesis=synthesis, voice=voice, name=name) is not None
    }
    return [
        {
            "sentence": row,
            "chapter": titles[row.chapter] if row.chapter < len(titles) else "",
            "mute": (row.speaker, row.speaker_name) in mute,
        }
        for row in rows
    ]


def _voices(request: HttpRequest, synthesis: Synthesis) -> list[str]:
    """Names of voices that may say a sentence of it: of the model that it was cut for."""
    own = Voice.objects.visible_to(request.user).ready().filter(bundle=synthesis.bundle)
    came = [each.name for each in studio_offered(user=request.user) if each.bundle == synthesis.bundle]
    return [*dict.fromkeys(own.order_by("name").values_list("name", flat=True)), *came]


def _visible(request: HttpRequest, pk: UUID, *, whole: bool = True) -> Synthesis:
    """Not ``whole``: without its text, for what is asked for every few seconds."""
    rows = Synthesis.objects.visible_to(request.user).exclude(asked={})
    return get_object_or_404(rows if whole else rows.with_excerpts(), pk=pk)


def _editable(request: HttpRequest, pk: UUID) -> Synthesis:
    return get_object_or_404(Synthesis.objects.editable_by(request.user).exclude(asked={}), pk=pk)
