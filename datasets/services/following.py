"""Jobs beside what they work on."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from django.db import models

from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_cancel
from xttsproject.lib.errors import DomainError


def latest_jobs(*, subjects: Sequence[models.Model], user: Any) -> dict[str, Job]:
    """The newest job that ``user`` may see about each of ``subjects`` (all of one model), by primary key as text.

    One query, however many there are.
    """
    if not subjects:
        return {}
    meta = subjects[0]._meta
    jobs = (
        Job.objects.visible_to(user)
        .with_places()
        .filter(
            subject_type=f"{meta.app_label}.{meta.model_name}", subject_id__in=[str(subject.pk) for subject in subjects]
        )
    )
    return {job.subject_id: job for job in jobs.order_by("created_at")}


def latest_job(*, subject: models.Model, user: Any, kind: str = "") -> Job | None:
    """The newest job about ``subject``, of one kind if that is named."""
    jobs = Job.objects.about(subject).filter(pk__in=Job.objects.visible_to(user))
    return (jobs.filter(kind=kind) if kind else jobs).first()


def stop_jobs(*, subject: models.Model) -> None:
    """Cancel whatever waits or runs for ``subject``, which is about to be deleted."""
    for job in Job.objects.about(subject).active():
        # One that ended a moment ago needs no stopping.
        with contextlib.suppress(DomainError):
            job_cancel(job=job)
