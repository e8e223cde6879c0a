"""Sweeps over the API: what the pages do."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.api.access import OwnedViewMixin
from training.api.filters import SweepFilter
from training.api.sweep_serializers import (
    SweepCreateSerializer,
    SweepPreflightSerializer,
    SweepSerializer,
    TrialCurveSerializer,
    TrialSerializer,
)
from training.models import Sweep
from training.querysets import SweepQuerySet
from training.services import (
    sweep_cancel,
    sweep_create,
    sweep_curves,
    sweep_delete,
    sweep_go_on,
    sweep_preflight,
    sweep_trials,
    texts_known,
    texts_require,
    trainer_require,
)
from xttsproject.accounts.api.schema import ErrorSerializer
from xttsproject.strict import take_nothing


class SweepViewSet(
    OwnedViewMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Sweep],
):
    """Searches over a run's values: start, follow, cancel, go on, delete. Starting one is for trainers."""

    queryset = Sweep.objects.none()
    serializer_class = SweepSerializer
    filterset_class = SweepFilter
    ordering_fields = ("created_at", "finished_at", "name")

    def get_queryset(self) -> SweepQuerySet:
        sweeps = Sweep.objects.visible_to(self.request.user).with_relations().prefetch_related("trials")
        return sweeps.order_by("-created_at")

    @extend_schema(request=SweepCreateSerializer, responses={201: SweepSerializer})
    def create(self, request: Request) -> Response:
        """Check everything and start the sweep; its trials are training runs on the gpu queue."""
        given = self._given(request)
        sweep = sweep_create(
            owner=request.user,
            version=given.validated_data["version"],
            name=given.validated_data["name"],
            values=given.values(),
            search=given.search(),
            bundle=given.validated_data["bundle"],
            visibility=given.validated_data["visibility"],
            counted=texts_known(version=given.validated_data["version"], bundle=given.validated_data["bundle"]),
        )
        return Response(self._shown(sweep), status=201)

    @extend_schema(request=SweepCreateSerializer, responses={200: SweepPreflightSerializer, 503: ErrorSerializer})
    @action(detail=False, methods=["post"])
    def preflight(self, request: Request) -> Response:
        """What such a sweep would come to: trials, epochs, seconds of training, bytes. Nothing is started.

        503 with the code ``check_pending`` as for a run.
        """
        given = self._given(request)
        texts_require(version=given.validated_data["version"], bundle=given.validated_data["bundle"])
        found = sweep_preflight(
            owner=request.user,
            version=given.validated_data["version"],
            values=given.values(),
            search=given.search(),
            bundle=given.validated_data["bundle"],
        )
        return Response(SweepPreflightSerializer(found).data)

    def perform_destroy(self, instance: Sweep) -> None:
        self.check_owner(instance)
        sweep_delete(sweep=instance)

    @extend_schema(request=None, responses=SweepSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: Any = None) -> Response:
        """End the sweep with its trials, those that wait and those at work. What they have trained is kept."""
        take_nothing(request)
        sweep = self.get_editable()
        sweep_cancel(sweep=sweep)
        return Response(self._shown(sweep))

    @extend_schema(request=None, responses=SweepSerializer)
    @action(detail=True, methods=["post"], url_path="go-on")
    def go_on(self, request: Request, pk: Any = None) -> Response:
        """Begin the trials of a failed or cancelled sweep that were not begun."""
        take_nothing(request)
        sweep = self.get_editable()
        sweep_go_on(sweep=sweep, user=request.user)
        return Response(self._shown(sweep))

    @extend_schema(responses=TrialSerializer(many=True))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def trials(self, request: Request, pk: Any = None) -> Response:
        """Its trials, the best first: by score, then by validation loss."""
        return Response(TrialSerializer(sweep_trials(sweep=self.get_object()), many=True).data)

    @extend_schema(responses=TrialCurveSerializer(many=True))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def curves(self, request: Request, pk: Any = None) -> Response:
        """Losses of all trials by epoch."""
        return Response(TrialCurveSerializer(sweep_curves(sweep=self.get_object()), many=True).data)

    def _given(self, request: Request) -> SweepCreateSerializer:
        # Before the values are looked at: what a person may not do at all needs no other answer.
        trainer_require(user=request.user)
        given = SweepCreateSerializer(data=request.data, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        return given

    def _shown(self, sweep: Sweep) -> dict[str, Any]:
        return dict(self.get_serializer(self.get_queryset().get(pk=sweep.pk)).data)
