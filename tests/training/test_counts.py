"""What lists of runs tell beside each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.training.factories import CheckpointFactory, RunFactory
from training.models import TrainingRun

pytestmark = pytest.mark.django_db


def test_a_run_has_the_lowest_loss_of_its_own_checkpoints(people: Any) -> None:
    run, other = RunFactory(owner=people.tom), RunFactory(owner=people.tom)
    for epoch, loss in ((1, 3.0), (2, 2.5), (3, None)):
        CheckpointFactory(run=run, epoch=epoch, validation_loss=loss)
    rows: Any = TrainingRun.objects.with_best()
    figures = set(rows.values_list("pk", "checkpoint_count", "best_validation_loss"))
    assert figures == {(run.pk, 3, 2.5), (other.pk, 0, None)}
