"""The admin of runs and what they made: for looking and listening. Runs are changed on their own pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from datasets.admin.access import ReadOnlyAdmin
from datasets.admin.filters import LatestFilter
from training.choices import Method, Scored
from training.engine.figures import FIGURES
from training.models import Checkpoint, CheckpointExport, EpochSample, Preference, Scorecard, Sweep, TrainingRun
from training.services import (
    average_create,
    checkpoint_pin,
    contender_of,
    export_create,
    sweep_cancel,
    sweep_go_on,
)
from xttsproject.lib.errors import DomainError


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    list_display = (
        "name",
        "state",
        "version",
        "bundle",
        "method",
        "epoch",
        "epochs_total",
        "best_loss",
        "owner",
        "created_at",
    )
    list_filter = ("state", "bundle")
    search_fields = ("name", "owner__username", "version__dataset__name")
    date_hierarchy = "created_at"
    readonly_fields = ("page",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return rows.with_relations().with_best()  # type: ignore[no-any-return]

    @admin.display(description="method")
    def method(self, run: TrainingRun) -> str:
        return "full" if run.spec.get("method") == Method.FULL else "LoRA"

    @admin.display(description="best validation loss", ordering="best_validation_loss")
    def best_loss(self, run: Any) -> str:
        return figure(run.best_validation_loss)

    @admin.display(description="page")
    def page(self, run: TrainingRun) -> SafeString:
        return format_html('<a href="{}">curves and checkpoints</a>', reverse("training:run-detail", args=[run.pk]))


@admin.register(Sweep)
class SweepAdmin(ReadOnlyAdmin):
    list_display = ("name", "state", "version", "method", "begun", "planned", "best_loss", "owner", "created_at")
    list_filter = ("state", "method", "bundle")
    search_fields = ("name", "owner__username", "version__dataset__name")
    date_hierarchy = "created_at"
    readonly_fields = ("page",)
    actions = ("cancel", "go_on")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return rows.with_relations().with_trials()  # type: ignore[no-any-return]

    @admin.display(description="points")
    def planned(self, sweep: Sweep) -> int:
        return len(sweep.plan)

    @admin.display(description="best validation loss", ordering="best_validation_loss")
    def best_loss(self, sweep: Any) -> str:
        return figure(sweep.best_validation_loss)

    @admin.display(description="page")
    def page(self, sweep: Sweep) -> SafeString:
        return format_html('<a href="{}">curves and trials</a>', reverse("training:sweep-detail", args=[sweep.pk]))

    @admin.action(description="Cancel them with their trials")
    def cancel(self, request: HttpRequest, chosen: models.QuerySet[Sweep]) -> None:
        self._each(request, chosen, lambda row: sweep_cancel(sweep=row), "cancelled")

    @admin.action(description="Go on with them")
    def go_on(self, request: HttpRequest, chosen: models.QuerySet[Sweep]) -> None:
        self._each(request, chosen, lambda row: sweep_go_on(sweep=row, user=request.user), "going on")

    def _each(
        self, request: HttpRequest, chosen: models.QuerySet[Sweep], act: Callable[[Sweep], object], done: str
    ) -> None:
        for row in self.editable(request).filter(pk__in=chosen.values("pk")).select_related("job"):
            try:
                act(row)
            except DomainError as error:
                self.message_user(request, error.message, messages.WARNING)
            else:
                self.message_user(request, f"{row} is {done}.", messages.SUCCESS)


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    list_display = (
        "run",
        "label",
        "recommended",
        "is_best",
        "pinned",
        "score",
        "validation",
        "training",
        "size",
        "hash_begin",
        "listen",
    )
    # Only runs that the person may see are offered.
    list_filter = (
        "kind",
        "is_best",
        "pinned",
        ("removed_at", admin.EmptyFieldListFilter),
        ("run", LatestFilter),
    )
    search_fields = ("run__name", "sha256")
    readonly_fields = ("listen",)
    list_select_related = ("run", "scorecard")
    actions = ("pin", "unpin", "merge_and_export", "average")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return rows.with_recommended().prefetch_related("samples__run")  # type: ignore[no-any-return]

    @admin.display(description="recommended", boolean=True)
    def recommended(self, checkpoint: Any) -> bool:
        return bool(checkpoint.is_recommended)

    @admin.display(description="score", ordering="scorecard__composite")
    def score(self, checkpoint: Checkpoint) -> str:
        card = getattr(checkpoint, "scorecard", None)
        return figure(card.composite if card else None)

    @admin.action(description="Keep their files whatever comes")
    def pin(self, request: HttpRequest, chosen: models.QuerySet[Checkpoint]) -> None:
        self._each(request, chosen, lambda row: checkpoint_pin(checkpoint=row, pinned=True), "pinned")

    @admin.action(description="Leave their files to their runs' policy")
    def unpin(self, request: HttpRequest, chosen: models.QuerySet[Checkpoint]) -> None:
        self._each(request, chosen, lambda row: checkpoint_pin(checkpoint=row, pinned=False), "unpinned")

    @admin.action(description="Merge and export for Coqui's code")
    def merge_and_export(self, request: HttpRequest, chosen: models.QuerySet[Checkpoint]) -> None:
        self._each(request, chosen, lambda row: export_create(checkpoint=row, user=request.user), "being exported")

    @admin.action(description="Average them into a new checkpoint")
    def average(self, request: HttpRequest, chosen: models.QuerySet[Checkpoint]) -> None:
        rows = list(self.editable(request).filter(pk__in=chosen.values("pk")).select_related("run__job"))
        if len({row.run_id for row in rows}) != 1:
            self.message_user(request, "Choose checkpoints of one run that you may change.", messages.WARNING)
            return
        if any(row.is_average for row in rows):
            # It stands under its last epoch, which would be averaged in its place.
            self.message_user(request, "An average is made of checkpoints after epochs alone.", messages.WARNING)
            return
        try:
            job = average_create(run=rows[0].run, epochs=[row.epoch for row in rows], user=request.user)
        except DomainError as error:
            self.message_user(request, error.message, messages.WARNING)
        else:
            self.message_user(request, f"“{job.title}” was started.", messages.SUCCESS)

    def _each(
        self,
        request: HttpRequest,
        chosen: models.QuerySet[Checkpoint],
        act: Callable[[Checkpoint], object],
        done: str,
    ) -> None:
        """Those that the person may change; each refusal is said in its own words."""
        rows = list(self.editable(request).filter(pk__in=chosen.values("pk")).select_related("run"))
        for row in rows:
            try:
                act(row)
            except DomainError as error:
                self.message_user(request, error.message, messages.WARNING)
            else:
                self.message_user(request, f"{row} is {done}.", messages.SUCCESS)
        if len(rows) < chosen.count():
            self.message_user(request, "Checkpoints of runs that you may only look at were left alone.", messages.INFO)

    @admin.display(description="validation loss", ordering="validation_loss")
    def validation(self, checkpoint: Checkpoint) -> str:
        return figure(checkpoint.validation_loss)

    @admin.display(description="training loss", ordering="train_loss")
    def training(self, checkpoint: Checkpoint) -> str:
        return figure(checkpoint.train_loss)

    @admin.display(description="size", ordering="bytes")
    def size(self, checkpoint: Checkpoint) -> str:
        return filesizeformat(checkpoint.bytes) if checkpoint.is_kept else "removed"

    @admin.display(description="SHA-256")
    def hash_begin(self, checkpoint: Checkpoint) -> str:
        return checkpoint.sha256[:12]

    @admin.display(description="samples")
    def listen(self, checkpoint: Checkpoint) -> SafeString:
        return format_html_join("", "{}", ((player(sample),) for sample in checkpoint.samples.all()))


@admin.register(CheckpointExport)
class CheckpointExportAdmin(ReadOnlyAdmin):
    list_display = ("checkpoint", "state", "licence", "size", "made_by", "created_at")
    list_filter = ("state",)
    list_select_related = ("checkpoint__run", "made_by")
    readonly_fields = ("page",)

    @admin.display(description="size", ordering="bytes")
    def size(self, export: CheckpointExport) -> str:
        return filesizeformat(export.bytes)

    @admin.display(description="page")
    def page(self, export: CheckpointExport) -> SafeString:
        where = reverse("training:checkpoint-export", args=[export.checkpoint_id])
        return format_html('<a href="{}">where it is downloaded</a>', where)


@admin.register(EpochSample)
class EpochSampleAdmin(ReadOnlyAdmin):
    list_display = ("run", "speaks", "prompt_index", "text", "seed", "seconds", "listen")
    search_fields = ("run__name", "text")
    readonly_fields = ("listen",)
    list_select_related = ("run", "checkpoint")

    @admin.display(description="whose", ordering="epoch")
    def speaks(self, sample: EpochSample) -> str:
        return contender_of(sample.checkpoint).label

    @admin.display(description="audio")
    def listen(self, sample: EpochSample) -> SafeString:
        return player(sample)


@admin.register(Preference)
class PreferenceAdmin(ReadOnlyAdmin):
    """Votes that were given; what lies open stays blind here too."""

    list_display = ("run", "preferred", "against", "text", "voter", "voted_at")
    list_filter = (("run", LatestFilter),)
    search_fields = ("run__name", "voter__username")
    date_hierarchy = "voted_at"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return rows.given().with_samples()  # type: ignore[no-any-return]

    @admin.display(description="preferred")
    def preferred(self, preference: Preference) -> str:
        winner = preference.winner
        return "equal" if winner is None else contender_of(winner.checkpoint).label

    @admin.display(description="pair")
    def against(self, preference: Preference) -> str:
        return ", ".join(contender_of(each.checkpoint).label for each in (preference.later, preference.earlier))


@admin.register(Scorecard)
class ScorecardAdmin(ReadOnlyAdmin):
    list_display = ("run", "whose", "composite", "told", "measured_at")
    list_filter = ("subject", ("run", LatestFilter))
    search_fields = ("run__name",)
    list_select_related = ("run", "checkpoint")
    exclude = ("key", "facts")

    @admin.display(description="whose", ordering="epoch")
    def whose(self, card: Scorecard) -> str:
        return "speaker" if card.subject == Scored.SPEAKER else contender_of(card.checkpoint).label

    @admin.display(description="figures")
    def told(self, card: Scorecard) -> str:
        return ", ".join(f"{each.label.lower()} {figure(card.figure(each.name))}" for each in FIGURES)


def figure(loss: float | None) -> str:
    return "–" if loss is None else f"{loss:.3f}"


def player(sample: EpochSample) -> SafeString:
    return format_html(
        '<audio controls preload="none" src="{}" aria-label="{}" style="height: 2.2rem; max-width: 16rem"></audio>',
        reverse("training:sample-audio", args=[sample.pk]),
        str(sample),
    )
