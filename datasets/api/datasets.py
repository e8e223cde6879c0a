"""Datasets and their frozen versions."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.api.access import WithJobsMixin, attach_jobs
from datasets.api.filters import DatasetFilter, VersionFilter
from datasets.api.screening import ScreeningActions
from datasets.api.serializers import (
    DatasetSerializer,
    DatasetUpdateSerializer,
    VersionDetailSerializer,
    VersionSerializer,
)
from datasets.api.versions import VersionInsightMixin
from datasets.models import Dataset, DatasetVersion, SourceVideo
from datasets.querysets import DatasetQuerySet, DatasetVersionQuerySet
from datasets.services.datasets import dataset_create, dataset_delete, dataset_update
from datasets.services.freezing import version_freeze, version_manifest
from datasets.services.left_out import version_left_out
from xttsproject.strict import take_nothing


class DatasetViewSet(
    ScreeningActions, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Dataset]
):
    """A named choice of recordings; freezing it makes a version to train on."""

    queryset = Dataset.objects.none()
    serializer_class = DatasetSerializer
    filterset_class = DatasetFilter
    ordering_fields = ("created_at", "name")

    def get_queryset(self) -> DatasetQuerySet:
        user = self.request.user
        # A recording that is private to somebody else stays unknown, even where it is part of a shared dataset.
        sources = Prefetch("sources", SourceVideo.objects.visible_to(user))
        versions: Any = Prefetch("versions", DatasetVersion.objects.in_short())
        return Dataset.objects.visible_to(user).select_related("owner").prefetch_related(sources, versions)

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        attach_jobs([version for dataset in page or [] for version in dataset.versions.all()], self.request.user)
        return page

    def get_object(self) -> Dataset:
        dataset: Dataset = super().get_object()
        attach_jobs(list(dataset.versions.all()), self.request.user)
        return dataset

    def create(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        dataset = dataset_create(owner=request.user, **serializer.validated_data)
        return Response(self.get_serializer(dataset).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=DatasetUpdateSerializer, responses=DatasetSerializer)
    def partial_update(self, request: Request, pk: Any = None) -> Response:
        """Change the choice for versions to come; frozen ones stay as they are."""
        dataset = self.get_editable()
        serializer = DatasetUpdateSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        if "visibility" in serializer.validated_data:
            self.check_owner(dataset)
        dataset_update(dataset=dataset, editor=request.user, **serializer.validated_data)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: Any = None) -> Response:
        """Delete the dataset and its versions, unless a training run stands on one."""
        dataset_delete(dataset=self.get_owned())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: VersionSerializer})
    @action(detail=True, methods=["post"])
    def freeze(self, request: Request, pk: Any = None) -> Response:
        """Freeze the approved segments as a new version; the answer's ``job`` chooses its clips and writes them.

        Where nothing has changed since an earlier version, the job fails with ``duplicate`` and the new version's
        ``duplicate_of`` is that one.
        """
        take_nothing(request)
        version, job = version_freeze(dataset=self.get_editable(), owner=request.user)
        made: Any = version
        made.job = job
        return Response(VersionSerializer(made).data, status=status.HTTP_202_ACCEPTED)


class DatasetVersionViewSet(
    VersionInsightMixin,
    WithJobsMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[DatasetVersion],
):
    """Frozen versions. A single one comes with its manifest and with what was left out."""

    queryset = DatasetVersion.objects.none()
    serializer_class = VersionSerializer
    filterset_class = VersionFilter
    ordering_fields = ("created_at", "number")

    def get_queryset(self) -> DatasetVersionQuerySet:
        rows = DatasetVersion.objects.visible_to(self.request.user).select_related("dataset")
        return rows.in_short() if self.action == "list" else rows

    @extend_schema(responses=VersionDetailSerializer)
    def retrieve(self, request: Request, pk: Any = None) -> Response:
        version = self.get_object()
        version.manifest = version_manifest(version=version)
        version.left_out = version_left_out(version=version, viewer=request.user)
        return Response(VersionDetailSerializer(version).data)
