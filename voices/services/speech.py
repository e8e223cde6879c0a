"""Speaking a text with a voice, and keeping what was said."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction

from datasets.services.following import stop_jobs
from voices.choices import Channel, VoiceState
from voices.engine.guarding import Guardian
from voices.engine.requests import ModelChoice, Piece, SpeechRequest
from voices.engine.tags import tag_wav
from voices.engine.tickets import Ticket
from voices.models import Synthesis, Voice
from voices.services.converting import converted_forget
from voices.services.guarding import guardian_for, sentences_told
from voices.services.output import synthesis_tags
from voices.services.pace import speech_turn_note
from voices.services.runtime import speech_owner
from voices.services.scripts import SpeechPlan, script_plan
from voices.services.wishes import Wish
from xttsproject import storage
from xttsproject.lib.audio import write_wav
from xttsproject.lib.disk import require_free, room_for
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path
from xttsproject.xtts.guard.retries import Mode
from xttsproject.xtts.joining import piece_seed
from xttsproject.xtts.types import Pauses, Sampling, Speech

# The full-size model speaks two to three times slower than real time on a small CPU, and others may be ahead.
TIMEOUT_SECONDS = 1800.0

_WHAT = "What is spoken"

SAMPLING_FIELDS = tuple(field.name for field in fields(Sampling))


def speech_make(*, wish: Wish, gone: Callable[[], bool] | None = None) -> Synthesis:
    """Speak through this process's engine what is wished for, and store it. Blocks until it is spoken.

    ``gone`` says whether the client has hung up; then the work stops and ``Cancelled`` is raised. DomainErrors:
    ``text_empty``, ``text_too_long``, ``text_unspeakable``, ``language_unsupported``, ``sampling_invalid``,
    ``guard_invalid``, ``guard_deaf``, ``voice_not_ready``, ``voice_failed``, ``voice_outdated``, ``busy``,
    ``speech_timeout``, and the engine's own.
    """
    asked = speech_ask(wish=wish)
    speech = asked.ticket.wait(TIMEOUT_SECONDS, gone)
    assert speech is not None
    return speech_keep(asked=asked, speech=speech)


@dataclass(frozen=True)
class Asked:
    """A speech that is on its way, and what will be kept of it.

    ``started`` is by the monotonic clock, ``ahead`` how many requests waited or were spoken then.
    """

    id: UUID
    user: Any
    voice: Voice
    text: str
    plan: SpeechPlan
    sampling: Sampling
    channel: Channel
    ticket: Ticket
    started: float
    ahead: int
    guardian: Guardian | None = None
    profile_name: str = ""


def speech_ask(*, wish: Wish, streamed: bool = False, settled: bool = False) -> Asked:
    """Check what :func:`speech_make` is given, and put it into the line of this process's engine.

    What is ``streamed`` comes while it is spoken, or with ``settled`` sentence by sentence, each once its guard has
    judged it; where nothing is guarded there is nothing to wait for.
    """
    user, voice, field = wish.user, wish.voice, wish.text_field
    text = checked_text(wish.text, field)
    plan = script_plan(user=user, voice=voice, text=text, language=wish.language, pauses=wish.pauses, field=field)
    wanted = voice_sampling(voice=voice, given=wish.sampling)
    guardian = guardian_for(plan=plan, voice=voice, given=wish.guard, profile=wish.profile)
    for speaker in (voice, *plan.voices):
        require_ready(speaker)
    rivals = guardian.rivals if guardian is not None and guardian.chooses else None
    # Before anything is spoken that could not be kept.
    require_free(Path(settings.MEDIA_ROOT), 0, _WHAT)
    asked = request_of(plan, voice, wanted, wish.sampling)
    request = replace(asked, judge=guardian, rivals=rivals, settled=settled and guardian is not None)
    started, status = time.monotonic(), speech_owner().status()
    ticket = speech_owner().submit(request, asker=str(user.pk), streamed=streamed)
    ahead = status.waiting + status.speaking
    return Asked(
        uuid4(), user, voice, text, plan, wanted, wish.channel, ticket, started, ahead, guardian, wish.profile_name
    )


def request_of(plan: SpeechPlan, voice: Voice, wanted: Sampling, given: Mapping[str, Any]) -> SpeechRequest:
    """A plan as the engine takes it.

    ``wanted`` is how ``voice``, the one asked for, speaks; other voices have their own defaults below ``given``. All
    seeds follow from the one of ``wanted``.
    """
    assert wanted.seed is not None
    pieces = []
    for place, part in enumerate(plan.parts):
        sampling = wanted if part.voice.pk == voice.pk else voice_sampling(voice=part.voice, given=given)
        pieces.append(
            Piece(
                model=ModelChoice(part.voice.bundle_path, part.voice.adapter_path),
                model_key=part.voice.model_key,
                conditioning=part.voice.conditioning_path,
                text=part.spoken,
                language=part.language,
                sampling=replace(sampling, seed=piece_seed(wanted.seed, place)),
                before=part.pause,
                pause=plan.pauses.sentence,
            )
        )
    return SpeechRequest(tuple(pieces), plan.pause_after)


def synthesis_delete(*, synthesis: Synthesis) -> None:
    """Delete a synthesis and its sound; one that is still being spoken is stopped."""
    stop_jobs(subject=synthesis)
    path, folder, key = synthesis.audio_path, synthesis.folder, synthesis.pk

    def remove() -> None:
        path.unlink(missing_ok=True)
        storage.remove_tree(folder)
        converted_forget(synthesis_id=key)

    with transaction.atomic():
        synthesis.delete()
        transaction.on_commit(remove)


def synthesis_pin(*, synthesis: Synthesis, pinned: bool) -> None:
    """Keep it whatever its age and size, or no longer."""
    synthesis.pinned = pinned
    synthesis.save(update_fields=["pinned"])


def require_ready(voice: Voice) -> None:
    """DomainError ``voice_not_ready`` or ``voice_failed`` that says why the voice cannot speak."""
    if voice.state == VoiceState.FAILED:
        raise DomainError(
            "voice_failed",
            f"The voice “{voice.name}” cannot speak, because preparing it failed: {voice.error}",
            field="voice",
        )
    if voice.state != VoiceState.READY:
        raise DomainError(
            "voice_not_ready",
            f"The voice “{voice.name}” is still being prepared; try again when its page says that it is ready.",
            permanent=False,
            field="voice",
        )
    if not voice.conditioning_path.is_file():
        raise DomainError(
            "voice_outdated",
            f"What the voice “{voice.name}” has learnt from its clips is missing on disk; "
            "prepare it again on its page.",
            field="voice",
        )


def checked_text(text: str, field: str, *, limit: int | None = None) -> str:
    """The text without white space around it; DomainError ``text_empty``, or ``text_too_long`` for one that is longer
    than ``limit`` characters (None: those of a text that is spoken at once)."""
    text = text.strip()
    if not text:
        raise DomainError("text_empty", "There is no text to speak; write some.", field=field)
    limit = limit or settings.SPEECH_MAX_CHARACTERS
    if len(text) > limit:
        raise DomainError(
            "text_too_long",
            f"The text has {len(text)} characters, but {limit} are the limit of one request; shorten or split it.",
            field=field,
        )
    return text


def voice_sampling(*, voice: Voice, given: Mapping[str, Any]) -> Sampling:
    """How a voice speaks: the values of the voice, its profile's below its own, overridden by what was given."""
    values = {name: value for name, value in voice.values.items() if name in SAMPLING_FIELDS}
    values.update({name: value for name, value in given.items() if name in SAMPLING_FIELDS and value is not None})
    # Drawn here rather than by the engine: nine digits can be read out, typed, and pass through JavaScript unharmed.
    values.setdefault("seed", secrets.randbelow(1_000_000_000))
    return Sampling(**values)


