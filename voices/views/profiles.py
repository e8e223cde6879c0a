"""The page of quality profiles: the portal's own, one's own and the team's."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.views.access import editable_or_forbidden
from voices.forms import ProfileForm
from voices.models import QualityProfile
from voices.services import profile_copy, profile_delete, profile_update
from voices.services.guarding import careful_missing
from xttsproject.lib.errors import DomainError


@login_required
@require_GET
def profiles(request: HttpRequest) -> HttpResponse:
    rows = QualityProfile.objects.for_choice(request.user).select_related("owner")
    return render(request, "voices/profiles.html", {"profiles": rows, "careful_missing": careful_missing()})


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    profile = editable_or_forbidden(QualityProfile.objects.all(), request.user, pk)
    form = ProfileForm(request.POST) if request.method == "POST" else ProfileForm.of(profile)
    if request.method == "POST" and form.is_valid():
        try:
            profile_update(profile=profile, **form.cleaned_data)
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"“{profile.name}” was changed; what speaks with it does so from now on.")
            return redirect("voices:profiles")
    return render(
        request,
        "voices/profile_edit.html",
        {"form": form, "heading": f"Profile {profile.name}", "submit": "Save"},
        status=400 if form.errors else 200,
    )


@login_required
@require_http_methods(["GET", "POST"])
def copy(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A profile of one's own with another's values, changed at will before it is saved."""
    original = get_object_or_404(QualityProfile.objects.visible_to(request.user), pk=pk)
    form = ProfileForm.of(original)
    form.initial.update(name=f"{original.name} copy"[:60], visibility="private")
    if request.method == "POST":
        form = ProfileForm(request.POST)
        if form.is_valid():
            try:
                made = profile_copy(owner=request.user, profile=original, **form.cleaned_data)
            except DomainError as error:
                form.refuse(error)
            else:
                messages.success(request, f"“{made.name}” is there to speak with.")
                return redirect("voices:profiles")
    return render(
        request,
        "voices/profile_edit.html",
        {"form": form, "heading": f"Copy of {original.name}", "submit": "Save as my own"},
        status=400 if form.errors else 200,
    )


@login_required
@require_POST
def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    profile = editable_or_forbidden(QualityProfile.objects.all(), request.user, pk)
    profile_delete(profile=profile)
    messages.success(request, f"“{profile.name}” was deleted; voices that spoke with it speak as their models do.")
    return redirect("voices:profiles")
