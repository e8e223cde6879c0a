"""What the queue calls for this app."""

from __future__ import annotations

from typing import Any, cast

from django.db import models

from voices.models import Voice
from voices.services import voice_prepare
from voices.services.voices import PREPARE
from xttsproject.jobs.choices import Queue
from xttsproject.jobs.context import JobContext
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import job_kind


def _ended(voice: models.Model, state: str, message: str) -> None:
    """Preparing failed or was cancelled: the voice says so."""
    job = Job.objects.about(voice).filter(kind=PREPARE).first()
    code = (job.error_code if job else "") or state
    cast(Voice, voice).mark_failed(code=code, message=message or "It was cancelled.")


@job_kind(PREPARE, queue=Queue.CPU, ended=_ended)
def prepare(context: JobContext) -> dict[str, Any] | None:
    voice = cast(Voice, context.subject())
    voice_prepare(voice=voice, progress=context)
    return {"voice": str(voice.pk)}