def speech_keep(*, asked: Asked, speech: Speech) -> Synthesis:
    """Store what has been spoken: its row and its sound, or neither. DomainError ``disk_full``."""
    plan, elapsed = asked.plan, time.monotonic() - asked.started
    speech_turn_note(elapsed=elapsed, ahead=asked.ahead)
    synthesis = Synthesis(
        id=asked.id,
        owner=asked.user,
        # Asked anew: the voice may have been deleted while it spoke.
        voice=Voice.objects.filter(pk=asked.voice.pk).first(),
        voice_name=asked.voice.name,
        bundle=asked.voice.bundle,
        checkpoint_name=asked.voice.spoke.checkpoint,
        text=asked.text,
        language=plan.parts[0].language,
        profile_name=asked.profile_name,
        # With the seed that was drawn, and all else that it takes to ask for the same speech again.
        sampling={**asdict(asked.sampling), "seed": speech.seed, **_guarded(asked.guardian), **_paused(plan.pauses)},
        sentences=[
            {
                **sentence,
                **asdict(plan.parts[sentence["piece"]].voice.spoke),
                "language": plan.parts[sentence["piece"]].language,
            }
            for sentence in sentences_told(guardian=asked.guardian, sentences=speech.sentences, seed=speech.seed)
        ],
        seconds=speech.audio.seconds,
        elapsed=elapsed,
        channel=asked.channel,
    )
    path = synthesis.audio_path
    try:
        with room_for(path, 2 * len(speech.audio.samples), _WHAT), atomic_path(path) as temporary:
            write_wav(temporary, speech.audio)
            tag_wav(temporary, synthesis_tags(synthesis=synthesis))
        synthesis.save(force_insert=True)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return synthesis


def _guarded(guardian: Guardian | None) -> dict[str, Any]:
    """How its sentences were guarded, as a request says it."""
    if guardian is None:
        return {"guard": Mode.OFF.value}
    chosen = guardian.settings
    candidates = {"candidates": chosen.candidates} if chosen.mode == Mode.CAREFUL else {}
    return {"guard": chosen.mode.value, "max_retries": chosen.max_retries, **candidates}


def _paused(pauses: Pauses) -> dict[str, float]:
    return {"sentence_pause": pauses.sentence, "paragraph_pause": pauses.paragraph}
