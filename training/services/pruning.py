"""Which checkpoints of a run keep their weights: the best few, the last, those pinned and those in use."""

from __future__ import annotations

import contextlib

from training.engine.checkpoint import remove_weights
from training.models import Checkpoint, TrainingRun
from training.services.exporting import export_delete


def checkpoints_prune(*, run: TrainingRun) -> list[Checkpoint]:
    """Take the weights of all but the run's best ``keep_best`` and its last checkpoint, and return whose they were.

    The best are those of the lowest loss, since a run is scored in full when it has ended. The best by what a run that
    stops on the score measures itself stays besides, and so does the best by score where a scored run goes on. Pinned
    ones and those that a voice uses stay too. The row is marked first
    and the file removed after: a death between the two leaves a file that nobody is offered, and the next call removes
    it.
    """
    rows = list(Checkpoint.objects.filter(run=run).select_related("run").order_by("epoch"))
    kept, removed = [row for row in rows if row.is_kept], []
    count: int | None = run.spec.get("keep_best")
    if count is not None:
        # A checkpoint without any loss is no better than any other.
        ranked = sorted(kept, key=lambda row: (row.loss is None, row.loss or 0.0, row.epoch))
        last = [row for row in kept if not row.is_average][-1:]
        scored = run.checkpoints.kept().exclude(scorecard__composite=None).order_by("-scorecard__composite")[:1]
        heard = run.facts.get("scores", {})
        sounding = [row for row in kept if not row.is_average and str(row.epoch) in heard]
        alike = sorted(sounding, key=lambda row: (-heard[str(row.epoch)], row.epoch))[:1]
        staying = {row.pk for row in [*ranked[:count], *last, *scored, *alike]}
        removed = [row for row in kept if row.pk not in staying and row.mark_removed()]
    for row in rows:
        if not row.is_kept:
            _remove_files(row)
    return removed


def _remove_files(checkpoint: Checkpoint) -> None:
    export = getattr(checkpoint, "export", None)
    if export is not None:
        export_delete(export=export)
    # A file that cannot be removed now is tried again at the next call.
    with contextlib.suppress(OSError):
        remove_weights(checkpoint.folder)
