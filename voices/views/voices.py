"""Voices: list, make, look at, share, delete."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.pipeline.screening.catalogue import told
from datasets.services.following import latest_job
from datasets.views.access import editable_or_forbidden, may_edit
from training.models import Checkpoint
from voices.choices import GuardMode
from voices.engine.references import MAX_CLIPS
from voices.forms import PreparationForm, ProfileChoiceForm, VoiceForm, preparation_of
from voices.models import Synthesis, Voice, VoiceClip
from voices.services import (
    checkpoint_clips,
    uploads_of,
    voice_create,
    voice_delete,
    voice_guard,
    voice_prepare_again,
    voice_share,
    voice_use_profile,
)
from voices.services.guarding import careful_missing
from xttsproject.http import file_response, keys_given
from xttsproject.lib.errors import DomainError


@login_required
@require_GET
def voice_list(request: HttpRequest) -> HttpResponse:
    voices = Voice.objects.visible_to(request.user).for_display()
    page = Paginator(voices.order_by("name", "pk"), 25).get_page(request.GET.get("page"))
    return render(request, "voices/voice_list.html", {"page": page})


@login_required
@require_http_methods(["GET", "POST"])
def voice_add(request: HttpRequest) -> HttpResponse:
    """``?checkpoint=<id>`` chooses it; one that the person does not see is 404. ``?speaker=<id>`` as well."""
    checkpoint = _checkpoint(request, request.GET.get("checkpoint", ""))
    if request.method == "POST":
        form = VoiceForm(request.POST, request.FILES, user=request.user)
        voice = _make(request, form)
        if voice is not None:
            return redirect("voices:voice-detail", voice.pk)
    else:
        name = f"{checkpoint.run.version.dataset.speaker.name}, {checkpoint}"[:120] if checkpoint else ""
        form = VoiceForm(
            user=request.user, initial={"checkpoint": checkpoint, "name": name, "speaker": request.GET.get("speaker")}
        )
    chosen = form.cleaned_data.get("checkpoint") if form.is_bound and hasattr(form, "cleaned_data") else checkpoint
    return render(
        request,
        "voices/voice_add.html",
        {"form": form, "max_clips": MAX_CLIPS, **_clip_choice(chosen)},
        status=400 if form.errors else 200,
    )


@login_required
@require_GET
def clip_choice(request: HttpRequest) -> HttpResponse:
    """The clips that a checkpoint's voice would be made from; the form asks when another checkpoint is chosen."""
    checkpoint = _checkpoint(request, request.GET.get("checkpoint", ""))
    return render(request, "voices/_clip_choice.html", _clip_choice(checkpoint))


@login_required
@require_GET
def voice_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    voices = Voice.objects.visible_to(request.user).select_related("speaker", "owner", "checkpoint__run", "profile")
    voice = get_object_or_404(voices.prefetch_related("clips"), pk=pk)
    job = latest_job(subject=voice, user=request.user)
    return render(
        request,
        "voices/voice_detail.html",
        {
            "voice": voice,
            "job": None if job is None or voice.is_ready else job,
            "seconds": sum(clip.seconds for clip in voice.clips.all()),
            "may_edit": may_edit(Voice.objects.all(), request.user, voice),
            "texts_waiting": Synthesis.objects.awaiting(voice).count(),
            "others_waiting": Synthesis.objects.awaiting(voice).exclude(owner=voice.owner_id).count(),
            "profile_form": ProfileChoiceForm(user=request.user, initial={"profile": voice.profile_id}),
            "preparation_form": PreparationForm(initial=asdict(voice.prepared)),
            "clips": [(clip, told(clip.quality.get("report", {}).get("values", {}))) for clip in voice.clips.all()],
            "guard_choices": GuardMode.choices,
            "careful_missing": careful_missing(),
            "run_visible": voice.checkpoint is not None
            and Checkpoint.objects.visible_to(request.user).filter(pk=voice.checkpoint.pk).exists(),
        },
    )


