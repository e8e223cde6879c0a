"""Reads of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models.functions import Coalesce

from xttsproject.jobs.choices import ACTIVE_STATES, IN_TURN, JobState

if TYPE_CHECKING:
    from xttsproject.jobs.models import Job


class JobQuerySet(models.QuerySet["Job"]):
    _placed = False

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
        """For lists: counts the jobs ahead of each in the same query, for ``Job.queue_position``; where persons take
        turns, in one more for all of them."""
        ahead = (
            self.model._default_manager.filter(
                queue=models.OuterRef("queue"), state=JobState.QUEUED, queued_at__lt=models.OuterRef("queued_at")
            )
            .order_by()
            .values("queue")
            .annotate(number=models.Count("pk"))
            .values("number")
        )
        placed = self.annotate(jobs_ahead=Coalesce(models.Subquery(ahead), 0))
        placed._placed = True
        return placed

    def in_turn(self, queue: str) -> JobQuerySet:
        """What waits in a queue in which persons take turns, the next one first.

        What is short (``Job.is_short``) goes before all else. Then comes whoever has fewest jobs running, then whose
        last turn began longest ago; among one person's own, the first that came.
        """
        theirs = self.model._default_manager.filter(queue=queue, owner=models.OuterRef("owner"))
        running = theirs.filter(state=JobState.RUNNING).order_by().values("owner")
        return (
            self.filter(queue=queue, state=JobState.QUEUED)
            .annotate(
                long=models.Case(models.When(arguments__short=True, then=0), default=1),
                busy=Coalesce(models.Subquery(running.annotate(number=models.Count("pk")).values("number")), 0),
                served=models.Subquery(
                    theirs.order_by().values("owner").annotate(last=models.Max("started_at")).values("last")
                ),
            )
            .order_by("long", "busy", models.F("served").asc(nulls_first=True), "queued_at", "pk")
        )

    def places(self, queue: str) -> dict[Any, int]:
        """How many jobs are ahead of each that waits in such a queue, by key, if nothing happens meanwhile."""
        return {key: place for place, key in enumerate(self._turns(queue))}

    def _turns(self, queue: str) -> Iterator[Any]:
        theirs: dict[Any, list[Any]] = {}
        waiting: Any = self.in_turn(queue)
        for key, owner, long in waiting.values_list("pk", "owner", "long"):
            if long:
                theirs.setdefault(owner, []).append(key)
            else:
                yield key
        for rounds in zip_longest(*theirs.values()):
            yield from (key for key in rounds if key is not None)

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc]
        clone._placed = self._placed
        return clone

    def _fetch_all(self) -> None:
        fresh = self._result_cache is None
        super()._fetch_all()
        if not fresh or not self._placed:
            return
        for queue in IN_TURN:
            fetched: Any = self._result_cache or ()
            rows = [job for job in fetched if job.queue == queue and job.state == JobState.QUEUED]
            places = self.model._default_manager.places(queue) if rows else {}
            for job in rows:
                job.jobs_ahead = places.get(job.pk, 0)

    def ahead_of(self, job: Job) -> JobQuerySet:
        """Queued jobs of the same queue that come first."""
        return self.filter(queue=job.queue, state=JobState.QUEUED, queued_at__lt=job.queued_at)

    def unsent_since(self, moment: datetime) -> JobQuerySet:
        """Waiting jobs whose message never reached the broker."""
        return self.filter(state=JobState.QUEUED, sent_at=None, queued_at__lt=moment)

    def silent_since(self, moment: datetime) -> JobQuerySet:
        """Running jobs whose worker has not been heard of since then."""
        return self.filter(state=JobState.RUNNING, heartbeat_at__lt=moment)
