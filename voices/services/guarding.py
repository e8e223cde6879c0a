"""How a speech is guarded: by which settings, with which pace of its voices, and who listens."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

from datasets.models import DatasetVersion
from datasets.services.freezing import version_manifest
from datasets.services.transcribers import transcriber_bundle
from voices.engine.guarding import Guardian, Hear, Report
from voices.engine.profiles import GUARDING
from voices.models import QualityProfile, Synthesis, SynthesisSentence, Voice
from voices.services.listeners import KeptListener
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.guard.pace import CODE_SECONDS, KEPT, Pace, length_of, pace_of, ratio, remembered
from xttsproject.xtts.guard.retries import GuardSettings, Mode
from xttsproject.xtts.joining import piece_seed
from xttsproject.xtts.normaliser import normalise
from xttsproject.xtts.types import LONGEST_SEED

if TYPE_CHECKING:
    from voices.services.scripts import SpeechPlan
    from xttsproject.lib.audio import Audio
    from xttsproject.xtts.types import SpokenSentence

GUARD_FIELDS = GUARDING

_guards = KeptListener()
"""Not the one that writes down people's files: no sentence waits for half an hour of those."""

_LOOKED_AT = 50
"""Latest speeches of a voice from which its pace is known."""
_CLIP_SILENCE = 0.2
"""Seconds of silence around what a dataset's clip says."""


def guard_settings(*, voice: Voice, given: Mapping[str, Any], profile: QualityProfile | None = None) -> GuardSettings:
    """What was ``given`` (None and "" count as not given), below it what the ``profile`` sets that was asked for, then
    what the voice has of its own, then its profile. DomainError ``guard_invalid``."""
    values: dict[str, Any] = {
        **(voice.profile.guarding if voice.profile else {}),
        **({"guard": voice.guard} if voice.guard else {}),
        **(profile.guarding if profile else {}),
        **{name: given[name] for name in GUARD_FIELDS if given.get(name) not in (None, "")},
    }
    return GuardSettings(mode=values.pop("guard", Mode.FAST), **values)


def voice_guard(*, voice: Voice, guard: str) -> None:
    """How the voice's sentences are guarded from now on; empty: as its profile says. DomainError ``guard_invalid``."""
    voice.guard = GuardSettings(mode=guard).mode if guard else ""  # type: ignore[arg-type]
    voice.save(update_fields=["guard"])


def guardian_for(
    *, plan: SpeechPlan, voice: Voice, given: Mapping[str, Any], profile: QualityProfile | None = None
) -> Guardian | None:
    """Who judges the sentences of a plan; None where nobody is to. DomainErrors ``guard_invalid``, and
    ``guard_deaf`` where ``careful`` is asked for and no transcription model is installed that knows the language.
    """
    wanted = guard_settings(voice=voice, given=given, profile=profile)
    if wanted.mode == Mode.OFF:
        return None
    # Each once: a script may have hundreds of parts.
    speakers = {(part.voice.pk, part.language): part.voice for part in plan.parts}
    paces = {
        (speaker.conditioning_path, language): voice_pace(voice=speaker, language=language)
        for (_key, language), speaker in speakers.items()
    }
    return Guardian(wanted, paces, guard_listener(wanted=wanted))


def guard_listener(*, wanted: GuardSettings) -> Hear | None:
    """Who listens for these settings; None unless they are ``careful``. DomainError ``guard_deaf``."""
    return _listener() if wanted.mode == Mode.CAREFUL else None


def careful_missing() -> str:
    """Why no careful guard can listen here, for people who are about to choose one; empty where it can."""
    try:
        transcriber_bundle(settings.WHISPER_BUNDLE)
    except DomainError as error:
        return f"A careful guard needs a transcription model: {error.message}"
    return ""


