"""Reads of runs and what they made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models

from training.choices import CheckpointKind
from xttsproject.accounts.groups import TRAINER
from xttsproject.accounts.querysets import OwnedQuerySet

if TYPE_CHECKING:
    # Named in strings below, where the linter does not look.
    from training.models import Checkpoint, CheckpointExport, EpochSample, Preference, Scorecard, TrainingRun  # noqa: F401


class TrainingRunQuerySet(OwnedQuerySet["TrainingRun"]):
    editors = TRAINER

    def with_best(self) -> Self:
        """Adds best_validation_loss and checkpoint_count."""
        return self.annotate(
            best_validation_loss=models.Min("checkpoints__validation_loss"),
            checkpoint_count=models.Count("checkpoints", distinct=True),
        )

    def with_relations(self) -> Self:
        """Everything a list or a page shows of a run, in the same query."""
        return self.select_related("owner", "job", "version__dataset__speaker")


class CheckpointQuerySet(OwnedQuerySet["Checkpoint"]):
    owner_path = "run__"
    editors = TRAINER

    def kept(self) -> Self:
        """Those whose weights are there."""
        return self.filter(removed_at=None)

    def of_epochs(self) -> Self:
        """Those after an epoch, without averages; oldest first within a run."""
        return self.filter(kind=CheckpointKind.EPOCH).order_by("run", "epoch")

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

    def of_epochs(self) -> Self:
        """Those of checkpoints after an epoch and of the base model; an average's stand under its last epoch too."""
        return self.exclude(checkpoint__kind=CheckpointKind.AVERAGE)


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
        return self.select_related("run", "voter", "earlier__run", "later__run")


class ScorecardQuerySet(OwnedQuerySet["Scorecard"]):
    owner_path = "run__"
    editors = TRAINER
