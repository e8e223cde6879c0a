"""How recordings, segments and datasets look to programs."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from datasets.choices import LANGUAGE_OR_DETECT, ReviewStatus
from datasets.models import Dataset, DatasetVersion, Segment, SourceVideo, Speaker
from datasets.services.beside import segment_caption
from xttsproject.accounts.models import User, Visibility
from xttsproject.jobs.api.serializers import JobSerializer
from xttsproject.strict import StrictSerializer


class VisiblePrimaryKeyField(serializers.PrimaryKeyRelatedField):
    """Refers to a row that the person may see; another's private row is as unknown as one that does not exist."""

    def get_queryset(self) -> Any:
        queryset: Any = super().get_queryset()
        request = self.context.get("request")
        return queryset.visible_to(request.user) if request is not None and queryset is not None else queryset


class UsernameField(serializers.SlugRelatedField[User]):
    """A person by the name that they sign in with; read only."""

    def __init__(self, **kwargs: Any):
        super().__init__(slug_field="username", read_only=True, **kwargs)


class SpeakerSerializer(StrictSerializer, serializers.ModelSerializer[Speaker]):
    """Who is recorded, with the consent that allows cloning."""

    owner = UsernameField()
    consent_by = UsernameField()

    class Meta:
        model = Speaker
        fields = (
            "id",
            "name",
            "notes",
            "glossary",
            "consent_kind",
            "consent_statement",
            "consent_evidence",
            "consent_by",
            "consent_at",
            "visibility",
            "owner",
            "created_at",
        )
        read_only_fields = ("consent_at", "created_at")


class SpeakerUpdateSerializer(StrictSerializer):
    notes = serializers.CharField(required=False, allow_blank=True)
    glossary = serializers.CharField(required=False, allow_blank=True, help_text="Names that transcription expects.")
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False)


class NoticeSerializer(serializers.Serializer[Any]):
    """A stretch that was left out while cutting; without times it concerns the whole recording."""

    start = serializers.FloatField(allow_null=True, help_text="seconds")
    end = serializers.FloatField(allow_null=True, help_text="seconds")
    reason = serializers.CharField()


class CaptionsSerializer(serializers.Serializer[Any]):
    """A caption track of the source. ``file`` is empty where it could not be had, for the reason in ``problem``."""

    language = serializers.CharField(help_text="tag such as en or pt-BR; und where it is not known")
    automatic = serializers.BooleanField(help_text="a machine heard them")
    file = serializers.CharField()
    cues = serializers.IntegerField()
    problem = serializers.CharField()


class CueSerializer(serializers.Serializer[Any]):
    start = serializers.FloatField(help_text="seconds")
    end = serializers.FloatField(help_text="seconds")
    text = serializers.CharField()


class CaptionTrackSerializer(serializers.Serializer[Any]):
    """A caption track with its text."""

    language = serializers.CharField(help_text="tag such as en or pt-BR; und where it is not known")
    automatic = serializers.BooleanField(help_text="a machine heard them")
    cues = CueSerializer(many=True)


class RecordingSerializer(serializers.ModelSerializer[SourceVideo]):
    """A recording with how far it has come. ``job`` is the newest piece of work on it that you may see."""

    owner = UsernameField()
    notices = NoticeSerializer(many=True, read_only=True)
    captions = CaptionsSerializer(many=True, read_only=True)
    heard_language = serializers.DictField(
        read_only=True, help_text="What detection heard: {language, probability, clips}; empty if it was chosen."
    )
    segment_count = serializers.IntegerField(read_only=True)
    approved_count = serializers.IntegerField(read_only=True)
    pending_count = serializers.IntegerField(read_only=True)
    job = JobSerializer(read_only=True, allow_null=True)

    class Meta:
        model = SourceVideo
        fields = (
            "id",
            "title",
            "speaker",
            "language",
            "heard_language",
            "transcriber",
            "visibility",
            "owner",
            "origin",
            "url",
            "attribution",
            "captions",
            "duplicate_of",
            "original_name",
            "sha256",
            "bytes",
            "container",
            "audio_codec",
            "sample_rate",
            "channels",
            "has_video",
            "seconds",
            "notices",
            "cut_by_words_at",
            "state",
            "error_code",
            "error",
            "segment_count",
            "approved_count",
            "pending_count",
            "job",
            "created_at",
        )
        read_only_fields = fields


