"""Long texts: asked for at once, spoken by a job; cancelled, gone on with, and single sentences said anew."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, transaction

from voices.engine.planning import planned_sentences, require_readable
from voices.models import Synthesis, SynthesisSentence, Voice
from voices.services.guarding import guard_listener, guard_settings
from voices.services.longform_casting import longform_give, longform_recast, speaker_trouble
from voices.services.longform_sound import longform_lost
from voices.services.scripts import script_plan, script_voices
from voices.services.speech import checked_text, require_ready, voice_sampling
from voices.services.wishes import Wish
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_cancel, job_start
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.script import AUTO
from xttsproject.xtts.text import shorten
from xttsproject.xtts.types import LONGEST_SEED

KIND = "voices.longform"

_FEW = 5
"""Sentences that are spoken in seconds."""
_UNKNOWN_SECONDS = 60.0


def longform_create(*, wish: Wish) -> Synthesis:
    """Have what is wished for, a script of up to SPEECH_LONG_CHARACTERS, spoken by a job.

    Checked at once are its length and commands, the voices and the values; what is spoken how is settled by the job.
    DomainErrors: those of ``speech_make`` that need no model, and ``too_many_waiting``.
    """
    user, voice, field = wish.user, wish.voice, wish.text_field
    text = checked_text(wish.text, field, limit=settings.SPEECH_LONG_CHARACTERS)
    for speaker in (voice, *script_voices(user=user, voice=voice, text=text, language=wish.language, field=field)):
        require_ready(speaker)
    given = {name: value for name, value in wish.sampling.items() if value is not None}
    wanted = voice_sampling(voice=voice, given=given)
    guarded = guard_settings(voice=voice, given=wish.guard, profile=wish.profile)
    guard_listener(wanted=guarded)
    synthesis = Synthesis(
        owner=user,
        voice=voice,
        voice_name=voice.name,
        bundle=voice.bundle,
        checkpoint_name=voice.spoke.checkpoint,
        text=text,
        language=wish.language if wish.language not in ("", AUTO) else voice.language,
        sampling=asdict(wanted),
        profile_name=wish.profile_name,
        channel=wish.channel,
        state=JobState.QUEUED,
        asked={
            "language": wish.language,
            "sampling": given,
            "pauses": asdict(wish.pauses),
            "guard": asdict(guarded),
        },
    )
    with transaction.atomic():
        synthesis.save(force_insert=True)
        _start(synthesis)
    return synthesis


def longform_cancel(*, synthesis: Synthesis) -> None:
    """Stop speaking; what is spoken stays. DomainError ``speech_ended`` where nothing is under way."""
    job = Job.objects.about(synthesis).active().first()
    if job is None:
        raise DomainError("speech_ended", f"The speech is {_state(synthesis)}; there is nothing to cancel.")
    job_cancel(job=job)
    synthesis.refresh_from_db()


def longform_resume(*, synthesis: Synthesis, voice: Voice | None = None) -> None:
    """Go on where a failed or cancelled one was, or make good what a whole one has lost on the disk.

    With ``voice`` it says what is left to voices that can no longer say it. DomainErrors ``speech_not_resumable`` for
    any other, and those of ``longform_recast``.
    """
    lost = synthesis.state == JobState.SUCCEEDED and (synthesis.is_lost or bool(longform_lost(synthesis=synthesis)))
    if not lost and synthesis.state not in (JobState.FAILED, JobState.CANCELLED):
        raise DomainError(
            "speech_not_resumable",
            f"The speech is {_state(synthesis)}; only a failed or cancelled one, or one that has lost its sound, can "
            "be gone on with.",
        )
    with transaction.atomic():
        if voice is not None:
            longform_recast(synthesis=Synthesis.objects.select_for_update().get(pk=synthesis.pk), voice=voice)
            synthesis.refresh_from_db()
        synthesis.queue_again()
        _start(synthesis)


def longform_regenerate(
    *, sentence: SynthesisSentence, seed: int | None = None, text: str = "", voice: Voice | None = None
) -> int:
    """Have one sentence said anew, with ``seed`` or another than before, ``text`` instead of its own where given, and
    by ``voice`` instead of its own.

    Its sound stays until the new one is there; then the whole is joined anew. Returns the seed. DomainErrors
    ``seed_invalid``, ``voice_gone`` and ``voice_outdated`` where its voice can no longer say it as the others were
    said and no other is given, those of ``longform_give``, ``sentence_invalid`` for a text that is not one sentence,
    ``text_unspeakable``, ``model_missing``, and ``speech_finishing`` in the moment in which the last job ends.
    """
    synthesis = sentence.synthesis
    if seed is None:
        # Nine digits, as everywhere: to be read out, and through JavaScript unharmed.
        seed = secrets.randbelow(1_000_000_000)
    if not 0 <= seed <= LONGEST_SEED:
        raise DomainError("seed_invalid", f"The seed is {seed}, but must be from 0 to {LONGEST_SEED}.", field="seed")
    if voice is None:
        _require_speaker(sentence)
    spoken = _one_sentence(sentence, text, voice or sentence.speaker) if text.strip() else ""
    with transaction.atomic():
        # Whoever ends the speech holds the same row: either it sees this wish, or the end is seen here.
        locked = Synthesis.objects.select_for_update().get(pk=synthesis.pk)
        changed = {"next_seed": seed, "wish": models.F("wish") + 1}
        if spoken:
            changed["next_text"] = spoken
        if voice is not None:
            longform_give(sentence=sentence, synthesis=locked, voice=voice)
        SynthesisSentence.objects.filter(pk=sentence.pk).update(**changed)
        if not locked.is_active:
            if Job.objects.about(locked).active().exists():
                raise DomainError(
                    "speech_finishing", "The speech is just being finished; try again in a moment.", permanent=False
                )
            locked.queue_again()
            _start(locked)
    sentence.refresh_from_db()
    return seed


def longform_progress(*, synthesis: Synthesis) -> dict[str, Any]:
    """Sentences in all, ``spoken`` and ``pending`` (to be spoken, for the first time or anew), ``seconds`` of sound."""
    counted = synthesis.parts.aggregate(
        sentences=models.Count("pk"),
        spoken=models.Count("pk", filter=models.Q(take__gt=0)),
        pending=models.Count("pk", filter=models.Q(take__lt=models.F("wish"))),
        seconds=models.Sum("seconds"),
    )
    return {**counted, "seconds": counted["seconds"] or 0.0}


def longform_finish(*, synthesis: Synthesis) -> bool:
    """It has succeeded, unless a sentence was asked for anew meanwhile: then false, and there is more to do."""
    with transaction.atomic():
        locked = Synthesis.objects.select_for_update().get(pk=synthesis.pk)
        if locked.parts.pending().exists():
            return False
        locked.succeed()
        return True


def longform_ended(subject: models.Model, ending: Ending) -> None:
    """Its job has failed or was cancelled: the speech says so."""
    synthesis = Synthesis.objects.get(pk=subject.pk)
    if ending.cancelled:
        synthesis.mark_cancelled()
    else:
        synthesis.fail(code=ending.code or ending.state, message=ending.message)


def longform_may_retry(subject: models.Model, user: Any) -> None:
    """DomainError ``too_many_waiting`` where its owner has as many waiting as may be."""
    with transaction.atomic():
        _require_place(Synthesis.objects.get(pk=subject.pk))


def longform_turn_seconds(*, user: Any) -> float:
    """About how long until one of the person's waiting texts begins: until what is being spoken has ended or, of
    somebody else's, until its turn is over."""
    running = Job.objects.filter(kind=KIND, state=JobState.RUNNING).order_by("started_at")
    left = [
        job.remaining.total_seconds() if job.remaining else _UNKNOWN_SECONDS for job in running.filter(owner_id=user.pk)
    ]
    turn = 60.0 * settings.JOB_TURN_MINUTES
    left += [turn for _job in running.exclude(owner_id=user.pk)[:1]]
    return min(left, default=_UNKNOWN_SECONDS)


