"""A job's life: claimed once, followed, cancelled, retried, rescued."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from django_q.models import OrmQ

from xttsproject.jobs import registry
from xttsproject.jobs.choices import JobState, Queue
from xttsproject.jobs.models import Job, worker_name
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_cancel, job_retry, job_start, jobs_rescue, jobs_resend
from xttsproject.jobs.tasks import run
from xttsproject.lib.errors import DomainError

pytestmark = pytest.mark.django_db


@pytest.fixture
def kind(monkeypatch):
    """Registers a handler for jobs of kind "test.work" for the time of one test."""
    monkeypatch.setattr(registry, "_kinds", dict(registry._kinds))
    heard = []

    def register(handler, **options):
        registry.job_kind("test.work", queue=Queue.CPU, ended=lambda *args: heard.append(args), **options)(handler)
        return heard

    return register


def start(owner, **more):
    return job_start(kind="test.work", title="Some work", owner=owner, **more)


def test_a_job_runs_to_its_result(kind, people):
    kind(lambda context: {"clips": 3})
    job = start(people.anna)
    assert run(str(job.pk)) == JobState.SUCCEEDED
    job.refresh_from_db()
    assert (job.result, job.progress, job.attempt) == ({"clips": 3}, 1.0, 1)
    assert job.finished_at >= job.started_at


def test_a_second_delivery_does_nothing(kind, people):
    calls = []
    kind(lambda context: calls.append(1))
    job = start(people.anna)
    run(str(job.pk))
    assert run(str(job.pk)) == "not mine"
    assert calls == [1]


def test_a_job_that_ends_while_the_same_is_asked_for_is_started_anew(kind, people, monkeypatch):
    kind(lambda context: None)
    first = start(people.anna, subject=people.ben)
    assert start(people.anna, subject=people.ben) == first

    def after_its_end():
        Job.objects.filter(pk=first.pk).update(state=JobState.SUCCEEDED)
        return Job.objects.filter(state=JobState.RUNNING)

    monkeypatch.setattr(Job.objects, "active", after_its_end)
    second = start(people.anna, subject=people.ben)
    assert (second.state, second == first) == (JobState.QUEUED, False)


def test_a_claimed_job_cannot_be_claimed_by_another(kind, people):
    kind(lambda context: None)
    job = start(people.anna)
    assert Job.objects.get(pk=job.pk).claim()
    assert not Job.objects.get(pk=job.pk).claim()


def test_the_message_is_sent_when_the_transaction_commits_and_not_before(
    kind, people, django_capture_on_commit_callbacks
):
    kind(lambda context: None)
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        job = start(people.anna)
        assert OrmQ.objects.count() == 0
    message = OrmQ.objects.get()
    assert message.key == "cpu"
    assert message.task["args"] == (str(job.pk),)


def test_a_cause_that_a_user_understands_is_kept_with_its_code(kind, people):
    def fail(context):
        raise DomainError("no_speech", "There is no speech in it.")

    heard = kind(fail)
    job = start(people.anna, subject=people.anna)
    assert run(str(job.pk)) == JobState.FAILED
    job.refresh_from_db()
    assert (job.error_code, job.error, job.unexpected) == ("no_speech", "There is no speech in it.", False)
    assert heard == [(people.anna, Ending(JobState.FAILED, "no_speech", "There is no speech in it."))]


def test_an_unexpected_error_is_told_apart_and_hides_its_inside(kind, people, caplog):
    def fail(context):
        raise RuntimeError("secret detail")

    kind(fail)
    job = start(people.anna)
    run(str(job.pk))
    job.refresh_from_db()
    assert (job.state, job.error_code, job.unexpected) == ("failed", "unexpected", True)
    assert "secret detail" not in job.error
    assert "secret detail" in caplog.text


def test_work_that_runs_too_long_is_failed_and_the_exit_passed_on(kind, people):
    def too_long(context):
        raise SystemExit  # how django-q ends it

    kind(too_long)
    job = start(people.anna)
    with pytest.raises(SystemExit):
        run(str(job.pk))
    job.refresh_from_db()
    assert (job.state, job.error_code) == ("failed", "timeout")


def test_a_waiting_job_is_cancelled_at_once(kind, people):
    calls = []
    kind(lambda context: calls.append(1))
    job = start(people.anna)
    job_cancel(job=job)
    assert job.state == JobState.CANCELLED
    assert run(str(job.pk)) == "not mine"
    assert calls == []


def test_a_running_job_stops_at_its_next_check(kind, people):
    done = []

    def handler(context):
        done.append("before")
        job_cancel(job=Job.objects.get(pk=context.job.pk))
        context.check()
        done.append("after")

    kind(handler)
    job = start(people.anna)
    assert run(str(job.pk)) == JobState.CANCELLED
    assert done == ["before"]


def test_an_ended_job_cannot_be_cancelled(kind, people):
    kind(lambda context: None)
    job = start(people.anna)
    run(str(job.pk))
    job.refresh_from_db()
    with pytest.raises(DomainError, match="has already succeeded"):
        job_cancel(job=job)


def test_a_failed_job_is_tried_again_and_a_running_one_is_not(kind, people):
    outcomes = [DomainError("down", "The network was down.", permanent=False), None]

    def handler(context):
        if error := outcomes.pop(0):
            raise error
        return {}

    kind(handler)
    job = start(people.anna)
    run(str(job.pk))
    job.refresh_from_db()
    job_retry(job=job, user=people.anna)
    assert (job.state, job.error, job.progress) == (JobState.QUEUED, "", 0.0)
    with pytest.raises(DomainError, match="only a failed or cancelled job"):
        job_retry(job=job, user=people.anna)
    assert run(str(job.pk)) == JobState.SUCCEEDED


def test_asking_twice_for_the_same_work_gives_the_same_job(kind, people):
    kind(lambda context: None)
    first = start(people.anna, subject=people.anna)
    assert start(people.anna, subject=people.anna).pk == first.pk
    run(str(first.pk))
    assert start(people.anna, subject=people.anna).pk != first.pk


def test_the_owner_sees_the_place_in_the_queue(kind, people):
    kind(lambda context: None)
    jobs = [start(people.anna, subject=person) for person in (people.anna, people.ben, people.cora)]
    assert [job.queue_position for job in jobs] == [1, 2, 3]
    run(str(jobs[0].pk))
    assert jobs[2].queue_position == 2


def running(job, worker, silent=timedelta()):
    Job.objects.filter(pk=job.pk).update(
        state=JobState.RUNNING, worker=worker, heartbeat_at=timezone.now() - silent, attempt=1
    )


def test_a_job_of_a_dead_process_goes_back_to_the_queue(kind, people, dead_process):
    kind(lambda context: None)
    job = start(people.anna)
    host = worker_name().rpartition(":")[0]
    running(job, f"{host}:{dead_process}")
    assert jobs_rescue() == 1
    job.refresh_from_db()
    assert (job.state, job.worker) == (JobState.QUEUED, "")


def test_a_job_of_a_living_process_is_left_alone(kind, people):
    kind(lambda context: None)
    job = start(people.anna)
    running(job, worker_name())
    assert jobs_rescue() == 0


def test_a_job_of_another_machine_is_rescued_only_when_it_has_been_silent(kind, people, settings):
    kind(lambda context: None)
    job = start(people.anna)
    running(job, "elsewhere:1", timedelta(seconds=settings.JOB_LOST_SECONDS - 5))
    assert jobs_rescue() == 0
    running(job, "elsewhere:1", timedelta(seconds=settings.JOB_LOST_SECONDS + 5))
    assert jobs_rescue() == 1


def test_a_job_that_kills_its_workers_is_not_started_for_ever(kind, people, dead_process):
    heard = kind(lambda context: None, max_attempts=1)
    job = start(people.anna, subject=people.anna)
    running(job, f"{worker_name().rpartition(':')[0]}:{dead_process}")
    jobs_rescue()
    job.refresh_from_db()
    assert (job.state, job.error_code, job.unexpected) == ("failed", "worker_lost", True)
    assert (heard[0][1].state, heard[0][1].code) == ("failed", "worker_lost")


def test_a_worker_that_lost_its_job_cannot_finish_it(kind, people):
    def handler(context):
        running(context.job, "elsewhere:1")
        return {"from": "the wrong worker"}

    kind(handler)
    job = start(people.anna)
    run(str(job.pk))
    job.refresh_from_db()
    assert (job.state, job.worker, job.result) == ("running", "elsewhere:1", {})


def test_a_worker_that_stumbles_after_losing_its_job_does_not_fail_the_other_worker(kind, people):
    def handler(context):
        running(context.job, "elsewhere:1")
        raise DomainError("stumbled", "The first worker stumbled.")

    heard = kind(handler)
    job = start(people.anna, subject=people.anna)
    run(str(job.pk))
    job.refresh_from_db()
    assert (job.state, job.worker, job.error) == ("running", "elsewhere:1", "")
    assert heard == []


@pytest.mark.parametrize("ended", ["failed", "cancelled", "succeeded"])
def test_a_job_that_ended_between_the_look_and_the_rescue_stays_ended(kind, people, dead_process, ended):
    kind(lambda context: None)
    job = start(people.anna)
    running(job, f"{worker_name().rpartition(':')[0]}:{dead_process}")
    seen = Job.objects.get(pk=job.pk)
    Job.objects.filter(pk=job.pk).update(state=ended)
    assert not seen.take_back()
    assert Job.objects.get(pk=job.pk).state == ended


def test_a_job_that_another_worker_has_claimed_since_is_not_taken_from_it(kind, people, dead_process):
    kind(lambda context: None)
    job = start(people.anna)
    running(job, f"{worker_name().rpartition(':')[0]}:{dead_process}")
    seen = Job.objects.get(pk=job.pk)
    assert Job.objects.get(pk=job.pk).take_back()
    assert Job.objects.get(pk=job.pk).claim()
    assert not seen.take_back()
    assert Job.objects.get(pk=job.pk).worker == worker_name()


def test_a_lost_job_whose_cancel_was_asked_for_ends_cancelled(kind, people, dead_process):
    heard = kind(lambda context: None)
    job = start(people.anna, subject=people.anna)
    running(job, f"{worker_name().rpartition(':')[0]}:{dead_process}")
    job_cancel(job=job)
    jobs_rescue()
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert heard == [(people.anna, Ending(JobState.CANCELLED))]


def test_a_job_whose_message_never_reached_the_broker_is_sent_by_the_rescue(kind, people, settings):
    kind(lambda context: None)
    job = start(people.anna)
    assert jobs_rescue() == 0, "it may still be sent when its transaction commits"
    earlier = timezone.now() - timedelta(seconds=settings.JOB_LOST_SECONDS + 5)
    Job.objects.filter(pk=job.pk).update(queued_at=earlier)
    assert jobs_rescue() == 1
    assert OrmQ.objects.count() == 1
    assert jobs_rescue() == 0


def test_an_old_job_is_not_tried_again_beside_one_that_does_the_same_work(kind, people):
    def fail(context):
        raise DomainError("down", "The network was down.")

    kind(fail)
    first = start(people.anna, subject=people.anna)
    run(str(first.pk))
    first.refresh_from_db()
    second = start(people.anna, subject=people.anna)
    with pytest.raises(DomainError, match="already under way"):
        job_retry(job=first, user=people.anna)
    assert list(Job.objects.active()) == [second]


def test_the_kind_decides_who_may_try_again(kind, people):
    def fail(context):
        raise DomainError("down", "The network was down.")

    def only_ben(subject, user):
        if user != people.ben:
            raise DomainError("forbidden", "Only Ben may.")

    kind(fail, may_retry=only_ben)
    job = start(people.anna, subject=people.anna)
    run(str(job.pk))
    job.refresh_from_db()
    with pytest.raises(DomainError, match="Only Ben"):
        job_retry(job=job, user=people.anna)
    job_retry(job=job, user=people.ben)
    assert job.state == JobState.QUEUED


def test_a_list_of_waiting_jobs_knows_their_places_in_one_query(kind, people, django_assert_num_queries):
    kind(lambda context: None)
    for person in (people.anna, people.ben, people.cora):
        start(people.anna, subject=person)
    with django_assert_num_queries(1):
        places = [job.queue_position for job in Job.objects.order_by("queued_at").with_places()]
    assert places == [1, 2, 3]


def test_waiting_jobs_are_sent_again_when_their_cluster_starts(kind, people):
    kind(lambda context: None)
    start(people.anna)
    assert jobs_resend(queue="gpu") == 0
    assert jobs_resend(queue="cpu") == 1
    assert OrmQ.objects.count() == 1


@pytest.fixture
def dead_process():
    """The number of a process that existed and has ended."""
    import subprocess

    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid
