"""How what was spoken, or is being spoken, is described."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from datasets.services.following import latest_job
from voices.api.fields import GuardSerializer, SamplingSerializer
from voices.api.serializers import ScriptSerializer
from voices.models import Synthesis, SynthesisSentence
from voices.querysets import EXCERPT
from voices.services.longform import longform_progress
from xttsproject.jobs.api.serializers import JobSerializer
from xttsproject.strict import StrictSerializer
from xttsproject.xtts.types import LONGEST_SEED

MOST_WARNINGS = 100
"""Of a long text: so many are told with it, and all of them with its sentences."""


class LongSpeechSerializer(ScriptSerializer, SamplingSerializer, GuardSerializer):
    """A text that a job is to speak."""


class ChapterSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(allow_blank=True, help_text="Empty for what is said before the first mark.")
    start = serializers.FloatField(help_text="Seconds.")
    end = serializers.FloatField(help_text="Seconds.")


class SpokenCueSerializer(serializers.Serializer[Any]):
    """A sentence and when it is heard."""

    text = serializers.CharField()
    start = serializers.FloatField(help_text="Seconds.")
    end = serializers.FloatField(help_text="Seconds.")
    voice = serializers.CharField(required=False)
    language = serializers.CharField(required=False)


class SubtitlesSerializer(serializers.Serializer[Any]):
    """Subtitles as JSON."""

    sentences = SpokenCueSerializer(many=True)
    chapters = ChapterSerializer(many=True)
    seconds = serializers.FloatField(help_text="How long the speech is.")


class SynthesisSerializer(serializers.ModelSerializer[Synthesis]):
    """What was spoken, as lists show it: how it begins, and how much of it there is. All of it is at its own address.

    A long text (`is_long`) is spoken by a job; its `audio` is null until its sentences are joined.
    """

    audio = serializers.SerializerMethodField(help_text="Null until it is whole.")
    text = serializers.CharField(source="excerpt", read_only=True, help_text=f"Its first {EXCERPT} characters.")
    characters = serializers.SerializerMethodField(help_text="Of the text.")
    sentence_count = serializers.SerializerMethodField(help_text="Of a long text 0 until it has been cut into them.")
    chapter_count = serializers.SerializerMethodField(help_text="Once it is whole.")
    is_long = serializers.BooleanField(read_only=True)

    class Meta:
        model = Synthesis
        fields: tuple[str, ...] = (
            "id",
            "state",
            "error_code",
            "error",
            "is_long",
            "voice",
            "voice_name",
            "bundle",
            "checkpoint_name",
            "text",
            "characters",
            "language",
            "profile_name",
            "sampling",
            "sentence_count",
            "chapter_count",
            "seconds",
            "elapsed",
            "channel",
            "pinned",
            "created_at",
            "audio",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_audio(self, synthesis: Synthesis) -> str | None:
        if not synthesis.has_whole:
            return None
        return reverse("synthesis-audio", args=(synthesis.pk,), request=self.context.get("request"))

    def get_characters(self, synthesis: Synthesis) -> int:
        return _counted(synthesis, "characters")

    def get_sentence_count(self, synthesis: Synthesis) -> int:
        return _counted(synthesis, "sentence_count")

    def get_chapter_count(self, synthesis: Synthesis) -> int:
        return _counted(synthesis, "chapter_count")


def _counted(synthesis: Synthesis, name: str) -> int:
    """By the database: see ``SynthesisQuerySet.for_lists``."""
    return int(getattr(synthesis, name))


class ProgressSerializer(serializers.Serializer[Any]):
    """How far a long text is."""

    sentences = serializers.IntegerField(help_text="In all; 0 until they are planned.")
    spoken = serializers.IntegerField(help_text="That have a sound.")
    pending = serializers.IntegerField(help_text="That are to be spoken, for the first time or anew.")
    seconds = serializers.FloatField(help_text="Of sound so far.")


class SynthesisDetailSerializer(SynthesisSerializer):
    """What was spoken or is being spoken: the text, the values it was drawn with, its sentences with their times in
    seconds. Those of a long text are at an address of their own; its job is told with it.
    """

    text = serializers.SerializerMethodField(  # type: ignore[assignment]
        help_text=f"All of it; with `text=false` in the address its first {EXCERPT} characters."
    )
    voices = serializers.ListField(
        source="voice_names", child=serializers.CharField(), read_only=True, help_text="Names of all who speak in it."
    )
    chapters = ChapterSerializer(many=True, read_only=True, help_text="Once it is whole.")
    warnings = serializers.SerializerMethodField(
        help_text=f"What the guard had to say of it, in words; of a long text the first {MOST_WARNINGS}."
    )
    progress = serializers.SerializerMethodField(help_text="Of a long text; null for what was spoken at once.")
    job = serializers.SerializerMethodField(help_text="The last job that speaks it, if you may see it.")
    so_far = serializers.SerializerMethodField(
        help_text="A long text's sound up to the first sentence that is not spoken yet."
    )

    class Meta(SynthesisSerializer.Meta):
        fields = (
            *SynthesisSerializer.Meta.fields,
            "voices",
            "sentences",
            "chapters",
            "warnings",
            "progress",
            "job",
            "so_far",
        )
        read_only_fields = fields

    def get_text(self, synthesis: Synthesis) -> str:
        return synthesis.excerpt if self.context.get("brief") else synthesis.text

    def get_characters(self, synthesis: Synthesis) -> int:
        # Counted by the database where the text was left there.
        known: int | None = getattr(synthesis, "characters", None)
        return len(synthesis.text) if known is None else known

    def get_sentence_count(self, synthesis: Synthesis) -> int:
        return synthesis.parts.count() if synthesis.is_long else len(synthesis.sentences)

    def get_chapter_count(self, synthesis: Synthesis) -> int:
        return len(synthesis.chapters)

    def get_warnings(self, synthesis: Synthesis) -> list[str]:
        return synthesis.warned(MOST_WARNINGS)

    @extend_schema_field(ProgressSerializer(allow_null=True))
    def get_progress(self, synthesis: Synthesis) -> dict[str, Any] | None:
        return longform_progress(synthesis=synthesis) if synthesis.is_long else None

    @extend_schema_field(JobSerializer(allow_null=True))
    def get_job(self, synthesis: Synthesis) -> Any:
        if not synthesis.is_long:
            return None
        job = latest_job(subject=synthesis, user=self.context["request"].user)
        return JobSerializer(job).data if job else None

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_so_far(self, synthesis: Synthesis) -> str | None:
        if not synthesis.is_long:
            return None
        return reverse("synthesis-so-far", args=(synthesis.pk,), request=self.context.get("request"))


class DetailQuerySerializer(serializers.Serializer[Any]):
    """How one of them is to be described."""

    text = serializers.BooleanField(
        default=True, help_text=f"`false`: only the text's first {EXCERPT} characters, as in lists."
    )


class SentenceSerializer(serializers.ModelSerializer[SynthesisSentence]):
    """A sentence of a long text. `attempts`, `faults` and `warnings` are the guard's."""

    audio = serializers.SerializerMethodField(help_text="Null until it is spoken.")
    end = serializers.FloatField(read_only=True, allow_null=True, help_text="Second of the whole, once joined.")
    is_pending = serializers.BooleanField(
        read_only=True, help_text="It is to be spoken, for the first time or anew; until then it keeps its sound."
    )
    faults = serializers.ListField(child=serializers.CharField(), read_only=True)
    warnings = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = SynthesisSentence
        fields = (
            "number",
            "chapter",
            "voice_name",
            "language",
            "text",
            "pause",
            "seed",
            "take",
            "is_pending",
            "seconds",
            "start",
            "end",
            "codes",
            "finished",
            "attempts",
            "faults",
            "warnings",
            "spoken_at",
            "audio",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_audio(self, sentence: SynthesisSentence) -> str | None:
        if not sentence.is_spoken:
            return None
        where = (sentence.synthesis_id, sentence.number)
        return reverse("synthesis-sentence-audio", args=where, request=self.context.get("request"))


class SynthesisUpdateSerializer(StrictSerializer):
    pinned = serializers.BooleanField(help_text="Keep it whatever its age and size.")


class ResumeSerializer(StrictSerializer):
    """How a long text is gone on with."""

    voice = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Id or name of a voice that says what is left to voices that were deleted, are no longer shared, or "
        "whose model was replaced; of the model that the text was begun with.",
    )


class RegenerateSerializer(StrictSerializer):
    """How a sentence is to be said anew."""

    seed = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=LONGEST_SEED,
        help_text="Left out, another one is drawn.",
    )
    text = serializers.CharField(
        required=False, allow_blank=True, help_text="What it is to say instead: one sentence, without commands."
    )
    voice = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Id or name of another voice that is to say it, of the model that the text was begun with.",
    )