def voice_pace(*, voice: Voice, language: str) -> Pace:
    """How fast a voice speaks a language: by what it has said, whoever asked for it, then by the clips that its
    checkpoint was trained on, then as the language is usually spoken.
    """
    said = _said(voice, language)
    version = voice.checkpoint.run.version if voice.checkpoint else None
    if version is not None and len(said) < KEPT and version.dataset.language == language:
        # Where its files have gone speech goes on without; the version's own page says what is wrong with it.
        with contextlib.suppress(DomainError):
            said = remembered(_clips(version.pk), said)
    return pace_of(language, said)


def sentences_told(
    *, guardian: Guardian | None, sentences: Sequence[SpokenSentence], seed: int
) -> list[dict[str, Any]]:
    """What a synthesis keeps of its sentences: texts and times, and of those that were judged the verdicts.

    ``seed`` is the speech's; that of each sentence's first attempt follows from it.
    """
    rows: list[dict[str, Any]] = []
    places: Counter[int] = Counter()
    for sentence in sentences:
        first = (piece_seed(seed, sentence.piece) + places[sentence.piece]) % (LONGEST_SEED + 1)
        places[sentence.piece] += 1
        rows.append({**asdict(sentence), **_verdict(guardian.report(first) if guardian else None)})
    return rows


def _verdict(report: Report | None) -> dict[str, Any]:
    if report is None:
        return {}
    return {
        "codes": report.codes,
        "finished": report.finished,
        "attempts": report.attempts,
        "faults": list(report.faults),
        "warnings": list(report.warnings),
        "codes_per_character": report.ratio,
    }


def _said(voice: Voice, language: str) -> list[float]:
    """Oldest first. What the guard complained of teaches nothing; nor does a sentence whose end it cut off, which has
    no fault any more, but the length that it was spoken with."""
    rows = (
        Synthesis.objects.filter(voice=voice, asked={})
        .order_by("-created_at")
        .values_list("created_at", "sentences")[:_LOOKED_AT]
    )
    said: list[tuple[datetime, float]] = [
        (made, float(sentence["codes_per_character"]))
        for made, sentences in rows
        for sentence in sentences
        if sentence.get("codes_per_character")
        and not sentence["faults"]
        and not sentence.get("warnings")
        and sentence.get("voice", voice.name) == voice.name
        and sentence.get("language", language) == language
    ]
    of_long = SynthesisSentence.objects.filter(
        voice=voice, language=language, faults=[], warnings=[], codes_per_character__gt=0
    )
    for when, per_character in of_long.order_by("-spoken_at").values_list("spoken_at", "codes_per_character")[:KEPT]:
        assert when is not None
        assert per_character is not None
        said.append((when, per_character))
    said.sort(key=lambda each: each[0])
    return [per_character for _when, per_character in said[-KEPT:]]


@lru_cache(maxsize=64)
def _clips(version_id: UUID) -> list[float]:
    """Codes per character of a frozen version's clips, which never changes. Raises what its manifest does, which is not
    kept: a disk that was away comes back."""
    version = DatasetVersion.objects.select_related("dataset").get(pk=version_id)
    found, language = [], version.dataset.language
    usual = pace_of(language, ())
    for row in version_manifest(version=version)[:KEPT]:
        length = length_of(normalise(str(row["text"]), language), usual.letter)
        if not usual.tells(length):
            continue
        found.append(ratio((float(row["seconds"]) - _CLIP_SILENCE) / CODE_SECONDS, length))
    return found


def _listener() -> Hear:
    name, missing = settings.WHISPER_BUNDLE, careful_missing()
    if missing:
        raise DomainError(
            "guard_deaf",
            f"{missing.rstrip('.')}. Until then ask with the guard “fast”, which goes before what voice and profile "
            "have.",
            field="guard",
        )

    bundle = transcriber_bundle(name)

    def hear(sound: Audio, language: str) -> str:
        # Loaded with the first sentence; it leaves memory when nothing has been listened to for a while.
        with _guards.get().turn(bundle.path) as transcriber:
            return transcriber.transcribe(sound, language.split("-")[0]).text

    return hear


def guard_listener_close() -> None:
    """Free the model that listens for careful guards; the next one loads it again."""
    _guards.close()
