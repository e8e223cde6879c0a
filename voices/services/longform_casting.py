"""Who says a long text, when a voice that was to say it can no longer do so."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from voices.engine.planning import require_language
from voices.models import Synthesis, SynthesisSentence, Voice
from voices.querysets import SentenceQuerySet
from voices.services.longform_planning import cast_facts
from voices.services.speech import require_ready, voice_sampling
from xttsproject.lib.errors import DomainError


def speaker_trouble(*, synthesis: Synthesis, voice: Voice | None, name: str) -> DomainError | None:
    """Why a voice can no longer say its sentences of a planned text as it said the others: ``voice_gone`` or
    ``voice_outdated``; None where it can. ``name`` is what it was called."""
    if voice is None or not _visible(synthesis, voice):
        return DomainError(
            "voice_gone",
            f"The voice “{name}” that says this sentence was deleted or is no longer shared with you; "
            "choose another voice to say it.",
            field="voice",
        )
    facts = synthesis.asked["cast"].get(str(voice.pk))
    if facts is None or voice.model_key != facts["model_key"] or not (voice.folder / facts["conditioning"]).is_file():
        return DomainError(
            "voice_outdated",
            f"The voice “{voice.name}” no longer speaks as it did when this text was begun, because its model or what "
            "it has learnt was replaced; choose a voice to say the sentence, this one as it is now or another.",
            field="voice",
        )
    return None


def longform_recast(*, synthesis: Synthesis, voice: Voice) -> None:
    """Have ``voice`` say what is still to be said by voices that no longer can; what is spoken stays as it is.

    For a transaction that holds the row of ``synthesis``. Its values are those that were asked for, below them the
    voice's own, and are settled now. DomainErrors: those of ``require_ready``, ``voice_unknown`` for one that the
    text's owner does not see, ``model_mismatch`` for one of another model than the text was cut for,
    ``language_unsupported``, and ``voice_not_needed`` where all voices can go on.
    """
    _require_able(synthesis, voice)
    before = synthesis.voice
    lost = before is None or not _visible(synthesis, before)
    rows = _silent(synthesis) if synthesis.is_planned else SynthesisSentence.objects.none()
    languages = _languages(rows)
    # What is not cut into sentences yet begins with the voice that was asked for.
    if not languages and (synthesis.is_planned or not lost):
        raise DomainError(
            "voice_not_needed",
            "Every voice of this text can still say its sentences; go on without another one.",
            field="voice",
        )
    for language in languages:
        require_language(voice.bundle_path, language)
    if lost:
        seed = synthesis.sampling["seed"]
        wanted = voice_sampling(voice=voice, given={**synthesis.asked["sampling"], "seed": seed})
        synthesis.voice, synthesis.sampling = voice, asdict(wanted)
        if not synthesis.parts.spoken().exists():
            spoke = voice.spoke
            synthesis.voice_name, synthesis.bundle, synthesis.checkpoint_name = (
                spoke.voice,
                spoke.bundle,
                spoke.checkpoint,
            )
    if synthesis.is_planned:
        silent = synthesis.parts.filter(pk__in=list(rows.values_list("pk", flat=True)))
        silent.update(next_voice=voice, next_voice_name=voice.name)
        # What has a sound belongs to whoever said it, until there is another.
        silent.filter(take=0).update(voice=voice, voice_name=voice.name)
        _cast(synthesis, voice)
        longform_uncast(synthesis=synthesis)
    synthesis.save(update_fields=["voice", "voice_name", "bundle", "checkpoint_name", "sampling", "asked"])


def longform_give(*, sentence: SynthesisSentence, synthesis: Synthesis, voice: Voice) -> None:
    """Have ``voice`` say one sentence from its next take on, with the values that were asked for, below them its own.

    For a transaction that holds the row of ``synthesis``. DomainErrors: those of ``longform_recast`` but the last.
    """
    _require_able(synthesis, voice)
    require_language(voice.bundle_path, sentence.language)
    SynthesisSentence.objects.filter(pk=sentence.pk).update(next_voice=voice, next_voice_name=voice.name)
    facts = synthesis.asked["cast"].get(str(voice.pk))
    able = speaker_trouble(synthesis=synthesis, voice=voice, name=voice.name) is None
    if not able or facts is None or sentence.language not in facts["paces"]:
        _cast(synthesis, voice)
        synthesis.save(update_fields=["asked"])


def longform_uncast(*, synthesis: Synthesis) -> None:
    """Forget those who neither have said anything that is there nor are to say anything. Saves nothing."""
    spoke = set(synthesis.parts.order_by().values_list("voice_name", flat=True).distinct())
    to_speak = {str(key) for key in synthesis.parts.order_by().values_list("next_voice", flat=True).distinct()}
    cast = synthesis.asked["cast"].items()
    kept = {key: facts for key, facts in cast if key in to_speak or facts["name"] in spoke}
    synthesis.asked = {**synthesis.asked, "cast": kept}


def _cast(synthesis: Synthesis, voice: Voice) -> None:
    """With what it says whatever it has to say, as it is now. Saves nothing."""
    languages = _languages(synthesis.parts.said_by([voice]))
    facts = cast_facts(synthesis=synthesis, speaker=voice, languages=languages)
    synthesis.asked = {**synthesis.asked, "cast": {**synthesis.asked["cast"], str(voice.pk): facts}}


def _require_able(synthesis: Synthesis, voice: Voice) -> None:
    if not _visible(synthesis, voice):
        raise DomainError(
            "voice_unknown", f"The voice “{voice.name}” is not shared with the text's owner.", field="voice"
        )
    require_ready(voice)
    if synthesis.is_planned and voice.bundle != synthesis.bundle:
        raise DomainError(
            "model_mismatch",
            f"The text was begun with the model {synthesis.bundle}, but “{voice.name}” speaks with {voice.bundle}; "
            f"choose a voice of {synthesis.bundle}, or have the text spoken anew.",
            field="voice",
        )


def _silent(synthesis: Synthesis) -> SentenceQuerySet:
    """What is to be spoken by voices that no longer can."""
    pending = synthesis.parts.pending()
    speakers = Voice.objects.in_bulk([UUID(key) for key in synthesis.asked["cast"]])
    able = [
        key for key, voice in speakers.items() if not speaker_trouble(synthesis=synthesis, voice=voice, name=voice.name)
    ]
    return pending.exclude(pk__in=pending.said_by(able).values("pk"))


def _languages(rows: SentenceQuerySet) -> list[str]:
    return sorted(set(rows.order_by().values_list("language", flat=True)))


def _visible(synthesis: Synthesis, voice: Voice) -> bool:
    return Voice.objects.visible_to(synthesis.owner).filter(pk=voice.pk).exists()