def _start(synthesis: Synthesis) -> Job:
    """In a transaction. What is spoken in seconds (a sentence said anew) does not wait behind books."""
    if not Job.objects.about(synthesis).active().exists():
        _require_place(synthesis)
    pending = synthesis.parts.pending()[: _FEW + 1].count()
    return job_start(
        kind=KIND,
        title=f"Speak “{shorten(synthesis.text)}”",
        owner=synthesis.owner,
        subject=synthesis,
        arguments={"short": synthesis.is_planned and pending <= _FEW},
    )


def _require_place(synthesis: Synthesis) -> None:
    """DomainError ``too_many_waiting``. In a transaction: of two requests at once the second counts the first's."""
    owner = get_user_model().objects.select_for_update().get(pk=synthesis.owner_id)
    waiting = Job.objects.filter(kind=KIND, owner=owner, state=JobState.QUEUED).count()
    if waiting >= settings.SPEECH_LONG_WAITING:
        raise DomainError(
            "too_many_waiting",
            f"{waiting} of your long texts are waiting to be spoken already, which is the limit for one person; "
            "try again when one of them has begun, or stop one.",
            permanent=False,
        )


def _state(synthesis: Synthesis) -> str:
    return str(synthesis.get_state_display()).lower()


def _require_speaker(sentence: SynthesisSentence) -> None:
    """Said before anything is begun: a job that fails would leave a speech that is whole as a failed one."""
    synthesis = Synthesis.objects.get(pk=sentence.synthesis_id)
    trouble = speaker_trouble(synthesis=synthesis, voice=sentence.speaker, name=sentence.speaker_name)
    if trouble is not None:
        raise trouble


def _one_sentence(sentence: SynthesisSentence, text: str, voice: Voice | None) -> str:
    """A text as the model is to be given it, if it is one sentence without commands."""
    assert voice is not None
    text = " ".join(checked_text(text, "text").split())
    plan = script_plan(user=sentence.synthesis.owner, voice=voice, text=text, language=sentence.language)
    part = plan.parts[0]
    if len(plan.parts) > 1 or part.voice.pk != voice.pk or part.language != sentence.language or plan.chapters:
        raise DomainError("sentence_invalid", "A sentence has no commands; write its words alone.", field="text")
    planned = planned_sentences(voice.bundle_path, part.spoken, part.language)
    if len(planned) > 1:
        raise DomainError(
            "sentence_invalid",
            f"The model would say that as {len(planned)} sentences, the first being “{shorten(planned[0].text)}”; "
            "give one sentence.",
            field="text",
        )
    require_readable(voice.bundle_path, planned[0].text, part.language)
    return planned[0].text
