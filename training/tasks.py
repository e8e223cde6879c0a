"""What the queue calls for this app."""

from __future__ import annotations

from typing import Any, cast

from training.models import TrainingRun
from training.services import run_ended, run_execute, run_may_retry
from xttsproject.jobs.choices import Queue
from xttsproject.jobs.context import JobContext
from xttsproject.jobs.registry import job_kind


@job_kind("training.run", queue=Queue.GPU, ended=run_ended, may_retry=run_may_retry)
def train(context: JobContext) -> dict[str, Any]:
    """Fine-tune, or go on fine-tuning."""
    run = cast(TrainingRun, context.subject())
    run_execute(run=run, progress=context)
    return {"run": str(run.pk), "checkpoints": run.checkpoints.count()}
