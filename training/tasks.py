"""What the queue calls for this app."""

from __future__ import annotations

from typing import Any, cast

from training.models import CheckpointExport, Sweep, TrainingRun
from training.services import (
    average_ended,
    average_make,
    export_ended,
    export_write,
    run_execute,
    run_may_retry,
    run_score,
    scoring_follow,
    scoring_may_retry,
    sweep_draw,
    sweep_ended,
    sweep_may_retry,
    sweeps_resume,
    trial_ended,
    trial_follow,
)
from training.services.exporting import exports_expire
from training.services.sweeps import KIND as SWEEP
from xttsproject.jobs.choices import Queue
from xttsproject.jobs.context import JobContext
from xttsproject.jobs.registry import housekeeping, job_kind


@job_kind("training.run", queue=Queue.GPU, ended=trial_ended, may_retry=run_may_retry)
def train(context: JobContext) -> dict[str, Any]:
    """Fine-tune, or go on fine-tuning. While a trial trains, the next one of its sweep waits for another worker."""
    run = cast(TrainingRun, context.subject())
    trial_follow(run=run)
    run_execute(run=run, progress=context)
    scoring_follow(run=run)
    trial_follow(run=run)
    return {"run": str(run.pk), "checkpoints": run.checkpoints.count()}


@job_kind("training.export", queue=Queue.CPU, ended=export_ended)
def export(context: JobContext) -> dict[str, Any]:
    """Merge a checkpoint into its base model and pack it for Coqui's code."""
    written = cast(CheckpointExport, context.subject())
    export_write(export=written, progress=context)
    return {"checkpoint": written.checkpoint_id, "bytes": written.bytes}


@job_kind("training.score", queue=Queue.GPU, may_retry=scoring_may_retry)
def score(context: JobContext) -> dict[str, Any]:
    """Measure what a run's checkpoints say, as far as that has not been done."""
    run = cast(TrainingRun, context.subject())
    done = run_score(run=run, progress=context)
    return {"run": str(run.pk), "scored": done.scored, "spoken": done.spoken, "notice": done.notice}


@job_kind("training.average", queue=Queue.GPU, ended=average_ended, may_retry=run_may_retry)
def average(context: JobContext) -> dict[str, Any]:
    """Average checkpoints of a run, measure the average, and let it speak."""
    run = cast(TrainingRun, context.subject())
    made = average_make(run=run, epochs=context.arguments["epochs"], progress=context)
    scoring_follow(run=run)
    return {"checkpoint": made.pk, "validation_loss": made.validation_loss}


@job_kind(SWEEP, queue=Queue.CPU, ended=sweep_ended, may_retry=sweep_may_retry)
def sweep(context: JobContext) -> dict[str, Any]:
    """Draw the points of a search and begin with the first."""
    subject = cast(Sweep, context.subject())
    return {"sweep": str(subject.pk), "trials": sweep_draw(sweep=subject, progress=context)}


@housekeeping("sweeps")
def look_after_sweeps() -> int:
    """Trials that should have been begun by a process that died."""
    return sweeps_resume()


@housekeeping("exports")
def expire_exports() -> int:
    """Packed checkpoints that nobody has made anew for two weeks."""
    return exports_expire()