class RecordingCreateSerializer(StrictSerializer):
    """Either ``file`` (multipart) or ``url``."""

    file = serializers.FileField(required=False, allow_empty_file=True)
    url = serializers.CharField(required=False, max_length=2000)
    speaker = VisiblePrimaryKeyField(queryset=Speaker.objects.all())
    language = serializers.ChoiceField(
        choices=LANGUAGE_OR_DETECT, help_text="detect: the first transcription listens for it; until then it is und"
    )
    title = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")
    visibility = serializers.ChoiceField(choices=Visibility.choices, default=Visibility.PRIVATE)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("file" in attrs) == ("url" in attrs):
            raise serializers.ValidationError("Give either a file or a url, and not both.")
        return attrs


class LanguageSerializer(StrictSerializer):
    language = serializers.ChoiceField(choices=LANGUAGE_OR_DETECT)


class RecordingUpdateSerializer(StrictSerializer):
    title = serializers.CharField(required=False, max_length=200)
    transcriber = serializers.CharField(required=False, allow_blank=True, max_length=120)
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False)


class TranscribeRequestSerializer(StrictSerializer):
    """``transcriber``: the installed Whisper bundle that listens from now on; empty for the default one."""

    transcriber = serializers.CharField(required=False, allow_blank=True, max_length=120)


class TranscribeSerializer(serializers.Serializer[Any]):
    """``segments``: how many will be transcribed anew."""

    job = JobSerializer()
    segments = serializers.IntegerField()


class WordSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    start = serializers.FloatField(help_text="seconds in the clip")
    end = serializers.FloatField()
    probability = serializers.FloatField()


class DecisionSerializer(serializers.Serializer[Any]):
    """What screening last decided on a clip, and why."""

    screening = serializers.IntegerField(source="screening_id")
    verdict = serializers.CharField()
    reasons = serializers.ListField(child=serializers.DictField(), help_text="[{rule, sentence, value, threshold, …}]")


class SegmentSerializer(serializers.ModelSerializer[Segment]):
    """A stretch of a recording with its transcript; ``text`` and ``status`` can be changed."""

    seconds = serializers.FloatField(read_only=True)
    words = WordSerializer(many=True, read_only=True)
    flags = serializers.ListField(child=serializers.CharField(), read_only=True)
    quality = serializers.DictField(read_only=True)
    decision = DecisionSerializer(read_only=True, allow_null=True)
    reviewer = UsernameField()
    caption = serializers.SerializerMethodField(help_text="What the recording's captions say meanwhile.")
    audio = serializers.HyperlinkedIdentityField(view_name="segment-audio")

    def get_caption(self, segment: Segment) -> str:
        return segment_caption(segment=segment)

    class Meta:
        model = Segment
        fields = (
            "id",
            "source",
            "index",
            "start",
            "end",
            "seconds",
            "text",
            "machine_text",
            "words",
            "language_probability",
            "average_log_probability",
            "no_speech_probability",
            "compression_ratio",
            "transcribed_at",
            "transcribed_by",
            "awaits_second",
            "caption",
            "edited",
            "quality",
            "flags",
            "decision",
            "status",
            "decided_by_person",
            "reviewer",
            "reviewed_at",
            "audio",
        )
        read_only_fields = fields


class SegmentUpdateSerializer(StrictSerializer):
    text = serializers.CharField(required=False, allow_blank=True)
    status = serializers.ChoiceField(choices=ReviewStatus.choices, required=False)


class KeyField(serializers.IntegerField):
    """A number that can be a key: the database refuses what is beyond 64 bits before it looks for a row."""

    def __init__(self, **kwargs: Any):
        super().__init__(min_value=0, max_value=2**63 - 1, **kwargs)


class SelectionSerializer(StrictSerializer):
    """Which segments."""

    ids = serializers.ListField(child=KeyField(), allow_empty=False, max_length=5000)


