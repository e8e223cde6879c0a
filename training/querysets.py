"""Reads of runs and what they made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models
from django.db.models.functions import Coalesce

from training.choices import CANCELLED_BY_HAND
from xttsproject.accounts.groups import TRAINER
from xttsproject.accounts.querysets import OwnedQuerySet, number_of, per_row

if TYPE_CHECKING:
    # Named in strings below, where the linter does not look.
    from training.models import Checkpoint, CheckpointExport, EpochSample, Preference, Scorecard, Sweep, TrainingRun  # noqa: F401


IN_ORDER = ("-kind", "epoch", "path")
"""Checkpoints of a run: those after its epochs, then averages."""


def _recommended(run: str) -> Coalesce:
    """The key of the recommended checkpoint of the run that ``run`` names in the outer query, or NULL.

    Of those whose weights are there: the best score where any is scored, else the lowest loss.
    """
    kept = apps.get_model("training", "Checkpoint")._default_manager.filter(run=models.OuterRef(run), removed_at=None)
    scored = kept.exclude(scorecard__composite=None).order_by("-scorecard__composite", *IN_ORDER)
    measured = kept.annotate(measured=Coalesce("validation_loss", "train_loss")).exclude(measured=None)
    return Coalesce(
        models.Subquery(scored.values("pk")[:1]),
        models.Subquery(measured.order_by("measured", *IN_ORDER).values("pk")[:1]),
    )


class TrainingRunQuerySet(OwnedQuerySet["TrainingRun"]):
    editors = TRAINER

    def with_best(self) -> Self:
        """Adds best_validation_loss, checkpoint_count, and recommended_checkpoint, its key or None."""
        checkpoints: Any = self.model._meta.get_field("checkpoints").related_model
        rows = checkpoints.objects.all()
        return self.annotate(
            best_validation_loss=per_row(rows, "run", models.Min("validation_loss")),
            checkpoint_count=number_of(rows, "run"),
            recommended_checkpoint=_recommended("pk"),
        )

    def with_relations(self) -> Self:
        """Everything a list or a page shows of a run, in the same query."""
        return self.select_related("owner", "job", "sweep", "version__dataset__speaker")


class SweepQuerySet(OwnedQuerySet["Sweep"]):
    editors = TRAINER

    def with_relations(self) -> Self:
        return self.select_related("owner", "job", "version__dataset__speaker")

    def with_trials(self) -> Self:
        """Adds trials_ended, trials_stopped, trials_not_begun, and best_validation_loss over all trials."""
        ended = models.Q(trials__state__in=("succeeded", "failed", "cancelled"))
        # As TrainingRun.was_stopped and stop_label have it.
        stopped = models.Q(trials__state="cancelled") & ~models.Q(trials__stop_reason="")
        stopped &= ~models.Q(trials__error_code=CANCELLED_BY_HAND)
        untrained = models.Q(trials__step=0, trials__trained_seconds=0)
        return self.annotate(
            trials_ended=models.Count("trials", filter=ended, distinct=True),
            trials_stopped=models.Count("trials", filter=stopped & ~untrained, distinct=True),
            trials_not_begun=models.Count("trials", filter=stopped & untrained, distinct=True),
            best_validation_loss=models.Min("trials__checkpoints__validation_loss"),
        )


class CheckpointQuerySet(OwnedQuerySet["Checkpoint"]):
    owner_path = "run__"
    editors = TRAINER

    def kept(self) -> Self:
        """Those whose weights are there."""
        return self.filter(removed_at=None)

    def in_order(self) -> Self:
        """Run by run, those after its epochs first, oldest first, then averages."""
        return self.order_by("run", *IN_ORDER)

    def recommended(self) -> Self:
        """Of each run the one that a voice is best made of."""
        return self.filter(pk=_recommended("run"))

    def with_recommended(self) -> Self:
        """Adds is_recommended: whether a voice is best made of it, of all checkpoints of its run."""
        chosen = models.Q(pk=_recommended("run"))
        return self.annotate(is_recommended=models.ExpressionWrapper(chosen, output_field=models.BooleanField()))

    def removable(self) -> Self:
        """Those whose weights may go: neither pinned nor needed by anything, such as a voice.

        What needs a checkpoint is what protects its row from deletion, whichever app it belongs to.
        """
        needing = [
            relation.name
            for relation in self.model._meta.related_objects
            if relation.on_delete is models.PROTECT  # type: ignore[attr-defined]
        ]
        return self.kept().filter(pinned=False, **{f"{name}__isnull": True for name in needing})


class CheckpointExportQuerySet(OwnedQuerySet["CheckpointExport"]):
    owner_path = "checkpoint__run__"
    editors = TRAINER


class EpochSampleQuerySet(OwnedQuerySet["EpochSample"]):
    owner_path = "run__"
    editors = TRAINER


class PreferenceQuerySet(models.QuerySet["Preference"]):
    """Votes are their voter's own; what all of them come to is told to whoever may see the run."""

    def visible_to(self, user: Any) -> Self:
        if user.is_superuser:
            return self
        if not user.is_authenticated:
            return self.none()
        return self.filter(voter=user)

    def editable_by(self, user: Any) -> Self:
        """A vote is given by its voter alone."""
        return self.filter(voter=user) if user.is_authenticated else self.none()

    def given(self) -> Self:
        return self.exclude(vote="")

    def waiting(self) -> Self:
        return self.filter(vote="")

    def with_samples(self) -> Self:
        return self.select_related(
            "run", "voter", "earlier__run", "earlier__checkpoint", "later__run", "later__checkpoint"
        )


class ScorecardQuerySet(OwnedQuerySet["Scorecard"]):
    owner_path = "run__"
    editors = TRAINER
