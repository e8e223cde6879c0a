"""The fixed vocabularies of the training side."""

from django.db import models


class RunState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Finished"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ACTIVE_STATES = (RunState.QUEUED, RunState.RUNNING)
RESUMABLE_STATES = (RunState.FAILED, RunState.CANCELLED)

CANCELLED_BY_HAND = "cancelled"
"""The error code of a run that somebody cancelled, and not its sweep."""


class Method(models.TextChoices):
    """The words are those of training.engine.spec.METHODS."""

    LORA = "lora", "LoRA: small adapters"
    FULL = "full", "Full fine-tuning: every weight"


class LoraTarget(models.TextChoices):
    """The words are those of training.engine.spec.LORA_TARGETS."""

    C_ATTN = "c_attn", "Attention's queries, keys and values (c_attn)"
    C_PROJ = "c_proj", "Both output projections (c_proj)"
    C_FC = "c_fc", "The MLP's inputs (c_fc)"


class Precision(models.TextChoices):
    """The words are those of training.engine.spec.PRECISIONS."""

    AUTO = "auto", "automatic: bf16 where the GPU or processor has it, else fp32"
    FP32 = "fp32", "fp32: exact, works everywhere"
    BF16 = "bf16", "bf16: faster on recent GPUs and processors"
    FP16 = "fp16", "fp16: faster on older GPUs"


class Schedule(models.TextChoices):
    """The words are those of training.engine.spec.SCHEDULES."""

    COSINE = "cosine", "Cosine"
    LINEAR = "linear", "Linear"
    CONSTANT = "constant", "Constant"


class StopOn(models.TextChoices):
    """The words are those of training.engine.spec.STOP_ON."""

    LOSS = "loss", "The validation loss"
    SCORE = "score", "The score of the samples"


class SweepMethod(models.TextChoices):
    """The words are those of training.engine.search.METHODS."""

    GRID = "grid", "Grid: every combination of the listed values"
    RANDOM = "random", "Random: independent draws"
    SOBOL = "sobol", "Quasi-random: drawn so that they lie evenly"


class CheckpointKind(models.TextChoices):
    EPOCH = "epoch", "After an epoch"
    AVERAGE = "average", "Average of several"


class ExportState(models.TextChoices):
    WAITING = "waiting", "Being written"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class Vote(models.TextChoices):
    """What was preferred: the sample that was played as 1 or as 2, or neither."""

    FIRST = "1", "The first"
    SECOND = "2", "The second"
    EQUAL = "0", "Equal"


class Scored(models.TextChoices):
    """Whose figures they are."""

    SPEAKER = "speaker", "Speaker"
    BASE = "base", "Base model"
    CHECKPOINT = "checkpoint", "Checkpoint"
