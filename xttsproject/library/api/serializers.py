from __future__ import annotations

from rest_framework import serializers

from xttsproject.bundles.manifest import Bundle
from xttsproject.jobs.api.serializers import JobSerializer
from xttsproject.library.models import ModelImport
from xttsproject.strict import StrictSerializer


class BundleSerializer(serializers.Serializer[Bundle]):
    """A model of this installation. ``name`` is what runs and voices call it by.

    The context has ``uses``, of all of them by name.
    """

    name = serializers.CharField(source="path.name")
    title = serializers.CharField(source="name", help_text="What its manifest calls it.")
    kind = serializers.CharField(help_text="xtts speaks and is fine-tuned, whisper transcribes.")
    bytes = serializers.IntegerField()
    licence = serializers.CharField()
    licence_url = serializers.CharField()
    notice = serializers.CharField()
    origin = serializers.CharField(source="source")  # type: ignore[assignment]
    languages = serializers.ListField(child=serializers.CharField(), help_text="Empty: all that its config names.")
    used_by = serializers.SerializerMethodField(help_text="What keeps it from being deleted, in words.")

    def get_used_by(self, bundle: Bundle) -> list[str]:
        uses: dict[str, list[str]] = self.context["uses"]
        return uses[bundle.path.name]


class ModelImportSerializer(serializers.ModelSerializer[ModelImport]):
    """One import: how far it is, and what came of it."""

    owner = serializers.CharField(source="owner.username", read_only=True, default="")
    job = JobSerializer(read_only=True, allow_null=True)

    class Meta:
        model = ModelImport
        fields = (
            "id",
            "name",
            "base",
            "owner",
            "original_name",
            "path",
            "extras",
            "bytes",
            "licence",
            "licence_url",
            "notes",
            "state",
            "error_code",
            "error",
            "job",
            "created_at",
        )
        read_only_fields = fields


class ModelImportCreateSerializer(StrictSerializer):
    """``file`` or ``path``, and the rest where they lack it."""

    name = serializers.CharField(max_length=64, help_text="The bundle's name: a to z, 0 to 9, dot, dash, underscore.")
    file = serializers.FileField(required=False, allow_empty_file=True, help_text="The weights, whatever their name.")
    path = serializers.CharField(
        required=False, allow_blank=True, max_length=1000, default="", help_text="A file or folder below MODELS_INBOX."
    )
    base = serializers.CharField(
        required=False, allow_blank=True, max_length=64, default="", help_text="The model that it was fine-tuned from."
    )
    config = serializers.FileField(required=False, allow_empty_file=True)
    vocab = serializers.FileField(required=False, allow_empty_file=True)
    dvae = serializers.FileField(required=False, allow_empty_file=True)
    mel_stats = serializers.FileField(required=False, allow_empty_file=True)
    speakers = serializers.FileField(required=False, allow_empty_file=True)
    accept_licence = serializers.BooleanField(
        default=False, help_text="You have read the model's licence (the base's, or Coqui's CPML) and accept it."
    )
