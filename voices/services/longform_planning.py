"""Into which sentences a long text is cut, and with which values its voices say them: settled once, by the job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from django.db import transaction

from voices.engine.planning import planned_sentences, require_language, require_readable
from voices.models import Synthesis, SynthesisSentence, Voice
from voices.services.guarding import voice_pace
from voices.services.scripts import Part, SpeechPlan, pauses_of, script_plan
from voices.services.speech import require_ready, voice_sampling
from xttsproject.lib.disk import require_free
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Part as Share
from xttsproject.lib.progress import Progress
from xttsproject.xtts.guard.pace import CODE_SECONDS, Pace
from xttsproject.xtts.joining import piece_seed
from xttsproject.xtts.types import LONGEST_SEED, SAMPLE_RATE

_AT_ONCE = 500
"""Rows that are written together."""
_BYTES_PER_SECOND = 2 * SAMPLE_RATE
_READING_SHARE = 0.6


def longform_plan(*, synthesis: Synthesis, progress: Progress) -> None:
    """Write down all sentences of a long text, and what every voice says them with.

    From here on nothing of it changes: neither the lexicon nor a voice's values nor what is learnt of its pace
    touches sentences that are still to be spoken, so that they sound the same whenever they are. May run twice; all is
    written or nothing. Raises what ``script_plan`` raises, and DomainErrors ``voice_gone``, ``text_unspeakable``,
    ``model_missing``, ``disk_full``.
    """
    voice, asked = synthesis.voice, synthesis.asked
    if voice is None or not Voice.objects.visible_to(synthesis.owner).filter(pk=voice.pk).exists():
        raise voice_gone(synthesis.voice_name)
    plan = script_plan(
        user=synthesis.owner,
        voice=voice,
        text=synthesis.text,
        language=asked["language"],
        pauses=pauses_of({f"{name}_pause": value for name, value in asked["pauses"].items()}),
        progress=Share(progress, 0.0, _READING_SHARE),
    )
    for speaker in plan.voices:
        require_ready(speaker)
    rows = list(_sentences(synthesis, plan, Share(progress, _READING_SHARE, 0.95)))
    cast = _cast(synthesis, plan)
    _require_room(synthesis, rows, cast)
    with transaction.atomic():
        SynthesisSentence.objects.filter(synthesis=synthesis).delete()
        SynthesisSentence.objects.bulk_create(rows, batch_size=_AT_ONCE)
        synthesis.asked = {**asked, "cast": cast, "pause_after": plan.pause_after, "chapters": list(plan.chapters)}
        synthesis.language = plan.parts[0].language
        synthesis.save(update_fields=["asked", "language"])


def voice_gone(name: str) -> DomainError:
    return DomainError(
        "voice_gone",
        f"The voice “{name}” was deleted or is no longer shared with you, so it cannot say the rest; "
        "what it has said stays. Go on with another voice.",
    )


def _sentences(synthesis: Synthesis, plan: SpeechPlan, progress: Progress) -> Iterator[SynthesisSentence]:
    """Seeds follow from the first one as in a speech that is spoken at once, so that the same text sounds the same."""
    seed, number = synthesis.sampling["seed"], 0
    for place, part in enumerate(plan.parts):
        progress.check()
        progress.report(place / len(plan.parts), "cutting it into sentences")
        require_language(part.voice.bundle_path, part.language)
        for index, sentence in enumerate(planned_sentences(part.voice.bundle_path, part.spoken, part.language)):
            require_readable(part.voice.bundle_path, sentence.text, part.language)
            number += 1
            yield SynthesisSentence(
                synthesis=synthesis,
                number=number,
                chapter=part.chapter,
                voice=part.voice,
                voice_name=part.voice.name,
                language=part.language,
                text=sentence.text,
                pause=plan.pauses.sentence if index else part.pause,
                seed=(piece_seed(seed, place) + index) % (LONGEST_SEED + 1),
            )


def cast_facts(*, synthesis: Synthesis, speaker: Voice, languages: Iterable[str]) -> dict[str, Any]:
    """With what a voice says its part of a text: latents, sampling without the seed, its pace in each language."""
    if synthesis.voice_id == speaker.pk:
        values = dict(synthesis.sampling)
    else:
        values = asdict(voice_sampling(voice=speaker, given=synthesis.asked["sampling"]))
    values.pop("seed")
    spoke = speaker.spoke
    return {
        "name": spoke.voice,
        "bundle": spoke.bundle,
        "checkpoint": spoke.checkpoint,
        "model_key": speaker.model_key,
        "conditioning": speaker.conditioning_path.name,
        "sampling": values,
        "paces": {code: asdict(voice_pace(voice=speaker, language=code)) for code in languages},
    }


def _cast(synthesis: Synthesis, plan: SpeechPlan) -> dict[str, Any]:
    """Of each voice by its key: see :func:`cast_facts`."""
    return {
        str(speaker.pk): cast_facts(synthesis=synthesis, speaker=speaker, languages=_spoken(plan.parts, speaker))
        for speaker in plan.voices
    }


def _spoken(parts: tuple[Part, ...], speaker: Voice) -> list[str]:
    return list(dict.fromkeys(part.language for part in parts if part.voice.pk == speaker.pk))


def _require_room(synthesis: Synthesis, rows: list[SynthesisSentence], cast: dict[str, Any]) -> None:
    """The sentences and the whole of them lie on the disk at the same time."""
    seconds = 0.0
    for row in rows:
        facts = cast[str(row.voice_id)]
        pace = Pace(**facts["paces"][row.language])
        seconds += row.pause + pace.expected(len(row.text)) * CODE_SECONDS / facts["sampling"]["speed"]
    what = f"Speech of about {seconds / 60:.0f} minutes"
    require_free(synthesis.folder, round(2 * seconds * _BYTES_PER_SECOND), what)
