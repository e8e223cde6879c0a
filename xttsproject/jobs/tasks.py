"""What the queue's workers call."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import close_old_connections

from xttsproject.jobs.context import Heartbeat, JobContext, LostClaim
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import get_kind
from xttsproject.jobs.services import job_tell_subject
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
