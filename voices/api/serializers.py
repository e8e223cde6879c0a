from __future__ import annotations

import contextlib
from dataclasses import fields
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from datasets.api.serializers import VisiblePrimaryKeyField
from datasets.choices import LANGUAGE_CHOICES, ConsentKind
from datasets.models import Segment, Speaker
from datasets.services.following import latest_job
from training.models import Checkpoint
from voices.api.fields import (
    FormatField,
    GuardSerializer,
    PausesSerializer,
    SamplingSerializer,
    SoundSerializer,
    StreamFormatField,
)
from voices.choices import GuardMode
from voices.engine.preparing import LONGEST_SECONDS, LOUDNESS_LUFS, SHORTEST_SECONDS, Preparation
from voices.models import Voice, VoiceClip
from voices.services.guarding import GUARD_FIELDS
from voices.services.profiles import profile_sampling
from voices.services.speech import SAMPLING_FIELDS
from voices.services.studio import StudioVoice
from xttsproject.accounts.models import Visibility
from xttsproject.bundles.manifest import open_bundle
from xttsproject.lib.errors import DomainError
from xttsproject.strict import StrictSerializer


class VoiceSerializer(serializers.ModelSerializer[Voice]):
    """A voice. It speaks once its ``state`` is ``ready``."""

    owner = serializers.CharField(source="owner.username", read_only=True)
    speaker_name = serializers.CharField(source="speaker.name", read_only=True)
    checkpoint_epoch = serializers.IntegerField(
        source="checkpoint.epoch", read_only=True, allow_null=True, default=None
    )

    profile_name = serializers.CharField(source="profile.name", read_only=True, allow_null=True, default=None)
    # Said anew because it may be empty, which what is only read does not say by itself.
    guard = serializers.ChoiceField(choices=GuardMode.choices, allow_blank=True, read_only=True)

    class Meta:
        model = Voice
        fields = (
            "id",
            "name",
            "owner",
            "visibility",
            "speaker",
            "speaker_name",
            "checkpoint",
            "checkpoint_epoch",
            "bundle",
            "language",
            "profile",
            "profile_name",
            "guard",
            "defaults",
            "preparation",
            "studio",
            "state",
            "error_code",
            "error",
            "created_at",
        )
        read_only_fields = fields


class VoiceClipSerializer(serializers.ModelSerializer[VoiceClip]):
    audio = serializers.SerializerMethodField()

    class Meta:
        model = VoiceClip
        fields = ("index", "name", "seconds", "sha256", "quality", "audio")
        read_only_fields = fields

    def get_audio(self, clip: VoiceClip) -> str:
        return reverse("voice-clip", args=(clip.voice_id, clip.index), request=self.context.get("request"))


class VoiceDetailSerializer(VoiceSerializer):
    """A voice with its reference clips, the consent and the licence that it stands on, and the job that prepares it."""

    # Named as a speaker's own, which not everybody who may use the voice may see.
    consent_kind = serializers.ChoiceField(
        source="speaker.consent_kind", choices=ConsentKind.choices, read_only=True, help_text="Why it may be cloned."
    )
    consent_statement = serializers.CharField(
        source="speaker.consent_statement", read_only=True, help_text="Who agreed to what."
    )
    consent_evidence = serializers.CharField(
        source="speaker.consent_evidence", read_only=True, help_text="Where that can be read; may be empty."
    )
    licence = serializers.SerializerMethodField(
        help_text="Of the model that speaks, which binds what is spoken too; null where the model is not there."
    )
    clips = VoiceClipSerializer(many=True, read_only=True)
    job = serializers.SerializerMethodField(help_text="The job that prepares the voice, if you may see it.")

    class Meta(VoiceSerializer.Meta):
        fields: tuple[str, ...] = (  # type: ignore[assignment]
            *VoiceSerializer.Meta.fields,
            "consent_kind",
            "consent_statement",
            "consent_evidence",
            "licence",
            "clips",
            "job",
        )
        read_only_fields = fields  # type: ignore[assignment]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_licence(self, voice: Voice) -> str | None:
        with contextlib.suppress(DomainError):
            return open_bundle(voice.bundle_path).licence
        return None

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_job(self, voice: Voice) -> str | None:
        job = latest_job(subject=voice, user=self.context["request"].user)
        return str(job.pk) if job else None


class StudioVoiceSerializer(serializers.Serializer[StudioVoice]):
    """A voice that came with a model."""

    name = serializers.CharField()
    bundle = serializers.CharField()
    language = serializers.CharField(help_text="What it speaks unless another is asked for.")


