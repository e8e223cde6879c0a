"""The pages of sweeps: look up, authorise, call a service, respond."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.views.access import editable_or_forbidden, may_edit, owned_or_forbidden, owns
from training.engine.search import Space
from training.models import Sweep, TrainingRun
from training.services import (
    run_train_longer,
    sweep_cancel,
    sweep_create,
    sweep_curves,
    sweep_delete,
    sweep_go_on,
    sweep_preflight,
    sweep_remaining,
    sweep_spent,
    sweep_trials,
    texts_known,
    values_of,
)
from training.sweepforms import LongerForm, SweepForm
from training.views.access import require_trainer
from xttsproject.lib.errors import DomainError
from xttsproject.refusals import refusals_told


@login_required
@require_GET
def sweep_list(request: HttpRequest) -> HttpResponse:
    sweeps = Sweep.objects.visible_to(request.user).with_relations().with_trials().order_by("-created_at")
    page = Paginator(sweeps, 20).get_page(request.GET.get("page"))
    any_active = any(sweep.is_active for sweep in page)
    return render(request, "training/sweep_list.html", {"page": page, "any_active": any_active})


@login_required
@require_http_methods(["GET", "POST"])
def sweep_add(request: HttpRequest) -> HttpResponse:
    require_trainer(request, "a search")
    if request.method == "POST":
        form = SweepForm(request.POST, user=request.user)
        if form.is_valid() and (sweep := _created(request, form)):
            return redirect("training:sweep-detail", sweep.pk)
        return render(request, "training/sweep_add.html", {"form": form}, status=400)
    initial = {"version": request.GET.get("version", "")} if _is_key(request.GET.get("version", "")) else {}
    return render(request, "training/sweep_add.html", {"form": SweepForm(user=request.user, initial=initial)})


@login_required
@require_GET
def sweep_add_preflight(request: HttpRequest) -> HttpResponse:
    """What the form's values amount to, asked for while it is being filled in."""
    require_trainer(request, "a search")
    given = request.GET.copy()
    # The name may come last.
    given["name"] = given.get("name") or "unnamed"
    form = SweepForm(given, user=request.user)
    context: dict[str, Any] = {"form": form, "chosen": bool(request.GET.get("version"))}
    if form.is_valid():
        version, bundle = form.cleaned_data["version"], form.cleaned_data["bundle"]
        context["checking"] = not texts_known(version=version, bundle=bundle)
    if form.is_valid() and not context["checking"]:
        try:
            context["preflight"] = sweep_preflight(
                owner=request.user, version=version, values=form.values(), search=form.search(), bundle=bundle
            )
        except DomainError as error:
            context["refusal"] = form.worded(error)
    return render(request, "training/_sweep_preflight.html", context)


@login_required
@require_GET
def sweep_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    sweep = _visible(request, pk)
    context = {
        **_shown(request, sweep),
        "owned": owns(sweep, request.user),
        "space": [(dimension.parameter.label, str(dimension)) for dimension in Space.from_dict(sweep.space)],
    }
    return render(request, "training/sweep_detail.html", context)


@login_required
@require_GET
def sweep_table(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Figures and trials of a sweep at work, exchanged on its page."""
    return render(request, "training/_trials.html", _shown(request, _visible(request, pk)))


@login_required
@require_GET
def sweep_curve_points(request: HttpRequest, pk: UUID) -> JsonResponse:
    sweep = _visible(request, pk)
    trials = [asdict(curve) for curve in sweep_curves(sweep=sweep)]
    return JsonResponse({"active": sweep.is_active, "trials": trials})


@login_required
@require_POST
def sweep_cancel_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    sweep = editable_or_forbidden(Sweep.objects.all(), request.user, pk)
    with refusals_told(request):
        sweep_cancel(sweep=sweep)
    return redirect("training:sweep-detail", pk)


@login_required
@require_POST
def sweep_go_on_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    sweep = editable_or_forbidden(Sweep.objects.all(), request.user, pk)
    require_trainer(request, "a search")
    with refusals_told(request):
        sweep_go_on(sweep=sweep, user=request.user)
    return redirect("training:sweep-detail", pk)


@login_required
@require_POST
def sweep_delete_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    sweep = owned_or_forbidden(Sweep.objects.all(), request.user, pk)
    with refusals_told(request):
        sweep_delete(sweep=sweep)
        messages.success(request, f"“{sweep.name}” was deleted; its trials stay among the runs.")
        return redirect("training:sweep-list")
    return redirect("training:sweep-detail", pk)


@login_required
@require_http_methods(["GET", "POST"])
def run_longer(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The same values once more, with more epochs."""
    require_trainer(request, "a search")
    run = get_object_or_404(TrainingRun.objects.visible_to(request.user).with_relations(), pk=pk)
    epochs = int(run.spec.get("epochs", 0)) or run.epochs_total
    initial = {"name": f"{run.name}, longer"[:120], "epochs": 2 * epochs, "visibility": run.visibility}
    form = LongerForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            counted = texts_known(version=run.version, bundle=run.bundle)
            longer = run_train_longer(run=run, owner=request.user, counted=counted, **form.cleaned_data)
        except DomainError as error:
            form.refuse(error)
        else:
            return redirect("training:run-detail", longer.pk)
    context = {"run": run, "form": form, "values": values_of(run=run)}
    return render(request, "training/run_longer.html", context, status=400 if form.errors else 200)


def _visible(request: HttpRequest, pk: UUID) -> Sweep:
    return get_object_or_404(Sweep.objects.visible_to(request.user).with_relations(), pk=pk)


def _shown(request: HttpRequest, sweep: Sweep) -> dict[str, Any]:
    trials = sweep_trials(sweep=sweep)
    return {
        "sweep": sweep,
        "editable": may_edit(Sweep.objects.all(), request.user, sweep),
        "trials": trials,
        "ended": sum(not trial.run.is_active for trial in trials),
        "spent": sweep_spent(sweep=sweep),
        "remaining": sweep_remaining(sweep=sweep),
        "scored": any(trial.score is not None for trial in trials),
    }


def _created(request: HttpRequest, form: SweepForm) -> Sweep | None:
    chosen = form.cleaned_data
    try:
        return sweep_create(
            owner=request.user,
            version=chosen["version"],
            name=chosen["name"],
            values=form.values(),
            search=form.search(),
            bundle=chosen["bundle"],
            visibility=chosen["visibility"],
            counted=texts_known(version=chosen["version"], bundle=chosen["bundle"]),
        )
    except DomainError as error:
        form.refuse(error)
        return None


def _is_key(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
