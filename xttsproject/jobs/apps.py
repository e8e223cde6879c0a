from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules


class JobsConfig(AppConfig):
    name = "xttsproject.jobs"
    label = "jobs"
    verbose_name = "Jobs"

    def ready(self) -> None:
        # Each app's tasks.py registers the kinds of job it can do.
        autodiscover_modules("tasks")
        post_migrate.connect(schedule_rescue, sender=self)


def schedule_rescue(**_: Any) -> None:
    """The queue itself looks every minute for jobs that lost their worker."""
    from django_q.models import Schedule

    Schedule.objects.update_or_create(
        name="Rescue lost jobs",
        defaults={
            "func": "xttsproject.jobs.tasks.rescue",
            "schedule_type": Schedule.MINUTES,
            "minutes": 1,
            "repeats": -1,
            "cluster": "cpu",
        },
    )
