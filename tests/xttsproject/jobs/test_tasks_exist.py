"""A wrong dotted path would fail only in the worker, so every name is resolved here."""

from django.conf import settings
from django.utils.module_loading import import_string

from xttsproject.jobs.registry import all_kinds
from xttsproject.jobs.services import RUN, TURN


def test_the_task_that_runs_jobs_exists():
    assert callable(import_string(RUN))
    assert callable(import_string(TURN))


def test_every_kind_of_job_has_a_cluster_that_serves_its_queue():
    clusters = {settings.Q_CLUSTER["name"], *settings.Q_CLUSTER["ALT_CLUSTERS"]}
    kinds = all_kinds()
    assert kinds
    assert {kind.queue for kind in kinds} <= clusters


def test_a_message_is_not_handed_out_again_while_the_longest_job_may_still_run():
    for cluster in (settings.Q_CLUSTER, *settings.Q_CLUSTER["ALT_CLUSTERS"].values()):
        assert cluster["retry"] > cluster["timeout"]
    assert settings.Q_CLUSTER["max_attempts"] == 1
    assert settings.Q_CLUSTER["ack_failures"] is True
