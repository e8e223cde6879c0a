"""What of a script will be spoken: whose voice says which words in which language, after how long a pause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voices.models import Voice
from voices.services.lookup import voice_find
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.languages import validate_language
from xttsproject.xtts.normaliser import normalise
from xttsproject.xtts.script import Passage, parse
from xttsproject.xtts.text import is_speakable
from xttsproject.xtts.types import Pauses

MOST_VOICES = 8
"""Different voices in one script: each may need a model of its own in memory."""


@dataclass(frozen=True)
class Part:
    """A passage with everything settled: ``written`` as typed, ``spoken`` as the model is given it.

    ``pause`` is the silence before it in seconds.
    """

    voice: Voice
    language: str
    written: str
    spoken: str
    pause: float
    paragraph: int


@dataclass(frozen=True)
class SpeechPlan:
    """Parts in order, the silence after the last, and the seconds between a part's sentences."""

    parts: tuple[Part, ...]
    pause_after: float
    pauses: Pauses

    @property
    def voices(self) -> list[Voice]:
        """Each voice once, in the order in which they first speak."""
        return list({part.voice.pk: part.voice for part in self.parts}.values())


def script_plan(
    *,
    user: Any,
    voice: Voice,
    text: str,
    language: str = "",
    pauses: Pauses | None = None,
    field: str = "text",
) -> SpeechPlan:
    """Settle who says what of ``text``, for a person who may use ``voice``.

    ``language`` is a code for the whole script, or empty for each voice's own; a ``[lang: …]`` goes before it.
    DomainErrors: ``language_unsupported``; and with ``field`` those of :func:`xttsproject.xtts.script.parse`,
    ``voice_unknown``, ``voice_ambiguous`` and ``text_unspeakable``.
    """
    chosen = pauses or Pauses()
    language = validate_language(language) if language else ""
    script = parse(text, chosen, field=field)
    cast = _cast(user, script.passages, field)
    parts: list[Part] = []
    held = 0.0
    for passage in script.passages:
        speaker = cast[passage.voice] if passage.voice else voice
        code = passage.language or language or speaker.language
        # As in the frozen datasets: the model hears numbers and signs as the words they are spoken as.
        spoken = normalise(passage.text, code)
        if not is_speakable(spoken):
            # Nothing is said for "* * *"; the silence around it stays.
            held += passage.pause or 0.0
            continue
        pause = chosen.sentence if passage.pause is None and parts else passage.pause or 0.0
        parts.append(Part(speaker, code, passage.text, spoken, pause + held, passage.paragraph))
        held = 0.0
    if not parts:
        raise DomainError(
            "text_unspeakable",
            "The text has no letters, only signs for which nothing is said; write words.",
            field=field,
        )
    return SpeechPlan(tuple(parts), script.pause_after + held, chosen)


def _cast(user: Any, passages: Sequence[Passage], field: str) -> dict[str, Voice]:
    """The voices that a script names, by how it names them."""
    names = list(dict.fromkeys(passage.voice for passage in passages if passage.voice))
    found: dict[str, Voice] = {}
    for name in names:
        found[name] = voice_find(user=user, given=name, field=field)
        if len({voice.pk for voice in found.values()}) > MOST_VOICES:
            raise DomainError(
                "script_invalid", f"The script has more than {MOST_VOICES} voices; divide it.", field=field
            )
    return found
