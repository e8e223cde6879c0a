"""The page of a person's lexicon."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from voices.forms import LexiconForm, LexiconImportForm, SpeakForm
from voices.models import LexiconEntry
from voices.services import (
    lexicon_add,
    lexicon_delete,
    lexicon_import,
    lexicon_table,
    lexicon_update,
    script_plan,
    script_preview,
)
from voices.services.speech import checked_text
from xttsproject.lib.errors import DomainError

_A_PAGE = 50


@login_required
@require_http_methods(["GET", "POST"])
def lexicon(request: HttpRequest) -> HttpResponse:
    """The entries, ``?q=`` narrows them; a post adds one."""
    form = LexiconForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            entry = lexicon_add(owner=request.user, **form.cleaned_data)
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"“{entry.written}” will be spoken as “{entry.spoken}”.")
            return redirect("voices:lexicon")
    return _page(request, form, LexiconImportForm(), status=400 if form.errors else 200)


@login_required
@require_POST
def import_table(request: HttpRequest) -> HttpResponse:
    form = LexiconImportForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            added, changed = lexicon_import(
                owner=request.user, table=form.cleaned_data["table"], visibility=form.cleaned_data["visibility"]
            )
        except DomainError as error:
            form.add_error("table", error.message)
        else:
            messages.success(request, f"{added} added, {changed} changed.")
            return redirect("voices:lexicon")
    return _page(request, LexiconForm(), form, status=400)


@login_required
@require_GET
def export_table(request: HttpRequest) -> HttpResponse:
    """One's own entries as the CSV that can be imported again."""
    return HttpResponse(
        lexicon_table(LexiconEntry.objects.owned_by(request.user)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="lexicon.csv"'},
    )


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    entry = _editable(request, pk)
    form = LexiconForm(request.POST) if request.method == "POST" else LexiconForm.of(entry)
    if request.method == "POST" and form.is_valid():
        try:
            lexicon_update(entry=entry, **form.cleaned_data)
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, "The entry was changed.")
            return redirect("voices:lexicon")
    return render(
        request, "voices/lexicon_edit.html", {"form": form, "entry": entry}, status=400 if form.errors else 200
    )


@login_required
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    entry = _editable(request, pk)
    lexicon_delete(entry=entry)
    messages.success(request, f"“{entry.written}” was deleted.")
    return redirect("voices:lexicon")


@login_required
@require_GET
def try_sentence(request: HttpRequest) -> HttpResponse:
    """What will be spoken of ``?text=`` by ``?voice=``. Asked by htmx it is answered with that alone."""
    form = SpeakForm(request.GET, user=request.user)
    tried = _tried(request, form)
    if getattr(request, "htmx", False):
        return render(request, "voices/_try.html", tried)
    return _page(request, LexiconForm(), LexiconImportForm(), status=200, trying=form, **tried)


def _tried(request: HttpRequest, form: SpeakForm) -> dict[str, Any]:
    if not form.is_valid():
        return {"plan_problems": [problem for problems in form.errors.values() for problem in problems]}
    values = form.cleaned_data
    try:
        text = checked_text(values["text"], "text")
        planned = script_plan(user=request.user, voice=values["voice"], text=text, language=values["language"])
        preview = script_preview(user=request.user, plan=planned)
    except DomainError as error:
        return {"plan_problems": [error.message]}
    return {"preview": preview, "tried": values, "several_voices": len(planned.voices) > 1}


def _editable(request: HttpRequest, pk: int) -> LexiconEntry:
    """One's own; what is merely shared is forbidden, what is hidden unknown."""
    entry = get_object_or_404(LexiconEntry.objects.visible_to(request.user), pk=pk)
    if not LexiconEntry.objects.editable_by(request.user).filter(pk=pk).exists():
        raise PermissionDenied
    return entry


def _page(
    request: HttpRequest, form: LexiconForm, importing: LexiconImportForm, *, status: int, **context: Any
) -> HttpResponse:
    wanted = request.GET.get("q", "").strip()
    entries = LexiconEntry.objects.for_display(request.user)
    if wanted:
        entries = entries.filter(Q(written__icontains=wanted) | Q(spoken__icontains=wanted))
    trying = context.pop("trying", None) or SpeakForm(user=request.user)
    return render(
        request,
        "voices/lexicon.html",
        {
            "form": form,
            "importing": importing,
            "trying": trying,
            "any_voice": trying.has_voices,
            "page": Paginator(entries, _A_PAGE).get_page(request.GET.get("page")),
            "q": wanted,
            **context,
        },
        status=status,
    )
