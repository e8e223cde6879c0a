"""What a script comes to before it is spoken: its sentences, how near they are to the model's limits, how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voices.engine.planning import (
    PlannedSentence,
    planned_sentences,
    require_language,
    require_readable,
    unread_signs,
    usual_pace,
)
from voices.models import Synthesis, Voice
from voices.services.scripts import Part, SpeechPlan

_LOOKED_AT = 20
"""Latest speeches of a voice by which its pace is judged."""

_ENOUGH_CHARACTERS = 200


@dataclass(frozen=True)
class PreviewedPart:
    """A part with its sentences, and how many seconds it will about take, its pauses included.

    ``unread`` are signs that the model does not know and says nothing for, as in a word of another script.
    """

    part: Part
    sentences: tuple[PlannedSentence, ...]
    seconds: float
    unread: str = ""


@dataclass(frozen=True)
class Preview:
    """``seconds`` about, all pauses included."""

    parts: tuple[PreviewedPart, ...]
    pause_after: float
    seconds: float

    @property
    def sentence_count(self) -> int:
        return sum(len(previewed.sentences) for previewed in self.parts)


def script_preview(*, user: Any, plan: SpeechPlan, speed: float = 1.0) -> Preview:
    """What the model would refuse to speak is refused here, with the same words.

    DomainErrors: ``model_missing``, ``model_damaged``, ``language_unsupported``, and those of planning
    (``text_unspeakable``).
    """
    paces: dict[tuple[Any, str], float] = {}
    parts = []
    for part in plan.parts:
        bundle = part.voice.bundle_path
        require_language(bundle, part.language)
        sentences = tuple(planned_sentences(bundle, part.spoken, part.language))
        for sentence in sentences:
            require_readable(bundle, sentence.text, part.language)
        key = part.voice.pk, part.language
        if key not in paces:
            paces[key] = _pace(user, part.voice, part.language)
        spoken = sum(len(sentence.text) for sentence in sentences) * paces[key] / speed
        pauses = part.pause + plan.pauses.sentence * (len(sentences) - 1)
        parts.append(PreviewedPart(part, sentences, spoken + pauses, unread_signs(bundle, sentences, part.language)))
    return Preview(tuple(parts), plan.pause_after, sum(part.seconds for part in parts) + plan.pause_after)


def _pace(user: Any, voice: Voice, language: str) -> float:
    """Seconds a character, by what the person has had this voice say in the language; else a slow reader's."""
    characters, seconds = 0, 0.0
    for synthesis in Synthesis.objects.owned_by(user).filter(voice=voice, language=language)[:_LOOKED_AT]:
        speed = float(synthesis.sampling.get("speed") or 1.0)
        for sentence in synthesis.sentences:
            if sentence.get("voice", voice.name) == voice.name and sentence.get("finished"):
                characters += len(sentence["text"])
                seconds += (sentence["end"] - sentence["start"]) * speed
    return seconds / characters if characters >= _ENOUGH_CHARACTERS else usual_pace(language)
