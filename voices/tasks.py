"""What the queue calls for this app."""

from __future__ import annotations

from typing import Any, cast

from django.db import models

from voices.engine.memory import give_back_memory
from voices.models import DecodingSearch, Synthesis, Voice
from voices.services import voice_prepare
from voices.services.converting import converted_prune
from voices.services.decoding import KIND as DECODING
from voices.services.decoding import decoding_ended, decoding_may_retry, decoding_run, decoding_sweep
from voices.services.idempotency import keys_forget
from voices.services.longform import KIND as LONGFORM
from voices.services.longform import longform_ended, longform_may_retry
from voices.services.longform_sound import takes_forget
from voices.services.longform_speaking import longform_run
from voices.services.pruning import speech_prune
from voices.services.voices import PREPARE
from xttsproject.jobs.choices import Queue
from xttsproject.jobs.context import JobContext, TurnOver
from xttsproject.jobs.registry import Ending, housekeeping, job_kind


def _ended(voice: models.Model, ending: Ending) -> None:
    """Preparing failed or was cancelled: the voice says so."""
    cast(Voice, voice).mark_failed(code=ending.code or ending.state, message=ending.message or "It was cancelled.")


@job_kind(PREPARE, queue=Queue.CPU, ended=_ended)
def prepare(context: JobContext) -> dict[str, Any] | None:
    voice = cast(Voice, context.subject())
    voice_prepare(voice=voice, progress=context)
    return {"voice": str(voice.pk)}


@job_kind(DECODING, queue=Queue.GPU, ended=decoding_ended, may_retry=decoding_may_retry)
def find_settings(context: JobContext) -> dict[str, Any] | None:
    search = cast(DecodingSearch, context.subject())
    best = decoding_run(search=search, progress=context)
    # This worker's next job may be a training run: another process, which needs the device's memory.
    give_back_memory()
    return {"voice": str(search.voice_id), "best": best}


# A book takes hours, in which a machine may be started anew several times; each worker goes on where the last one was.
@job_kind(LONGFORM, queue=Queue.SPEECH, ended=longform_ended, may_retry=longform_may_retry, max_attempts=10)
def speak_long(context: JobContext) -> dict[str, Any] | None:
    synthesis = cast(Synthesis, context.subject())
    if not longform_run(synthesis=synthesis, progress=context, turn_is_over=context.turn_is_over):
        raise TurnOver
    return {"synthesis": str(synthesis.pk)}


@housekeeping("speech")
def prune() -> int:
    """What is past its time or its room, other forms of it, sentences that were said anew since, and clients' keys
    after a day."""
    return speech_prune().count + converted_prune()[0] + takes_forget() + keys_forget()


@housekeeping("decoding")
def sweep_searches() -> int:
    """Sounds of searches that later ones have followed."""
    return decoding_sweep()
