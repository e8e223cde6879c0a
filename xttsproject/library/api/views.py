"""The models of this installation, and bringing more in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, permissions, status, viewsets
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.api.access import WithJobsMixin
from xttsproject.accounts.api.parsers import JSONParser
from xttsproject.bundles.manifest import Bundle, list_bundles
from xttsproject.lib.errors import DomainError
from xttsproject.library.api.serializers import BundleSerializer, ModelImportCreateSerializer, ModelImportSerializer
from xttsproject.library.models import ModelImport
from xttsproject.library.querysets import ModelImportQuerySet
from xttsproject.library.services.importing import model_import_delete, model_import_start
from xttsproject.library.services.usage import bundle_delete, bundles_uses


class BundleViewSet(viewsets.GenericViewSet[Any]):
    """The models of this installation, damaged ones left out."""

    serializer_class = BundleSerializer
    lookup_field = "name"
    lookup_value_regex = r"[^/]+"
    pagination_class = None
    filter_backends = ()

    @extend_schema(responses=BundleSerializer(many=True))
    def list(self, request: Request) -> Response:
        """Every model, by name."""
        return Response(self._shown(list_bundles(settings.MODELS_DIR)))

    @extend_schema(responses=BundleSerializer)
    def retrieve(self, request: Request, name: str) -> Response:
        for bundle in list_bundles(settings.MODELS_DIR):
            if bundle.path.name == name:
                return Response(self._shown([bundle])[0])
        raise DomainError("model_unknown", f"There is no model “{name}”.", field="name")

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, name: str) -> Response:
        """Delete a model that nothing uses. For those who run the portal."""
        bundle_delete(name=name, user=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _shown(self, bundles: Sequence[Bundle]) -> Any:
        uses = bundles_uses(names=[bundle.path.name for bundle in bundles], user=self.request.user)
        context = {**self.get_serializer_context(), "uses": uses}
        return self.get_serializer_class()(bundles, many=True, context=context).data


class ModelImportViewSet(
    WithJobsMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[ModelImport]
):
    """Imports of models. For those who run the portal."""

    queryset = ModelImport.objects.none()
    serializer_class = ModelImportSerializer
    permission_classes = (permissions.IsAdminUser,)
    filterset_fields = ("state", "base")
    ordering_fields = ("created_at", "name")
    parser_classes = (MultiPartParser, FormParser, JSONParser)

    def get_queryset(self) -> ModelImportQuerySet:
        return ModelImport.objects.visible_to(self.request.user).select_related("owner")

    @extend_schema(
        request={
            "multipart/form-data": ModelImportCreateSerializer,
            "application/json": ModelImportCreateSerializer,
        },
        responses={201: ModelImportSerializer},
    )
    def create(self, request: Request) -> Response:
        """Upload a model, or name one in the inbox; the answer's ``job`` makes a bundle of it or says what is wrong."""
        asked = ModelImportCreateSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        importing, job = model_import_start(owner=request.user, **asked.validated_data)
        made: Any = importing
        made.job = job
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: Any = None) -> Response:
        """Stop the import or delete its record. The model that it made stays."""
        model_import_delete(importing=self.get_editable())
        return Response(status=status.HTTP_204_NO_CONTENT)
