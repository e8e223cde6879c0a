"""What the queue's workers call."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import close_old_connections, models

from xttsproject.jobs.context import Heartbeat, JobContext, LostClaim, TurnOver
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import get_kind
from xttsproject.jobs.services import job_send, job_tell_subject
from xttsproject.lib.errors import Cancelled, DomainError

logger = logging.getLogger(__name__)


def run(job_id: str, watch: Callable[[float, str], None] | None = None) -> str:
    """Claim the job and do it; a second delivery of the same job finds it claimed and does nothing.

    ``watch`` is told of every report too: for a command that does a job in its own process.
    """
    job = Job.objects.filter(pk=job_id).first()
    if job is None or not job.claim():
        return "not mine"
    try:
        with Heartbeat(job):
            result = get_kind(job.kind).handler(JobContext(job, watch))
        job.succeed(result)
    except Cancelled:
        job.mark_cancelled()
    except LostClaim:
        return "lost"
    except TurnOver:
        if job.give_way():
            job_send(job=job)
        else:
            job.mark_cancelled()
    except DomainError as error:
        job.fail(error.code, error.message)
    except Exception as error:
        # Caught once, here: the person sees that it is our fault, the log has the traceback.
        logger.exception("Job %s (%s) broke", job.pk, job.kind)
        job.fail(
            "unexpected",
            f"“{job.title}” stopped with an unexpected error ({type(error).__name__}). "
            "The worker's log has the details.",
            unexpected=True,
        )
    except BaseException:
        # SystemExit is how django-q ends a task that ran too long.
        if job.fail("timeout", f"“{job.title}” was stopped because it ran longer than JOB_TIMEOUT_HOURS allows."):
            job_tell_subject(job=job)
        raise
    finally:
        close_old_connections()
    if not job.is_active and job.state != "succeeded":
        job_tell_subject(job=job)
    return job.state


def turn(job_id: str) -> str:
    """Of what waits in this job's queue, do that whose turn it is.

    Every job has a message of its own, so there are as many as there is work; which of them leads to which job does not
    matter. One whose message has not been written down yet is left to it.
    """
    queue = Job.objects.filter(pk=job_id).values_list("queue", flat=True).first()
    if queue is None:
        return "not mine"
    sent = models.Q(sent_at__isnull=False) | models.Q(pk=job_id)
    while (job := Job.objects.in_turn(queue).filter(sent).first()) is not None:
        outcome = run(str(job.pk))
        if outcome != "not mine":
            return outcome
    return "not mine"
