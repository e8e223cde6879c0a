"""Reads of voices and what they said."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models.functions import Coalesce, Left, Length

from voices.choices import VoiceState
from xttsproject.accounts.querysets import OwnedQuerySet
from xttsproject.jobs.choices import ACTIVE_STATES

if TYPE_CHECKING:
    # Named in strings below, where the linter does not look.
    from voices.models import (  # noqa: F401
        Candidate,
        DecodingSearch,
        LexiconEntry,
        QualityProfile,
        Synthesis,
        SynthesisSentence,
        Voice,
    )


_MOST_WORDS = 10
"""Of a search; what is asked for beyond them narrows nothing any more."""

EXCERPT = 300
"""Characters of a text that lists show."""


class _Entries(models.Func):
    """How many a JSON list has."""

    function = "JSON_ARRAY_LENGTH"
    output_field = models.IntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="JSONB_ARRAY_LENGTH", **context)


class VoiceQuerySet(OwnedQuerySet["Voice"]):
    def ready(self) -> VoiceQuerySet:
        return self.filter(state=VoiceState.READY)

    def for_display(self) -> VoiceQuerySet:
        """With what a list shows of each: speaker, owner, checkpoint and its run, and clip_count and clip_seconds."""
        return self.select_related("speaker", "owner", "checkpoint__run").annotate(
            clip_count=models.Count("clips"), clip_seconds=models.Sum("clips__seconds")
        )


class DecodingSearchQuerySet(OwnedQuerySet["DecodingSearch"]):
    """Whoever sees the voice sees what was looked for; whoever may change it may look."""

    owner_path = "voice__"

    def with_relations(self) -> DecodingSearchQuerySet:
        return self.select_related("voice__checkpoint__run", "asked_by", "job")


class CandidateQuerySet(OwnedQuerySet["Candidate"]):
    owner_path = "search__voice__"


class SynthesisQuerySet(models.QuerySet["Synthesis"]):
    """What somebody had spoken is theirs alone, whoever owns the voice."""

    def visible_to(self, user: Any) -> SynthesisQuerySet:
        if user.is_superuser:
            return self
        return self.filter(owner_id=user.pk)

    def editable_by(self, user: Any) -> SynthesisQuerySet:
        return self.visible_to(user)

    def owned_by(self, user: Any) -> SynthesisQuerySet:
        """One's own alone, for an administrator too."""
        return self.filter(owner_id=user.pk)

    def active(self) -> SynthesisQuerySet:
        """Waiting to be spoken, or being spoken."""
        return self.filter(state__in=ACTIVE_STATES)

    def awaiting(self, voice: Voice) -> SynthesisQuerySet:
        """Texts, whoever's, that a voice has yet to say something of: it began them, or is to say some of their
        sentences."""
        parts: Any = self.model._meta.get_field("parts").related_model
        unsaid = parts.objects.pending().said_by([voice]).filter(synthesis=models.OuterRef("pk"))
        begun = models.Q(state__in=ACTIVE_STATES, voice=voice)
        return self.filter(begun | models.Exists(unsaid))

    def with_excerpts(self) -> SynthesisQuerySet:
        """Without the texts, of which one may have hundreds of kilobytes: see ``Synthesis.excerpt``; and how many
        ``characters`` each has."""
        return self.defer("text").annotate(beginning=Left("text", EXCERPT), characters=Length("text"))

    def for_lists(self) -> SynthesisQuerySet:
        """Without anything that grows with a text: excerpts, and ``sentence_count`` and ``chapter_count`` in its
        place."""
        parts: Any = self.model._meta.get_field("parts").related_model
        counted = (
            parts.objects.filter(synthesis=models.OuterRef("pk"))
            .order_by()
            .values("synthesis")
            .annotate(number=models.Count("pk"))
            .values("number")
        )
        return (
            self.with_excerpts()
            .defer("text", "sentences", "chapters", "asked")
            .annotate(
                spoken_by_job=models.Case(models.When(asked={}, then=False), default=True),
                sentence_count=Coalesce(models.Subquery(counted), _Entries("sentences")),
                chapter_count=_Entries("chapters"),
            )
        )

    def search(self, wanted: str) -> SynthesisQuerySet:
        """Those whose text or voice has each of the words, in small or capital letters."""
        found = self
        # What no form can hold is in no text either; PostgreSQL would refuse to look for it.
        for word in wanted.replace("\x00", " ").split()[:_MOST_WORDS]:
            # SQLite's LIKE knows the small letters of ASCII only.
            lookup, sought = ("icontains", word) if word.isascii() else ("iregex", re.escape(word))
            found = found.filter(
                models.Q(**{f"text__{lookup}": sought}) | models.Q(**{f"voice_name__{lookup}": sought})
            )
        return found


class SentenceQuerySet(models.QuerySet["SynthesisSentence"]):
    """Whoever sees the speech sees its sentences."""

    def pending(self) -> SentenceQuerySet:
        """To be spoken, for the first time or again."""
        return self.filter(take__lt=models.F("wish"))

    def said_by(self, voices: Iterable[Any]) -> SentenceQuerySet:
        """That these voices say, or are to say."""
        wanted = list(voices)
        return self.filter(
            models.Q(next_voice__in=wanted) | models.Q(next_voice_name="", voice__in=wanted),
        )

    def spoken(self) -> SentenceQuerySet:
        """That have a sound, be it that of an earlier wish."""
        return self.filter(take__gt=0)


class QualityProfileQuerySet(OwnedQuerySet["QualityProfile"]):
    """The portal's own are seen by everybody and changed by nobody, not by an administrator either."""

    def editable_by(self, user: Any) -> QualityProfileQuerySet:
        return super().editable_by(user).filter(owner__isnull=False)

    def for_choice(self, user: Any) -> QualityProfileQuerySet:
        """What a person chooses from: the portal's, their own, the team's; an administrator's list is no longer."""
        return self.filter(models.Q(owner__isnull=True) | models.Q(owner_id=user.pk) | self._shared())


class LexiconQuerySet(OwnedQuerySet["LexiconEntry"]):
    """Entries are changed by their owner alone, whoever they are shared with."""

    def for_display(self, user: Any) -> LexiconQuerySet:
        """What a person's lexicon is: their own and the team's. An administrator finds the others in the admin."""
        return self.filter(models.Q(owner_id=user.pk) | self._shared()).select_related("owner")

    def owned_by(self, user: Any) -> LexiconQuerySet:
        """One's own alone, for an administrator too."""
        return self.filter(owner_id=user.pk)

    def for_speech(self, user: Any, language: str) -> LexiconQuerySet:
        """What changes a person's own speech, first what goes before: their own before the team's, those of the
        language before those of all. Other people's private ones are never among them, not for an administrator
        either.
        """
        own = models.Q(owner_id=user.pk)
        return (
            self.filter(own | self._shared(), language__in=(language, ""))
            .annotate(others=models.Case(models.When(own, then=0), default=1, output_field=models.IntegerField()))
            .order_by("others", "-language", "pk")
        )