class ReviewSerializer(StrictSerializer):
    """Which segments: by ``ids``, or all of a recording (``source``)."""

    ids = serializers.ListField(child=KeyField(), required=False, max_length=5000)
    source = VisiblePrimaryKeyField(queryset=SourceVideo.objects.all(), required=False)  # type: ignore[assignment]
    status = serializers.ChoiceField(choices=ReviewStatus.choices)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("source" in attrs):
            raise serializers.ValidationError("Give either ids or a source, and not both.")
        return attrs


class SkippedSerializer(serializers.Serializer[Any]):
    segment = serializers.IntegerField()
    index = serializers.IntegerField()
    recording = serializers.CharField()
    reason = serializers.CharField()


class ReviewOutcomeSerializer(serializers.Serializer[Any]):
    """``unchanged`` had the status already; each of ``skipped`` says why it was not approved."""

    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    skipped = SkippedSerializer(many=True)


class VersionSerializer(serializers.ModelSerializer[DatasetVersion]):
    """A frozen version in short."""

    clips = serializers.IntegerField(read_only=True)
    seconds = serializers.FloatField(read_only=True)
    job = JobSerializer(read_only=True, allow_null=True)

    class Meta:
        model = DatasetVersion
        fields = (
            "id",
            "dataset",
            "number",
            "state",
            "content_hash",
            "clips",
            "clips_train",
            "clips_validation",
            "seconds",
            "seconds_train",
            "seconds_validation",
            "error_code",
            "error",
            "duplicate_of",
            "job",
            "created_at",
        )
        read_only_fields = fields


class LeftOutSerializer(serializers.Serializer[Any]):
    """``source`` and ``segment`` are null where the recording is not shared with you, or gone."""

    segment = serializers.IntegerField(allow_null=True)
    source = serializers.UUIDField(allow_null=True)  # type: ignore[assignment]
    recording = serializers.CharField(help_text="The recording's title, or why it is not told.")
    index = serializers.IntegerField()
    code = serializers.CharField()
    reason = serializers.CharField(help_text="Completes the sentence “it is …”.")


class ManifestRowSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    audio = serializers.CharField(help_text="Path inside the version's folder.")
    text = serializers.CharField()
    language = serializers.CharField()
    split = serializers.ChoiceField(choices=("train", "validation"))
    speaker = serializers.CharField()
    seconds = serializers.FloatField()
    raw = serializers.CharField(required=False, help_text="The text as it was written; `text` is its spoken form.")
    recording = serializers.IntegerField(required=False, help_text="Which recording of the version, from 1.")
    start = serializers.FloatField(required=False, help_text="Seconds in the recording.")
    end = serializers.FloatField(required=False)
    sound = serializers.CharField(required=False, help_text="SHA-256 of the recording's stretch.")
    sha256 = serializers.CharField(required=False, help_text="SHA-256 of the clip's samples.")


class VersionDetailSerializer(VersionSerializer):
    """With every clip of the manifest, and every segment that was left out."""

    left_out = LeftOutSerializer(many=True, read_only=True)
    manifest = ManifestRowSerializer(many=True, read_only=True)

    class Meta(VersionSerializer.Meta):
        fields = (*VersionSerializer.Meta.fields, "manifest_sha256", "left_out", "manifest")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class DatasetSerializer(StrictSerializer, serializers.ModelSerializer[Dataset]):
    """A choice of recordings of one speaker in one language, with its frozen versions, newest first."""

    owner = UsernameField()
    speaker = VisiblePrimaryKeyField(queryset=Speaker.objects.all())
    sources = VisiblePrimaryKeyField(queryset=SourceVideo.objects.select_related("speaker"), many=True)
    versions = VersionSerializer(many=True, read_only=True)
    validation_share = serializers.FloatField(default=0.1)

    class Meta:
        model = Dataset
        fields = (
            "id",
            "name",
            "speaker",
            "language",
            "sources",
            "validation_share",
            "visibility",
            "owner",
            "versions",
            "created_at",
        )
        read_only_fields = ("created_at",)


class DatasetUpdateSerializer(StrictSerializer):
    sources = VisiblePrimaryKeyField(queryset=SourceVideo.objects.select_related("speaker"), many=True, required=False)
    validation_share = serializers.FloatField(required=False)
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False)
