"""Comparing samples blind: the page that plays and asks, and what the votes came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from training.models import Preference, TrainingRun
from training.services import (
    comparison_next,
    comparison_outcome,
    comparison_vote,
    comparison_wav,
    contenders_heard,
)
from xttsproject.http import bytes_response, keys_given
from xttsproject.lib.errors import DomainError
from xttsproject.refusals import refusals_told

_PAIRS = 100
"""Pairs on a page of the outcome: of a long run's checkpoints there are thousands."""


@login_required
@never_cache
@require_GET
def compare(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The next pair. Never kept by the browser: going back shows what is open now, not what has its vote."""
    run = _visible(request, pk)
    among = _among(request.GET)
    context: dict[str, Any] = {
        "run": run,
        "among": among,
        "query": _query(among),
        "contenders": contenders_heard(run=run),
    }
    try:
        context["turn"] = comparison_next(run=run, voter=request.user, among=among)
    except DomainError as error:
        context["refusal"] = error.message
    return render(request, "training/compare.html", context, status=400 if "refusal" in context and among else 200)


@login_required
@require_POST
def vote(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take the vote and go on with the next pair, wherever it came from: a key, a button, or a page gone back to."""
    among = _among(request.POST)
    preference = get_object_or_404(_comparisons(request), pk=pk)
    with refusals_told(request):
        if not comparison_vote(preference=preference, voter=request.user, vote=request.POST.get("vote", "")):
            messages.info(request, "You had already voted on that pair; your first vote stands.")
    return redirect(f"{reverse('training:run-compare', args=[preference.run_id])}{_query(among)}")


@login_required
@require_GET
def audio(request: HttpRequest, pk: UUID, place: int) -> HttpResponseBase:
    """What the person's pair plays as 1 or 2; neither the address nor the answer says whose it is."""
    preference = get_object_or_404(_comparisons(request), pk=pk)
    if place not in (1, 2):
        raise Http404("A pair has a first and a second sample.")
    try:
        data = comparison_wav(preference=preference, place=str(place))
    except DomainError as error:
        raise Http404(error.message) from error
    return bytes_response(request, data, content_type="audio/wav", file_name=f"{place}.wav")


@login_required
@require_GET
def outcome(request: HttpRequest, pk: UUID) -> HttpResponse:
    run = _visible(request, pk)
    found = comparison_outcome(run=run)
    page = Paginator(found.pairs, _PAIRS).get_page(request.GET.get("page"))
    return render(request, "training/outcome.html", {"run": run, "outcome": found, "page": page})


def _visible(request: HttpRequest, pk: UUID) -> TrainingRun:
    return get_object_or_404(TrainingRun.objects.visible_to(request.user).with_relations(), pk=pk)


def _comparisons(request: HttpRequest) -> Any:
    """The person's own, of runs that they still may see."""
    runs = TrainingRun.objects.visible_to(request.user)
    return Preference.objects.editable_by(request.user).filter(run__in=runs).with_samples()


def _among(values: Any) -> Sequence[int]:
    """``?among=0&among=17``, keys of checkpoints; what is no number is told by its absence from the run."""
    return sorted(set(keys_given(values.getlist("among"))))


def _query(among: Sequence[int]) -> str:
    return "?" + urlencode({"among": among}, doseq=True) if among else ""
