"""The admin of runs and what they made: for looking and listening. Runs are changed on their own pages."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from datasets.admin.access import ReadOnlyAdmin
from training.models import Checkpoint, EpochSample, TrainingRun


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    list_display = ("name", "state", "version", "bundle", "epoch", "epochs_total", "best_loss", "owner", "created_at")
    list_filter = ("state", "bundle")
    search_fields = ("name", "owner__username", "version__dataset__name")
    date_hierarchy = "created_at"
    readonly_fields = ("page",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return rows.with_relations().with_best()  # type: ignore[no-any-return]

    @admin.display(description="best validation loss", ordering="best_validation_loss")
    def best_loss(self, run: Any) -> str:
        return figure(run.best_validation_loss)

    @admin.display(description="page")
    def page(self, run: TrainingRun) -> SafeString:
        return format_html('<a href="{}">curves and checkpoints</a>', reverse("training:run-detail", args=[run.pk]))


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    list_display = ("run", "epoch", "is_best", "listen", "validation", "training", "size", "hash_begin")
    # Only runs that the person may see are offered.
    list_filter = ("is_best", ("run", admin.RelatedOnlyFieldListFilter))
    search_fields = ("run__name", "sha256")
    readonly_fields = ("listen",)
    list_select_related = ("run",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("samples__run")

    @admin.display(description="validation loss", ordering="validation_loss")
    def validation(self, checkpoint: Checkpoint) -> str:
        return figure(checkpoint.validation_loss)

    @admin.display(description="training loss", ordering="train_loss")
    def training(self, checkpoint: Checkpoint) -> str:
        return figure(checkpoint.train_loss)

    @admin.display(description="size", ordering="bytes")
    def size(self, checkpoint: Checkpoint) -> str:
        return filesizeformat(checkpoint.bytes)

    @admin.display(description="SHA-256")
    def hash_begin(self, checkpoint: Checkpoint) -> str:
        return checkpoint.sha256[:12]

    @admin.display(description="samples")
    def listen(self, checkpoint: Checkpoint) -> SafeString:
        return format_html_join("", "{}", ((player(sample),) for sample in checkpoint.samples.all()))


@admin.register(EpochSample)
class EpochSampleAdmin(ReadOnlyAdmin):
    list_display = ("run", "epoch", "prompt_index", "text", "seed", "seconds", "listen")
    search_fields = ("run__name", "text")
    readonly_fields = ("listen",)
    list_select_related = ("run",)

    @admin.display(description="audio")
    def listen(self, sample: EpochSample) -> SafeString:
        return player(sample)


def figure(loss: float | None) -> str:
    return "–" if loss is None else f"{loss:.3f}"


def player(sample: EpochSample) -> SafeString:
    return format_html(
        '<audio controls preload="none" src="{}" aria-label="{}" style="height: 2.2rem; max-width: 16rem"></audio>',
        reverse("training:sample-audio", args=[sample.pk]),
        str(sample),
    )
