"""Exports of frozen versions."""

from __future__ import annotations

from typing import Any

import django_filters
from django.http import Http404, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.api.access import WavRenderer, WithJobsMixin
from datasets.api.serializers import UsernameField, VisiblePrimaryKeyField
from datasets.choices import ExportForm, ExportState
from datasets.models import DatasetExport, DatasetVersion
from datasets.querysets import DatasetExportQuerySet
from datasets.services.exporting import export_delete, export_name, export_start
from xttsproject.accounts.api.filters import VisibleFilter
from xttsproject.http import file_response
from xttsproject.jobs.api.serializers import JobSerializer
from xttsproject.strict import StrictSerializer


class ZipRenderer(WavRenderer):
    """Lets a client ask for ``application/zip``; the view answers with the file itself."""

    media_type = "application/zip"
    format = "zip"


class DatasetExportFilter(django_filters.FilterSet):
    version = VisibleFilter(DatasetVersion)

    class Meta:
        model = DatasetExport
        fields = ("version", "form", "state")


class DatasetExportSerializer(serializers.ModelSerializer[DatasetExport]):
    """A version as a zip in one form; ``file`` is where it is fetched once it is ready."""

    created_by = UsernameField()
    file = serializers.HyperlinkedIdentityField(view_name="dataset-export-file")
    job = JobSerializer(read_only=True, allow_null=True)

    class Meta:
        model = DatasetExport
        fields = (
            "id",
            "version",
            "form",
            "state",
            "bytes",
            "sha256",
            "file",
            "error_code",
            "error",
            "created_by",
            "job",
            "created_at",
        )
        read_only_fields = fields


class DatasetExportCreateSerializer(StrictSerializer):
    version = VisiblePrimaryKeyField(queryset=DatasetVersion.objects.select_related("dataset"))
    form = serializers.ChoiceField(choices=ExportForm.choices)


class DatasetExportViewSet(
    WithJobsMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[DatasetExport]
):
    """Exports of the versions of datasets that you may change."""

    queryset = DatasetExport.objects.none()
    serializer_class = DatasetExportSerializer
    filterset_class = DatasetExportFilter
    ordering_fields = ("created_at",)

    def get_queryset(self) -> DatasetExportQuerySet:
        rows = DatasetExport.objects.visible_to(self.request.user).select_related("version__dataset", "created_by")
        return rows.order_by("-created_at")

    @extend_schema(request=DatasetExportCreateSerializer, responses={202: DatasetExportSerializer})
    def create(self, request: Request) -> Response:
        """Have a version written out. Asked again, it answers with the one that is there or under way."""
        serializer = DatasetExportCreateSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        wanted = serializer.validated_data
        if not DatasetVersion.objects.editable_by(request.user).filter(pk=wanted["version"].pk).exists():
            raise PermissionDenied
        export, job = export_start(owner=request.user, **wanted)
        made: Any = export
        made.job = job
        return Response(self.get_serializer(made).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: Any = None) -> Response:
        """Delete the zip; it can be made again as long as its version is there."""
        export_delete(export=self.get_editable())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={(200, "application/zip"): OpenApiResponse(OpenApiTypes.BINARY, "The zip.")})
    @action(detail=True, methods=["get"], renderer_classes=[JSONRenderer, ZipRenderer])
    def file(self, request: Request, pk: Any = None) -> HttpResponseBase:
        """The zip; stretches can be asked for by the Range header."""
        export = self.get_object()
        if export.state != ExportState.READY:
            raise Http404
        name = f"{export_name(export=export)}.zip"
        return file_response(request, export.path, content_type="application/zip", download_name=name)
