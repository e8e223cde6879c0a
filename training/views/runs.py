"""The pages of runs: look up, authorise, call a service, respond."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HTMX_STOP_POLLING

from datasets.models import DatasetVersion
from datasets.services.following import latest_job
from datasets.views.access import editable_or_forbidden, may_edit, owned_or_forbidden, owns
from training.choices import ExportState
from training.forms import RunForm
from training.models import Checkpoint, CheckpointExport, EpochSample, TrainingRun
from training.prompts import prompt_kind
from training.services import (
    AVERAGE,
    average_create,
    checkpoint_pin,
    export_create,
    export_delete,
    export_problem,
    run_cancel,
    run_create,
    run_curves,
    run_delete,
    run_log_tail,
    run_preflight,
    run_recommendation,
    run_resume,
    run_scoreboard,
    texts_known,
)
from training.services.scoring import SCORE
from training.services.spec import references_choose
from training.views.access import require_trainer
from xttsproject import storage
from xttsproject.bundles.manifest import open_bundle
from xttsproject.http import file_response, keys_given
from xttsproject.lib.errors import DomainError
from xttsproject.lib.tensorboard import run_address
from xttsproject.refusals import refusals_told


@login_required
@require_GET
def run_list(request: HttpRequest) -> HttpResponse:
    runs = TrainingRun.objects.visible_to(request.user).with_relations().with_best().order_by("-created_at")
    page = Paginator(runs, 20).get_page(request.GET.get("page"))
    return render(request, "training/run_list.html", {"page": page, "any_active": any(run.is_active for run in page)})


@login_required
@require_http_methods(["GET", "POST"])
def run_add(request: HttpRequest) -> HttpResponse:
    require_trainer(request)
    if request.method == "POST":
        form = RunForm(request.POST, user=request.user)
        if form.is_valid() and (run := _created(request, form)):
            return redirect("training:run-detail", run.pk)
        return render(request, "training/run_add.html", {"form": form}, status=400)
    return render(request, "training/run_add.html", {"form": RunForm(user=request.user, initial=_initial(request))})


@login_required
@require_GET
def run_add_preflight(request: HttpRequest) -> HttpResponse:
    """What the form's values amount to, asked for while it is being filled in."""
    require_trainer(request)
    # The name may come last.
    given = request.GET.copy()
    given["name"] = given.get("name") or "unnamed"
    form = RunForm(given, user=request.user)
    context: dict[str, Any] = {"form": form, "chosen": bool(request.GET.get("version"))}
    if form.is_valid():
        version, bundle = form.cleaned_data["version"], form.cleaned_data["bundle"]
        context["checking"] = not texts_known(version=version, bundle=bundle)
    if form.is_valid() and not context["checking"]:
        try:
            context["preflight"] = run_preflight(
                owner=request.user, version=version, values=form.values(), bundle=bundle
            )
        except DomainError as error:
            context["refusal"] = form.worded(error)
    return render(request, "training/_preflight.html", context)


@login_required
@require_GET
def run_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    run = _visible(request, pk)
    editable = may_edit(TrainingRun.objects.all(), request.user, run)
    context = {
        "run": run,
        "editable": editable,
        "owned": owns(run, request.user),
        "log": run_log_tail(run=run) if editable else "",
        "board_url": run_address(settings.TENSORBOARD_URL, str(run.pk)),
        "references": range(len(_references(request, run))),
        "scoreboard": run_scoreboard(run=run),
        "recommendation": run_recommendation(run=run),
        "scoring": latest_job(subject=run, user=request.user, kind=SCORE),
        "average_job": latest_job(subject=run, user=request.user, kind=AVERAGE),
        **_rows(run),
    }
    return render(request, "training/run_detail.html", context)


