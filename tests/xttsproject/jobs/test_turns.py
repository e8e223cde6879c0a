"""Where persons take turns, nobody's many jobs keep another's one waiting, and what is short goes first."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from xttsproject.jobs import registry
from xttsproject.jobs.choices import JobState, Queue
from xttsproject.jobs.context import JobContext, TurnOver
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import TURN, job_cancel, job_send, job_start
from xttsproject.jobs.tasks import run, turn

pytestmark = pytest.mark.django_db

Register = Callable[[registry.Handler], None]


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Register:
    monkeypatch.setattr(registry, "_kinds", dict(registry._kinds))

    def register(handler: registry.Handler) -> None:
        registry.job_kind("test.book", queue=Queue.SPEECH)(handler)

    return register


def book(owner: Any, title: str, **arguments: Any) -> Job:
    job = job_start(kind="test.book", title=title, owner=owner, arguments=arguments)
    job_send(job=job)
    job.refresh_from_db()
    return job


def test_persons_take_turns_and_the_page_says_so(kind, people, django_assert_max_num_queries):
    done: list[str] = []

    def speak(context: JobContext) -> None:
        done.append(context.job.title)

    kind(speak)
    jobs = [book(people.anna, f"anna {number}") for number in range(4)]
    jobs += [book(people.ben, "ben 0"), book(people.cora, "cora 0"), book(people.ben, "ben 1")]
    order = ["anna 0", "ben 0", "cora 0", "anna 1", "ben 1", "anna 2", "anna 3"]
    assert sorted(jobs, key=lambda job: job.queue_position or 0) == [
        next(job for job in jobs if job.title == title) for title in order
    ]
    with django_assert_max_num_queries(2):
        places = {job.title: job.queue_position for job in Job.objects.with_places().order_by("created_at")}
    assert sorted(places, key=lambda title: places[title] or 0) == order
    # Each message does the job whose turn it is, whichever job it was sent for.
    for job in jobs:
        assert turn(str(job.pk)) == JobState.SUCCEEDED
    assert done == order
    assert turn(str(jobs[0].pk)) == "not mine"


def test_whoever_has_one_running_comes_after_who_has_none(kind, people):
    done: list[str] = []
    kind(lambda context: done.append(context.job.title))
    running = book(people.anna, "anna 0")
    assert running.claim()
    Job.objects.filter(pk=running.pk).update(started_at=timezone.now() - timedelta(hours=5))
    before = book(people.ben, "ben 0")
    turn(str(before.pk))
    waiting = [book(people.anna, "anna 1"), book(people.ben, "ben 1")]
    for job in waiting:
        turn(str(job.pk))
    assert done == ["ben 0", "ben 1", "anna 1"]


def test_what_is_short_goes_before_what_takes_hours(kind, people):
    done: list[str] = []
    kind(lambda context: done.append(context.job.title))
    jobs = [book(people.ben, "ben"), book(people.anna, "anna"), book(people.anna, "a sentence", short=True)]
    assert jobs[2].queue_position == 1
    for job in jobs:
        turn(str(job.pk))
    assert done == ["a sentence", "ben", "anna"]


def test_a_job_gives_way_and_goes_on_before_its_owners_others(kind, people):
    done: list[str] = []

    def speak(context: JobContext) -> None:
        done.append(context.job.title)
        if done == ["anna 0"]:
            raise TurnOver

    kind(speak)
    jobs = [book(people.anna, "anna 0"), book(people.anna, "anna 1"), book(people.ben, "ben 0")]
    assert turn(str(jobs[0].pk)) == JobState.QUEUED
    jobs[0].refresh_from_db()
    assert (jobs[0].attempt, jobs[0].worker, jobs[0].elapsed) == (0, "", None)
    messages = [message.task["args"][0] for message in OrmQ.objects.order_by("id")]
    # It has another message, since one of its queue's was used up.
    assert messages.count(str(jobs[0].pk)) == 2
    assert {message.task["func"] for message in OrmQ.objects.all()} == {TURN}
    for key in messages[1:]:
        turn(key)
    assert done == ["anna 0", "ben 0", "anna 0", "anna 1"]
    jobs[0].refresh_from_db()
    assert (jobs[0].state, jobs[0].attempt) == (JobState.SUCCEEDED, 1)


def test_who_is_asked_to_stop_while_giving_way_stops(kind, people):
    def speak(context: JobContext) -> None:
        job_cancel(job=Job.objects.get(pk=context.job.pk))
        raise TurnOver

    kind(speak)
    assert run(str(book(people.anna, "anna").pk)) == JobState.CANCELLED


def test_a_turn_is_over_when_somebody_else_has_waited(kind, people, settings, monkeypatch):
    kind(lambda context: None)
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    settings.JOB_TURN_MINUTES = 10
    job = book(people.anna, "anna 0")
    assert job.claim()
    context = JobContext(job)

    def over(after: float) -> bool:
        clock[0] += after
        Job.objects.filter(state=JobState.QUEUED).update(queued_at=timezone.now() - timedelta(seconds=9))
        return context.turn_is_over()

    book(people.anna, "anna 1")
    assert not over(60)
    other = book(people.ben, "ben 0")
    assert not over(60)
    # One's own others wait for the end, another person's for the turn's.
    assert over(500)
    Job.objects.filter(pk=other.pk).delete()
    assert not over(500)
    context = JobContext(job)
    assert not over(60)
    sentence = book(people.anna, "a sentence", short=True)
    assert over(60)
    # What came this very moment may be taken by another worker.
    Job.objects.filter(pk=sentence.pk).update(queued_at=timezone.now())
    clock[0] += 10
    assert not context.turn_is_over()
