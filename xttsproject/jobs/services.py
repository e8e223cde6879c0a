"""Starting, ending and rescuing jobs."""

from __future__ import annotations

import logging
import os
import socket
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from xttsproject.jobs.choices import IN_TURN, JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending, get_kind
from xttsproject.lib.errors import DomainError

logger = logging.getLogger(__name__)

RUN = "xttsproject.jobs.tasks.run"
TURN = "xttsproject.jobs.tasks.turn"


def job_start(
    *,
    kind: str,
    title: str,
    owner: Any,
    subject: models.Model | None = None,
    arguments: dict[str, Any] | None = None,
    send: bool = True,
) -> Job:
    """Create a job and send it to its queue once the surrounding transaction has committed.

    One active job of a kind per subject: asking again while it waits or runs returns that one. Without ``send`` it is
    for the calling process, which hands it to ``xttsproject.jobs.tasks.run`` at once; should that process die first,
    the rescue sends it.
    """
    about = {
        "subject_type": f"{subject._meta.app_label}.{subject._meta.model_name}" if subject is not None else "",
        "subject_id": str(subject.pk) if subject is not None else "",
    }
    columns = {"title": title[:200], "owner": owner, "arguments": arguments or {}, "queue": get_kind(kind).queue}
    with transaction.atomic():
        try:
            with transaction.atomic():
                job = Job.objects.create(kind=kind, **about, **columns)
        except IntegrityError:
            # The database allows one active job of a kind per subject.
            active = Job.objects.active().filter(kind=kind, **about).first()
            if active is not None:
                return active
            # That one ended between the two looks.
            job = Job.objects.create(kind=kind, **about, **columns)
        if send:
            transaction.on_commit(lambda: job_send(job=job))
    return job


def job_send(*, job: Job) -> None:
    """Put the job's key on its queue. Sending twice is harmless: a job is claimed before it runs."""
    from django_q.tasks import async_task

    # Positional, because django-q takes some keyword names for itself.
    async_task(TURN if job.queue in IN_TURN else RUN, str(job.pk), cluster=job.queue, task_name=job.kind)
    Job.objects.filter(pk=job.pk).update(sent_at=timezone.now())


def job_cancel(*, job: Job) -> None:
    """Ask a job to stop. DomainError ``job_ended`` when there is nothing left to stop."""
    if not job.request_cancel():
        raise DomainError("job_ended", f"“{job.title}” has already {job.get_state_display().lower()}.")
    if job.state == JobState.CANCELLED:
        job_tell_subject(job=job)


def job_retry(*, job: Job, user: Any) -> None:
    """Queue a failed or cancelled job again.

    DomainErrors: ``job_not_retryable`` in any other state, ``job_active`` while the same work is waiting or running
    as another job, and what the kind's ``may_retry`` says of this person.
    """
    kind, subject = get_kind(job.kind), job.subject
    if kind.may_retry is not None and subject is not None:
        kind.may_retry(subject, user)
    try:
        with transaction.atomic():
            if not job.can_retry or not job.requeue():
                raise DomainError(
                    "job_not_retryable",
                    f"“{job.title}” is {job.get_state_display().lower()}; "
                    "only a failed or cancelled job can be tried again.",
                )
            transaction.on_commit(lambda: job_send(job=job))
    except IntegrityError:
        raise DomainError("job_active", f"“{job.title}” is already under way as another job.") from None


def job_tell_subject(*, job: Job) -> None:
    """Let the app that owns the subject record that the job ended without success."""
    kind, subject = get_kind(job.kind), job.subject
    if kind.ended is not None and subject is not None:
        kind.ended(subject, Ending(job.state, job.error_code, job.error))


def jobs_rescue() -> int:
    """Give jobs whose worker died to another, and send those whose message was lost. Returns how many there were.

    A worker on this machine is known to be dead when its process is gone; one elsewhere when it has been silent for
    JOB_LOST_SECONDS. A job that has lost too many workers fails.
    """
    long_ago = timezone.now() - timedelta(seconds=settings.JOB_LOST_SECONDS)
    here = Job.objects.filter(state=JobState.RUNNING, worker__startswith=f"{socket.gethostname()}:")
    lost = {job.pk: job for job in Job.objects.silent_since(long_ago)}
    lost |= {job.pk: job for job in here if not _alive(job.worker)}
    for job in lost.values():
        give_up = None
        if job.attempt >= get_kind(job.kind).max_attempts:
            give_up = (
                "worker_lost",
                f"“{job.title}” lost its worker {job.attempt} times, so it was not started again. "
                "Look at the worker's log for a crash or too little memory, then retry.",
            )
        if not job.take_back(give_up=give_up):
            continue
        if job.state == JobState.QUEUED:
            logger.warning("Job %s (%s) lost its worker; queued again.", job.pk, job.kind)
            job_send(job=job)
        else:
            job_tell_subject(job=job)
    unsent = list(Job.objects.unsent_since(long_ago))
    for job in unsent:
        job_send(job=job)
    return len(lost) + len(unsent)


def jobs_resend(*, queue: str) -> int:
    """Send every waiting job of a queue again: its message may have died with the last cluster or broker."""
    waiting = list(Job.objects.filter(queue=queue, state=JobState.QUEUED).order_by("queued_at"))
    for job in waiting:
        job_send(job=job)
    return len(waiting)


def _alive(worker: str) -> bool:
    process = int(worker.rpartition(":")[2])
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
