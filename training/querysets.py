"""Reads of runs and what they made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xttsproject.accounts.groups import TRAINER
from xttsproject.accounts.querysets import OwnedQuerySet

if TYPE_CHECKING:
    from training.models import Checkpoint, EpochSample, TrainingRun


class TrainingRunQuerySet(OwnedQuerySet["TrainingRun"]):
    editors = TRAINER


class CheckpointQuerySet(OwnedQuerySet["Checkpoint"]):
    owner_path = "run__"
    editors = TRAINER


class EpochSampleQuerySet(OwnedQuerySet["EpochSample"]):
    owner_path = "run__"
    editors = TRAINER
