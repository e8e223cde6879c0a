"""The page that speaks, and what one has had spoken."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from voices.clients import hung_up
from voices.engine.encoding import Output, require_format
from voices.forms import SpeakForm
from voices.models import Synthesis
from voices.services import (
    profile_spoken_with,
    script_plan,
    script_preview,
    speech_make,
    speech_stream,
    synthesis_delete,
    synthesis_pin,
)
from voices.services.longform_output import longform_whole
from voices.services.output import synthesis_file
from voices.services.output import synthesis_subtitles as subtitles_of
from voices.services.speech import checked_text
from voices.streamed import streamed
from voices.views.sending import file_name, saved_headers, sent
from xttsproject.http import bytes_response, file_response
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.xtts.types import SAMPLE_RATE

_HISTORY = 10
_PLACE = ("q", "pinned", "page")
"""What of an address says where in the history one is."""
_SUFFIXES = {"chapters": "chapters.vtt"}


@login_required
@require_http_methods(["GET", "POST"])
def speak(request: HttpRequest) -> HttpResponse:
    """``?voice=<id>`` chooses the voice, ``?again=<id>`` fills in what was spoken before.

    A post by htmx is answered with the outcome alone, any other with the page.
    """
    sent = request.method == "POST"
    form = (
        SpeakForm(request.POST, user=request.user) if sent else SpeakForm(user=request.user, initial=_initial(request))
    )
    outcome: dict[str, Any] = {}
    if sent:
        try:
            outcome = _speak(request, form)
        except Cancelled:
            # Nobody is there to read it.
            return HttpResponse(status=499)
    spoken = bool(outcome.get("synthesis"))
    partial = sent and bool(getattr(request, "htmx", False))
    return render(
        request,
        "voices/_outcome.html" if partial else "voices/speak.html",
        {
            "form": form,
            "limit": settings.SPEECH_MAX_CHARACTERS,
            "rate": SAMPLE_RATE,
            "page": _history(request),
            "partial": partial,
            "any_voice": spoken or form.has_voices,
            # Of the form that asked there is only one; a sentence is tried with the lexicon too.
            "elsewhere": partial and request.htmx.target != "outcome",  # type: ignore[attr-defined]
            **outcome,
        },
        status=400 if sent and not spoken else 200,
    )


@login_required
@require_POST
def stream(request: HttpRequest) -> HttpResponseBase:
    """The form's text, heard while it is spoken: 16-bit samples at the rate that the page knows; its script plays them.

    What is wrong is answered as by :func:`speak`. What came of it stands at :func:`outcome` in the end.
    """
    form = SpeakForm(request.POST, user=request.user)
    problems = [] if form.is_valid() else _problems(form)
    if not problems:
        try:
            wish = form.wish
            return streamed(lambda: speech_stream(wish=wish, gone=hung_up(request)), Output(require_format("pcm")))
        except DomainError as error:
            problems = [error.message]
    return render(request, "voices/_outcome.html", {"problems": problems}, status=400)


@login_required
@require_GET
def outcome(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What came of a speech that was heard while it was spoken, for the page that played it."""
    synthesis = get_object_or_404(Synthesis.objects.visible_to(request.user), pk=pk)
    return render(request, "voices/_outcome.html", {"synthesis": synthesis, "page": _history(request), "partial": True})


@login_required
@require_http_methods(["GET", "POST"])
def plan(request: HttpRequest) -> HttpResponse:
    """What will be spoken of the form's text. Asked by htmx it is answered with that alone, else with the page.

    Whoever goes on from there without a script (to the history's next page) comes back to where that is.
    """
    if request.method == "GET":
        return redirect(f"{reverse('voices:speak')}?{request.GET.urlencode()}")
    form = SpeakForm(request.POST, user=request.user)
    outcome = _plan(request, form)
    partial = bool(getattr(request, "htmx", False))
    return render(
        request,
        "voices/_plan.html" if partial else "voices/speak.html",
        {
            "form": form,
            "limit": settings.SPEECH_MAX_CHARACTERS,
            "rate": SAMPLE_RATE,
            "page": _history(request),
            "any_voice": True,
            **outcome,
        },
        # htmx puts only good answers on the page, and what is wrong with a text belongs there as one types.
        status=400 if "plan_problems" in outcome and not partial else 200,
    )


