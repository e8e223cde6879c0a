"""What the queue calls for this app."""

from __future__ import annotations

from typing import Any, cast

from django.db import models

from xttsproject.jobs.choices import Queue
from xttsproject.jobs.context import JobContext
from xttsproject.jobs.registry import Ending, housekeeping, job_kind
from xttsproject.library.models import ModelImport
from xttsproject.library.services.importing import (
    KIND,
    import_result,
    model_import_ended,
    model_import_may_retry,
    model_import_run,
)
from xttsproject.library.services.sweeping import models_sweep


def _ended(subject: models.Model, ending: Ending) -> None:
    model_import_ended(importing=cast(ModelImport, subject), ending=ending)


def _may_retry(subject: models.Model, user: Any) -> None:
    model_import_may_retry(importing=cast(ModelImport, subject), user=user)


@job_kind(KIND, queue=Queue.CPU, ended=_ended, may_retry=_may_retry)
def import_model(context: JobContext) -> dict[str, Any]:
    importing = cast(ModelImport, context.subject())
    model_import_run(importing=importing, progress=context)
    return import_result(importing=importing)


@housekeeping("models")
def sweep() -> int:
    return len(models_sweep())
