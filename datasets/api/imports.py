"""Datasets that come in from outside."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.api.access import WithJobsMixin
from datasets.api.serializers import UsernameField, VisiblePrimaryKeyField
from datasets.choices import LANGUAGE_CHOICES
from datasets.models import DatasetImport, Speaker
from datasets.querysets import DatasetImportQuerySet
from datasets.services.importing import TITLE_LENGTH, import_delete, import_upload
from xttsproject.accounts.api.parsers import JSONParser
from xttsproject.accounts.models import Visibility
from xttsproject.jobs.api.serializers import JobSerializer
from xttsproject.strict import StrictSerializer


class DatasetImportSerializer(serializers.ModelSerializer[DatasetImport]):
    """One import in short: how far it is, and what came of it."""

    owner = UsernameField()
    job = JobSerializer(read_only=True, allow_null=True)

    class Meta:
        model = DatasetImport
        fields = (
            "id",
            "title",
            "speaker",
            "language",
            "speaker_name",
            "approve",
            "visibility",
            "owner",
            "original_name",
            "sha256",
            "bytes",
            "form",
            "clips",
            "seconds",
            "respoken",
            "approved",
            "problem_count",
            "dataset",
            "state",
            "error_code",
            "error",
            "job",
            "created_at",
        )
        read_only_fields = fields


class ImportProblemSerializer(serializers.Serializer[Any]):
    """``row`` counts the table's lines from 1; 0 for a file that no row names."""

    table = serializers.CharField()
    row = serializers.IntegerField()
    name = serializers.CharField(help_text="The clip's name in the table, or the file's.")
    code = serializers.CharField()
    reason = serializers.CharField()


class DatasetImportDetailSerializer(DatasetImportSerializer):
    """With the recordings that it made, and every problem (the first thousand) where it failed by them."""

    problems = ImportProblemSerializer(many=True, read_only=True)
    recordings = serializers.PrimaryKeyRelatedField(source="sources", many=True, read_only=True)  # type: ignore[var-annotated]

    class Meta(DatasetImportSerializer.Meta):
        fields = (*DatasetImportSerializer.Meta.fields, "recordings", "problems")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class DatasetImportCreateSerializer(StrictSerializer):
    file = serializers.FileField(allow_empty_file=True, help_text="A zip in LJSpeech's or Coqui's form.")
    speaker = VisiblePrimaryKeyField(queryset=Speaker.objects.all())
    language = serializers.ChoiceField(choices=LANGUAGE_CHOICES)
    title = serializers.CharField(required=False, allow_blank=True, max_length=TITLE_LENGTH, default="")
    speaker_name = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        default="",
        help_text="Of a table with several speakers: whose rows are taken.",
    )
    approve = serializers.BooleanField(default=False, help_text="The clips need no review.")
    visibility = serializers.ChoiceField(choices=Visibility.choices, default=Visibility.PRIVATE)


class DatasetImportViewSet(
    WithJobsMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[DatasetImport]
):
    """Your imports. A single one comes with its recordings and its problems."""

    queryset = DatasetImport.objects.none()
    serializer_class = DatasetImportSerializer
    filterset_fields = ("state", "language")
    ordering_fields = ("created_at", "title")
    parser_classes = (MultiPartParser, FormParser, JSONParser)

    def get_queryset(self) -> DatasetImportQuerySet:
        return DatasetImport.objects.visible_to(self.request.user).select_related("owner")

    @extend_schema(responses=DatasetImportDetailSerializer)
    def retrieve(self, request: Request, pk: Any = None) -> Response:
        return Response(DatasetImportDetailSerializer(self.get_object()).data)

    @extend_schema(
        request={"multipart/form-data": DatasetImportCreateSerializer}, responses={201: DatasetImportSerializer}
    )
    def create(self, request: Request) -> Response:
        """Upload a zip; the answer's ``job`` checks all of it and takes it in, or fails and lists what is wrong."""
        serializer = DatasetImportCreateSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        importing, job = import_upload(owner=request.user, **serializer.validated_data)
        made: Any = importing
        made.job = job
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: Any = None) -> Response:
        """Stop the import or delete its record. What it brought in stays."""
        import_delete(importing=self.get_editable())
        return Response(status=status.HTTP_204_NO_CONTENT)