@login_required
@require_GET
def synthesis_audio(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """The WAV; ``?download`` has the browser save it, with ``format`` in another format."""
    synthesis = get_object_or_404(Synthesis.objects.visible_to(request.user), pk=pk)
    try:
        output = Output(require_format(request.GET.get("format", "wav")))
        if synthesis.is_long and not output.as_spoken:
            return sent(synthesis, longform_whole(synthesis=synthesis), output)
        made = None if output.as_spoken else synthesis_file(synthesis=synthesis, output=output)
    except (DomainError, FileNotFoundError) as error:
        raise Http404(str(error)) from error
    if made is not None:
        name = f"{file_name(synthesis)}.{output.format.name}"
        return bytes_response(request, made, content_type=output.format.content_type, file_name=name, download=True)
    return file_response(
        request,
        synthesis.audio_path,
        content_type="audio/wav",
        download_name=f"{file_name(synthesis)}.wav" if "download" in request.GET else None,
        changes=synthesis.is_long,
    )


@login_required
@require_GET
def synthesis_subtitles(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Its sentences with their times; ``?format=srt`` or ``vtt``."""
    synthesis = get_object_or_404(Synthesis.objects.visible_to(request.user), pk=pk)
    form = request.GET.get("format", "vtt")
    try:
        content_type, written = subtitles_of(synthesis=synthesis, form=form)
    except DomainError as error:
        raise Http404(error.message) from error
    return HttpResponse(written, content_type=content_type, headers=saved_headers(synthesis, _SUFFIXES.get(form, form)))


@login_required
@require_POST
def delete_synthesis(request: HttpRequest, pk: UUID) -> HttpResponse:
    synthesis_delete(synthesis=get_object_or_404(Synthesis.objects.editable_by(request.user), pk=pk))
    messages.success(request, "The speech was deleted.")
    return _back(request)


@login_required
@require_POST
def pin_synthesis(request: HttpRequest, pk: UUID) -> HttpResponse:
    """``pinned=1`` keeps it whatever its age and size; anything else lets go of it."""
    synthesis = get_object_or_404(Synthesis.objects.editable_by(request.user), pk=pk)
    pinned = request.POST.get("pinned") == "1"
    synthesis_pin(synthesis=synthesis, pinned=pinned)
    messages.success(request, "The speech is pinned and stays." if pinned else "The speech is no longer pinned.")
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    """To where in the history one was."""
    asked, kept = QueryDict(request.POST.get("history", "")), QueryDict(mutable=True)
    for name in _PLACE:
        if asked.get(name):
            kept[name] = asked[name]
    return redirect(f"{reverse('voices:speak')}{'?' if kept else ''}{kept.urlencode()}#history")


def _speak(request: HttpRequest, form: SpeakForm) -> dict[str, Any]:
    if not form.is_valid():
        return {"problems": _problems(form)}
    try:
        synthesis = speech_make(wish=form.wish, gone=hung_up(request))
    except DomainError as error:
        form.refuse(error)
        return {"problems": [error.message]}
    return {"synthesis": synthesis}


def _plan(request: HttpRequest, form: SpeakForm) -> dict[str, Any]:
    if not form.is_valid():
        return {"plan_problems": _problems(form)}
    values = form.cleaned_data
    try:
        planned = script_plan(
            user=request.user,
            voice=values["voice"],
            text=checked_text(values["text"], "text"),
            language=values["language"],
            pauses=form.pauses,
        )
        preview = script_preview(user=request.user, plan=planned, speed=values["speed"] or 1.0)
    except DomainError as error:
        form.refuse(error)
        return {"plan_problems": [error.message]}
    return {"preview": preview, "several_voices": len(planned.voices) > 1}


def _problems(form: SpeakForm) -> list[str]:
    """Every complaint with the field it is about, as the outcome shows them."""
    return [
        str(problem) if field == "__all__" else f"{form[field].label}: {problem}"
        for field, problems in form.errors.items()
        for problem in problems
    ]


def _initial(request: HttpRequest) -> dict[str, Any]:
    try:
        again = Synthesis.objects.owned_by(request.user).filter(pk=UUID(request.GET.get("again", ""))).first()
    except ValueError:
        again = None
    if again is not None:
        spoken = {sentence.get("language", again.language) for sentence in again.sentences}
        profile, values = profile_spoken_with(user=request.user, name=again.profile_name, values=again.sampling)
        return {
            **values,
            "profile": profile,
            "voice": again.voice_id,
            "text": again.text,
            "language": again.language if len(spoken) == 1 else "",
        }
    return {"voice": request.GET.get("voice"), "text": request.GET.get("text", "")}


def _history(request: HttpRequest) -> Any:
    # An administrator sees everybody's in the admin; this page is about oneself.
    spoken = Synthesis.objects.owned_by(request.user).search(request.GET.get("q", "")).with_excerpts()
    if request.GET.get("pinned"):
        spoken = spoken.filter(pinned=True)
    return Paginator(spoken, _HISTORY).get_page(request.GET.get("page"))
