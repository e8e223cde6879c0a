"""The fixed vocabularies of the training side."""

from django.db import models


class RunState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Finished"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


RESUMABLE_STATES = (RunState.FAILED, RunState.CANCELLED)
