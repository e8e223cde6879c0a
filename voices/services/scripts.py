"""What of a script will be spoken: whose voice says which words in which language, after how long a pause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from voices.models import LexiconEntry, Voice
from voices.services.lookup import voice_find
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress, Silent
from xttsproject.xtts.detection import detect
from xttsproject.xtts.languages import LANGUAGES, validate_language
from xttsproject.xtts.lexicon import Stretch, Word, apply, spoken_text
from xttsproject.xtts.normaliser import normalise
from xttsproject.xtts.script import AUTO, Passage, parse
from xttsproject.xtts.text import is_speakable
from xttsproject.xtts.types import Pauses

MOST_VOICES = 8
"""Different voices in one script: each may need a model of its own in memory."""


@dataclass(frozen=True)
class Part:
    """A passage with everything settled.

    ``stretches`` are the text as typed, cut where words of the lexicon stand; ``spoken`` is what the model is given.
    ``pause`` is the silence before it in seconds; ``detected`` says that the language was told from the text.
    """

    voice: Voice
    language: str
    detected: bool
    stretches: tuple[Stretch, ...]
    spoken: str
    pause: float
    paragraph: int
    chapter: int = 0

    @property
    def language_name(self) -> str:
        return LANGUAGES[self.language].name

    @property
    def has_hits(self) -> bool:
        """Whether the lexicon has changed anything."""
        return any(stretch.spoken is not None for stretch in self.stretches)


@dataclass(frozen=True)
class SpeechPlan:
    """Parts in order, the silence after the last, the seconds between a part's sentences, and titles of chapters."""

    parts: tuple[Part, ...]
    pause_after: float
    pauses: Pauses
    chapters: tuple[str, ...] = ()

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
    progress: Progress | None = None,
) -> SpeechPlan:
    """Settle who says what of ``text``, for a person who may use ``voice``.

    ``language`` is a code for the whole script, ``auto``, or empty for each voice's own; a ``[lang: …]`` goes before
    it. Where it is ``auto`` each paragraph's is told from its text, for a text too short to tell from the whole
    script's, and where that does not tell either it is the voice's own.
    DomainErrors: ``language_unsupported``; and with ``field`` those of :func:`xttsproject.xtts.script.parse`,
    ``voice_unknown``, ``voice_ambiguous`` and ``text_unspeakable``.
    """
    chosen, watcher = pauses or Pauses(), progress or Silent()
    language = known_language(language)
    script = parse(text, chosen, field=field)
    cast = _cast(user, script.passages, field)
    told = _Told(script.passages, language)
    lexicon = _Lexicon(user)
    parts: list[Part] = []
    held = 0.0
    for place, passage in enumerate(script.passages):
        watcher.check()
        watcher.report(place / len(script.passages), "reading the text")
        speaker = cast[passage.voice] if passage.voice else voice
        wanted = passage.language or language or speaker.language
        code = told.language(passage) or speaker.language if wanted == AUTO else wanted
        stretches = apply(passage.text, code, lexicon.words(code))
        # As in the frozen datasets: the model hears numbers and signs as the words they are spoken as.
        spoken = normalise(spoken_text(stretches), code)
        if not is_speakable(spoken):
            # Nothing is said for "* * *"; the silence around it stays.
            held += passage.pause or 0.0
            continue
        pause = chosen.sentence if passage.pause is None and parts else passage.pause or 0.0
        parts.append(
            Part(
                speaker,
                code,
                wanted == AUTO,
                tuple(stretches),
                spoken,
                pause + held,
                passage.paragraph,
                passage.chapter,
            )
        )
        held = 0.0
    if not parts:
        raise _unspeakable(field)
    return SpeechPlan(tuple(parts), script.pause_after + held, chosen, script.chapters)


def script_voices(*, user: Any, voice: Voice, text: str, language: str = "", field: str = "text") -> list[Voice]:
    """Who would speak a script, each once: what can be told of it at once, without settling what is said.

    Raises what :func:`script_plan` raises.
    """
    known_language(language)
    script = parse(text, field=field)
    cast = _cast(user, script.passages, field)
    if not any(is_speakable(passage.text) for passage in script.passages):
        raise _unspeakable(field)
    heard = [cast[passage.voice] if passage.voice else voice for passage in script.passages]
    return list({speaker.pk: speaker for speaker in heard}.values())


def known_language(language: str) -> str:
    """The code, "auto" or nothing, as a request may have it; DomainError ``language_unsupported``."""
    return language if language in ("", AUTO) else validate_language(language)


def _unspeakable(field: str) -> DomainError:
    return DomainError(
        "text_unspeakable",
        "The text has no letters, only signs for which nothing is said; write words.",
        field=field,
    )


def pauses_of(values: Mapping[str, Any]) -> Pauses:
    """Of a form's or serializer's ``sentence_pause`` and ``paragraph_pause``; the usual where nothing is given."""
    usual = Pauses()
    sentence, paragraph = values.get("sentence_pause"), values.get("paragraph_pause")
    return Pauses(usual.sentence if sentence is None else sentence, usual.paragraph if paragraph is None else paragraph)


class _Told:
    """The languages of what is left to be told from the text."""

    def __init__(self, passages: Sequence[Passage], language: str):
        self._texts: dict[tuple[int, str | None], str] = {}
        for passage in passages:
            if (passage.language or language) == AUTO:
                # A pause or a change of voice may stand within a sentence: more of it tells more.
                key = passage.paragraph, passage.voice
                self._texts[key] = f"{self._texts.get(key, '')} {passage.text}"
        self._found: dict[tuple[int, str | None], str | None] = {}

    def language(self, passage: Passage) -> str | None:
        key = passage.paragraph, passage.voice
        if key not in self._found:
            self._found[key] = detect(self._texts[key]) or self._of_all
        return self._found[key]

    @cached_property
    def _of_all(self) -> str | None:
        return detect(" ".join(self._texts.values()))


class _Lexicon:
    """A person's lexicon, read once for each language of a script."""

    def __init__(self, user: Any):
        self._user = user
        self._words: dict[str, list[Word]] = {}

    def words(self, language: str) -> list[Word]:
        if language not in self._words:
            entries = LexiconEntry.objects.for_speech(self._user, language)
            self._words[language] = [entry.word for entry in entries]
        return self._words[language]


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