@login_required
@require_POST
def share(request: HttpRequest, pk: UUID) -> HttpResponse:
    voice = editable_or_forbidden(Voice.objects.all(), request.user, pk)
    try:
        voice_share(voice=voice, visibility=request.POST.get("visibility", ""))
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("voices:voice-detail", voice.pk)


@login_required
@require_POST
def use_profile(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What it speaks with from now on."""
    voice = editable_or_forbidden(Voice.objects.all(), request.user, pk)
    form = ProfileChoiceForm(request.POST, user=request.user)
    if form.is_valid():
        profile = form.cleaned_data["profile"]
        voice_use_profile(voice=voice, profile=profile)
        messages.success(request, f"It speaks {f'with “{profile}”' if profile else 'as its model does'} from now on.")
    else:
        messages.error(request, " ".join(map(str, form.errors["profile"])))
    return redirect("voices:voice-detail", voice.pk)


@login_required
@require_POST
def guard(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How its sentences are guarded from now on."""
    voice = editable_or_forbidden(Voice.objects.all(), request.user, pk)
    try:
        voice_guard(voice=voice, guard=request.POST.get("guard", ""))
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("voices:voice-detail", voice.pk)


@login_required
@require_POST
def prepare_again(request: HttpRequest, pk: UUID) -> HttpResponse:
    voice = editable_or_forbidden(Voice.objects.all(), request.user, pk)
    voice_prepare_again(voice=voice)
    return redirect("voices:voice-detail", voice.pk)


@login_required
@require_POST
def prepare_otherwise(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take the voice from its clips in another way."""
    voice = editable_or_forbidden(Voice.objects.all(), request.user, pk)
    form = PreparationForm(request.POST)
    if form.is_valid():
        voice_prepare_again(voice=voice, preparation=preparation_of(form.cleaned_data))
    else:
        messages.error(request, " ".join(str(each) for errors in form.errors.values() for each in errors))
    return redirect("voices:voice-detail", voice.pk)


@login_required
@require_POST
def delete_voice(request: HttpRequest, pk: UUID) -> HttpResponse:
    voice = editable_or_forbidden(Voice.objects.all(), request.user, pk)
    voice_delete(voice=voice)
    messages.success(request, f"“{voice.name}” was deleted; what it has spoken stays.")
    return redirect("voices:voice-list")


@login_required
@require_GET
def clip_audio(request: HttpRequest, pk: UUID, index: int) -> HttpResponseBase:
    voice = get_object_or_404(Voice.objects.visible_to(request.user), pk=pk)
    clip = get_object_or_404(VoiceClip.objects.select_related("voice"), voice=voice, index=index)
    return file_response(request, clip.path, content_type="audio/wav")


def _checkpoint(request: HttpRequest, given: str) -> Checkpoint | None:
    if not given:
        return None
    checkpoints = Checkpoint.objects.visible_to(request.user).select_related("run__version__dataset__speaker")
    return get_object_or_404(checkpoints, pk__in=keys_given([given]))


def _clip_choice(checkpoint: Checkpoint | None) -> dict[str, Any]:
    if checkpoint is None:
        return {"checkpoint": None, "choice": []}
    try:
        clips = checkpoint_clips(checkpoint)
    except DomainError as error:
        return {"checkpoint": checkpoint, "choice": [], "choice_problem": error.message}
    seconds = sum(clip.audio.seconds for clip in clips)
    return {"checkpoint": checkpoint, "choice": clips, "choice_seconds": seconds}


def _make(request: HttpRequest, form: VoiceForm) -> Voice | None:
    if not form.is_valid():
        return None
    fields = {**form.cleaned_data}
    # The field of several files gives one None where none was chosen.
    files = [file for file in fields.pop("clips") if file is not None]
    try:
        preparation = preparation_of(fields)
        return voice_create(owner=request.user, uploads=uploads_of(files), preparation=preparation, **fields)
    except DomainError as error:
        form.refuse(error)
        return None