class PreparationSerializer(StrictSerializer):
    """What is done to the sound of the clips before the model hears it; the clips themselves stay as they are."""

    trim = serializers.BooleanField(required=False, help_text="Shorten silence.")
    denoise = serializers.BooleanField(required=False, help_text="Lower steady noise.")
    loudness = serializers.BooleanField(required=False, help_text=f"Bring every clip to {LOUDNESS_LUFS:g} LUFS.")
    seconds = serializers.FloatField(
        required=False,
        help_text=f"{SHORTEST_SECONDS:g} to {LONGEST_SECONDS:g}: how much of the clips the model hears; left out: "
        f"{Preparation().seconds:g}.",
    )


class VoiceCreateSerializer(PreparationSerializer):
    """Reference clips are files (``clips``) or approved segments (``segments``).

    With a ``checkpoint`` and neither, the longest training clips of its dataset are taken, up to 30 seconds. Speaker
    and language follow from checkpoint or segments, and are needed where only files are given.
    """

    name = serializers.CharField(max_length=120)
    checkpoint = VisiblePrimaryKeyField(
        queryset=Checkpoint.objects.select_related("run__version__dataset__speaker"), required=False, allow_null=True
    )
    bundle = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=80,
        help_text="The XTTS model that speaks where no checkpoint does, see `/api/v1/models/`; left out: XTTS_BUNDLE.",
    )
    speaker = VisiblePrimaryKeyField(queryset=Speaker.objects.all(), required=False, allow_null=True)
    language = serializers.CharField(required=False, allow_blank=True, help_text="Code such as en, de or zh-cn.")
    clips = serializers.ListField(
        child=serializers.FileField(),
        required=False,
        help_text="1 to 20 files of any audio or video format, each of at most 200 MB and 2 minutes; 5 minutes in all.",
    )
    segments = VisiblePrimaryKeyField(
        queryset=Segment.objects.select_related("source__speaker"), many=True, required=False
    )
    studio = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=120,
        help_text="Name of a voice that came with the model: it needs a language, and neither speaker nor clips.",
    )
    visibility = serializers.ChoiceField(choices=Visibility.choices, default=Visibility.PRIVATE)


class VoiceUpdateSerializer(StrictSerializer):
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False)
    profile = serializers.CharField(
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="Id or name of the quality profile it speaks with from now on, instead of values of its own "
        "(`defaults`); empty: as its model does.",
    )
    guard = serializers.ChoiceField(
        choices=GuardMode.choices,
        required=False,
        allow_blank=True,
        help_text="How its sentences are guarded unless a request says otherwise; empty: as its profile has it.",
    )

    def validate(self, attrs: Any) -> Any:
        if not attrs:
            raise serializers.ValidationError("Give visibility, profile or guard.")
        return attrs


class ScriptSerializer(StrictSerializer, PausesSerializer):
    """A text with its pauses and voices."""

    voice = serializers.CharField(
        help_text="Id or name of the voice; or the name of one that came with a model, see `/api/v1/voices/studio/`."
    )
    text = serializers.CharField(
        allow_blank=True,
        help_text="Plain text. A blank line ends a paragraph; `[pause 700ms]` is silence; `[voice: name]` and "
        "`[lang: pt]` hold until the next, `[voice]` and `[lang]` go back to what was asked for.",
    )
    language = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Left out: the voice's own. `auto`: told from the text, by paragraph. Else one of "
        f"{', '.join(code for code, _name in LANGUAGE_CHOICES)}.",
    )


class SpeechPlanSerializer(ScriptSerializer):
    """A text that is to be looked at before it is spoken."""

    speed = serializers.FloatField(
        default=1.0, min_value=0.25, max_value=4.0, help_text="For the estimated length: 2 is twice as fast."
    )


class SpeechSerializer(ScriptSerializer, SamplingSerializer, SoundSerializer, GuardSerializer):
    """What is to be spoken."""

    format = FormatField(default="wav")
    stream = serializers.BooleanField(
        default=False,
        help_text="The sound comes while it is spoken, as with `stream_format` audio. A WAV's header then gives no "
        "length.",
    )
    stream_format = StreamFormatField()


class OutputSerializer(StrictSerializer, SoundSerializer):
    """How what was spoken is to come."""

    format = FormatField(default="wav")


def guard_of(validated: dict[str, Any]) -> dict[str, Any]:
    """How to guard the speech, among a serializer's validated data."""
    return {name: validated[name] for name in GUARD_FIELDS if name in validated}


def sampling_of(validated: dict[str, Any], user: Any) -> dict[str, Any]:
    """The sampling values among a serializer's validated data, below them those of the profile it names."""
    given = {name: validated[name] for name in SAMPLING_FIELDS if name in validated}
    return profile_sampling(user=user, profile=validated.get("profile"), given=given)


def preparation_of(validated: dict[str, Any]) -> Preparation:
    """Taken out of the validated data of a serializer that has a preparation's fields."""
    given = [field.name for field in fields(Preparation) if field.name in validated]
    return Preparation(**{name: validated.pop(name) for name in given})