@login_required
@require_GET
def run_facts(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The figures of a run at work, exchanged on its page."""
    return render(request, "training/_facts.html", {"run": _visible(request, pk)})


@login_required
@require_GET
def run_checkpoints(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The table's rows, fetched by the page when there are new ones."""
    run = _visible(request, pk)
    editable = may_edit(TrainingRun.objects.all(), request.user, run)
    context = {"run": run, "editable": editable, "references": range(len(_references(request, run))), **_rows(run)}
    return render(request, "training/_checkpoints.html", context)


@login_required
@require_GET
def run_curve_points(request: HttpRequest, pk: UUID) -> JsonResponse:
    """The chart's points; ``rows`` changes with every new checkpoint and sample."""
    run = _visible(request, pk)
    rows = f"{run.checkpoints.count()}-{run.samples.count()}-{run.checkpoints.kept().count()}"
    return JsonResponse({**asdict(run_curves(run=run)), "rows": rows, "active": run.is_active})


@login_required
@require_GET
def run_log(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The last lines of the training process; the page asks for them until there are no more to come."""
    run = editable_or_forbidden(TrainingRun.objects.all(), request.user, pk)
    status = 200 if run.is_active or not request.htmx else HTMX_STOP_POLLING  # type: ignore[attr-defined]
    return HttpResponse(run_log_tail(run=run), status=status, content_type="text/plain; charset=utf-8")


@login_required
@require_POST
def run_cancel_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    run = editable_or_forbidden(TrainingRun.objects.all(), request.user, pk)
    with refusals_told(request):
        run_cancel(run=run)
    return redirect("training:run-detail", pk)


@login_required
@require_POST
def run_resume_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    run = editable_or_forbidden(TrainingRun.objects.all(), request.user, pk)
    require_trainer(request)
    with refusals_told(request):
        run_resume(run=run, user=request.user)
    return redirect("training:run-detail", pk)


@login_required
@require_POST
def run_delete_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    run = owned_or_forbidden(TrainingRun.objects.all(), request.user, pk)
    with refusals_told(request):
        run_delete(run=run, user=request.user)
        messages.success(request, f"“{run.name}” was deleted.")
        return redirect("training:run-list")
    return redirect("training:run-detail", pk)


@login_required
@require_GET
def sample_audio(request: HttpRequest, pk: int) -> HttpResponseBase:
    sample = get_object_or_404(EpochSample.objects.visible_to(request.user).select_related("run"), pk=pk)
    return file_response(request, sample.audio_path, content_type="audio/wav")


@login_required
@require_POST
def run_average(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Average the checkpoints of the ``epochs`` that were ticked."""
    run = editable_or_forbidden(TrainingRun.objects.all(), request.user, pk)
    require_trainer(request)
    with refusals_told(request):
        average_create(run=run, epochs=keys_given(request.POST.getlist("epochs")), user=request.user)
    return redirect("training:run-detail", pk)


@login_required
@require_POST
def checkpoint_pin_view(request: HttpRequest, pk: int) -> HttpResponse:
    """``pinned`` is 1 to keep it whatever comes, anything else to leave it to the run's policy."""
    checkpoint = _editable_checkpoint(request, pk)
    with refusals_told(request):
        checkpoint_pin(checkpoint=checkpoint, pinned=request.POST.get("pinned") == "1")
    return redirect("training:run-detail", checkpoint.run_id)


@login_required
@require_http_methods(["GET", "POST"])
def checkpoint_export(request: HttpRequest, pk: int) -> HttpResponse:
    """What an export is, under which licence, where it stands; POST has one made."""
    if request.method == "POST":
        checkpoint = _editable_checkpoint(request, pk)
        with refusals_told(request):
            export_create(checkpoint=checkpoint, user=request.user)
        return redirect("training:checkpoint-export", pk)
    rows = Checkpoint.objects.visible_to(request.user).select_related("run", "export__made_by")
    checkpoint = get_object_or_404(rows, pk=pk)
    export = getattr(checkpoint, "export", None)
    context: dict[str, Any] = {
        "checkpoint": checkpoint,
        "run": checkpoint.run,
        "export": export,
        "job": latest_job(subject=export, user=request.user) if export else None,
        "editable": may_edit(Checkpoint.objects.all(), request.user, checkpoint),
        "problem": export_problem(checkpoint=checkpoint),
    }
    with contextlib.suppress(DomainError):
        context["bundle"] = open_bundle(storage.bundle_dir(checkpoint.run.bundle))
    return render(request, "training/checkpoint_export.html", context)


@login_required
@require_GET
def export_download(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    exports = CheckpointExport.objects.visible_to(request.user).filter(state=ExportState.READY)
    export = get_object_or_404(exports.select_related("checkpoint__run"), pk=pk)
    return file_response(request, export.path, content_type="application/zip", download_name=f"{export.name}.zip")


@login_required
@require_POST
def export_delete_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    export = editable_or_forbidden(CheckpointExport.objects.all(), request.user, pk)
    checkpoint = export.checkpoint_id
    export_delete(export=export)
    return redirect("training:checkpoint-export", checkpoint)


def _editable_checkpoint(request: HttpRequest, pk: int) -> Checkpoint:
    checkpoint: Checkpoint = editable_or_forbidden(Checkpoint.objects.select_related("run"), request.user, pk)
    return checkpoint


@login_required
@require_GET
def reference_audio(request: HttpRequest, pk: UUID, index: int) -> HttpResponseBase:
    """A clip of the recordings that the samples are conditioned by, for whoever may see the dataset version too."""
    run = _visible(request, pk)
    clips = _references(request, run)
    if index >= len(clips):
        raise Http404("There is no such reference clip, or its recording is not shared with you.")
    return file_response(request, clips[index], content_type="audio/wav")


def _references(request: HttpRequest, run: TrainingRun) -> tuple[Path, ...]:
    if not DatasetVersion.objects.visible_to(request.user).filter(pk=run.version_id).exists():
        return ()
    try:
        return references_choose(version=run.version)
    except DomainError:
        # The version's files are gone; what was made of them can still be looked at.
        return ()


def _created(request: HttpRequest, form: RunForm) -> TrainingRun | None:
    chosen = form.cleaned_data
    try:
        return run_create(
            owner=request.user,
            version=chosen["version"],
            name=chosen["name"],
            values=form.values(),
            bundle=chosen["bundle"],
            visibility=chosen["visibility"],
            counted=texts_known(version=chosen["version"], bundle=chosen["bundle"]),
        )
    except DomainError as error:
        form.refuse(error)
        return None


def _initial(request: HttpRequest) -> dict[str, Any]:
    """``?version=`` preselects; anything that is not a visible version's key is passed over by the form."""
    try:
        return {"version": UUID(request.GET["version"])}
    except (KeyError, ValueError):
        return {}


def _rows(run: TrainingRun) -> dict[str, Any]:
    """The checkpoints with their samples, and the base model's samples."""
    found = Checkpoint.objects.filter(run=run).with_recommended().prefetch_related("samples")
    checkpoints = list(found.in_order())
    base = list(EpochSample.objects.filter(run=run, epoch=0).order_by("prompt_index"))
    spoken = [*base, *(sample for checkpoint in checkpoints for sample in checkpoint.samples.all())]
    for sample in spoken:
        sample.kind = prompt_kind(sample.text, run.spec.get("language", ""))  # type: ignore[attr-defined]
    rows = f"{len(checkpoints)}-{len(spoken)}-{sum(checkpoint.is_kept for checkpoint in checkpoints)}"
    return {"checkpoints": checkpoints, "base_samples": base, "rows": rows}


def _visible(request: HttpRequest, pk: UUID) -> TrainingRun:
    runs = TrainingRun.objects.visible_to(request.user).with_relations().with_best()
    return get_object_or_404(runs, pk=pk)
