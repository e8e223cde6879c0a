"""Blind comparisons over the API: one's own, open and judged."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from training.api.comparing_serializers import ComparisonSerializer, VoteSerializer
from training.api.filters import ComparisonFilter
from training.models import Preference, TrainingRun
from training.querysets import PreferenceQuerySet
from training.services import comparison_vote, comparison_wav
from xttsproject.http import bytes_response
from xttsproject.lib.errors import DomainError

_BINARY = OpenApiResponse(OpenApiTypes.BINARY, description="The sample as a 24 kHz WAV; byte ranges are answered.")


class ComparisonViewSet(viewsets.ReadOnlyModelViewSet[Preference]):
    """Pairs of samples that were dealt to you; `/training-runs/{id}/compare/` deals the next."""

    queryset = Preference.objects.none()
    serializer_class = ComparisonSerializer
    filterset_class = ComparisonFilter
    ordering_fields = ("dealt_at", "voted_at")

    def get_queryset(self) -> PreferenceQuerySet:
        # Administrators too hear their own alone; the others' votes are in the admin.
        runs = TrainingRun.objects.visible_to(self.request.user)
        return Preference.objects.editable_by(self.request.user).filter(run__in=runs).with_samples()

    @extend_schema(request=VoteSerializer, responses=ComparisonSerializer)
    @action(detail=True, methods=["post"])
    def vote(self, request: Request, pk: Any = None) -> Response:
        """Say which was better. Sent again with the same vote it answers the same; another vote is refused (409)."""
        comparison = self.get_object()
        given = VoteSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        vote = given.validated_data["vote"]
        if not comparison_vote(preference=comparison, voter=request.user, vote=vote) and comparison.vote != vote:
            raise DomainError(
                "vote_given",
                f"This pair has your vote “{comparison.vote}” since {comparison.voted_at:%d %B %Y %H:%M}; "
                "the first one stands.",
                field="vote",
            )
        return Response(self.get_serializer(comparison).data)

    @extend_schema(
        parameters=[OpenApiParameter("place", OpenApiTypes.INT, OpenApiParameter.PATH, enum=[1, 2])],
        responses={(200, "audio/wav"): _BINARY},
    )
    @action(detail=True, url_path="audio/(?P<place>[12])")
    def audio(self, request: Request, pk: Any = None, place: str = "1") -> HttpResponseBase:
        """The first or the second sample, at the level at which all are compared."""
        data = comparison_wav(preference=self.get_object(), place=place)
        return bytes_response(request._request, data, content_type="audio/wav", file_name=f"{place}.wav")
