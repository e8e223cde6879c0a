"""Reads of jobs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models.functions import Coalesce

from xttsproject.jobs.choices import ACTIVE_STATES, JobState

if TYPE_CHECKING:
    from xttsproject.jobs.models import Job


class JobQuerySet(models.QuerySet["Job"]):
    def visible_to(self, user: Any) -> JobQuerySet:
        """A person's own jobs; an administrator sees all."""
        if user.is_superuser:
            return self
        return self.filter(owner_id=user.pk)

    def editable_by(self, user: Any) -> JobQuerySet:
        """Whoever sees a job may cancel and retry it."""
        return self.visible_to(user)

    def active(self) -> JobQuerySet:
        return self.filter(state__in=ACTIVE_STATES)

    def about(self, subject: models.Model) -> JobQuerySet:
        """Jobs that work on this object, newest first."""
        return self.filter(
            subject_type=f"{subject._meta.app_label}.{subject._meta.model_name}", subject_id=str(subject.pk)
        ).order_by("-created_at")

    def with_places(self) -> JobQuerySet:
        """For lists: counts the jobs ahead of each in the same query, for ``Job.queue_position``."""
        ahead = (
            self.model._default_manager.filter(
                queue=models.OuterRef("queue"), state=JobState.QUEUED, queued_at__lt=models.OuterRef("queued_at")
            )
            .order_by()
            .values("queue")
            .annotate(number=models.Count("pk"))
            .values("number")
        )
        return self.annotate(jobs_ahead=Coalesce(models.Subquery(ahead), 0))

    def ahead_of(self, job: Job) -> JobQuerySet:
        """Queued jobs of the same queue that come first."""
        return self.filter(queue=job.queue, state=JobState.QUEUED, queued_at__lt=job.queued_at)

    def unsent_since(self, moment: datetime) -> JobQuerySet:
        """Waiting jobs whose message never reached the broker."""
        return self.filter(state=JobState.QUEUED, sent_at=None, queued_at__lt=moment)

    def silent_since(self, moment: datetime) -> JobQuerySet:
        """Running jobs whose worker has not been heard of since then."""
        return self.filter(state=JobState.RUNNING, heartbeat_at__lt=moment)
