"""States and queues of a job."""

from django.db import models


class JobState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ACTIVE_STATES = (JobState.QUEUED, JobState.RUNNING)
FINAL_STATES = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class Queue(models.TextChoices):
    """Names of the django-q clusters: Q_CLUSTER's own name and its ALT_CLUSTERS."""

    CPU = "cpu", "CPU"
    GPU = "gpu", "GPU"
    SPEECH = "speech", "speech"


IN_TURN = frozenset({Queue.SPEECH})
"""Queues in which persons take turns; in the others whoever came first goes first."""
