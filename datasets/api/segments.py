"""Segments: read, correct, review, listen."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.api.access import OwnedViewMixin, WavRenderer
from datasets.api.filters import SegmentFilter
from datasets.api.serializers import (
    ReviewOutcomeSerializer,
    ReviewSerializer,
    SegmentSerializer,
    SegmentUpdateSerializer,
    SelectionSerializer,
    TranscribeSerializer,
)
from datasets.models import Segment, SourceVideo
from datasets.querysets import SegmentQuerySet
from datasets.services.clips import segment_wav
from datasets.services.retranscribing import selection_retranscribe
from datasets.services.segments import segment_edit, segment_review, segments_review
from xttsproject.http import bytes_response
from xttsproject.strict import take_nothing


class SegmentViewSet(
    OwnedViewMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Segment]
):
    """Segments in the order of their recordings."""

    queryset = Segment.objects.none()
    serializer_class = SegmentSerializer
    filterset_class = SegmentFilter
    ordering_fields = ("source", "index", "start", "average_log_probability", "reviewed_at")

    def get_queryset(self) -> SegmentQuerySet:
        rows = Segment.objects.visible_to(self.request.user).with_decisions().select_related("reviewer", "source")
        return rows.order_by("source__created_at", "source", "index")

    @extend_schema(request=SegmentUpdateSerializer, responses=SegmentSerializer)
    def partial_update(self, request: Request, pk: Any = None) -> Response:
        """Correct the text, review it, or both: the text is taken first. If one is refused, neither is done."""
        segment = self.get_editable()
        serializer = SegmentUpdateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted = serializer.validated_data
        with transaction.atomic():
            if "text" in wanted:
                segment = segment_edit(segment=segment, text=wanted["text"])
            if "status" in wanted:
                segment = segment_review(segment=segment, status=wanted["status"], reviewer=request.user)
        return Response(self.get_serializer(segment).data)

    @extend_schema(request=ReviewSerializer, responses=ReviewOutcomeSerializer)
    @action(detail=False, methods=["post"], pagination_class=None, filterset_class=None)
    def review(self, request: Request) -> Response:
        """Review many at once. Segments that are not yours to change are as if they were not named."""
        serializer = ReviewSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        wanted = serializer.validated_data
        segments: Any = Segment.objects.editable_by(request.user)
        if "source" in wanted:
            source = wanted["source"]
            if not SourceVideo.objects.editable_by(request.user).filter(pk=source.pk).exists():
                raise PermissionDenied
            segments = segments.filter(source=source)
        else:
            segments = segments.filter(pk__in=wanted["ids"])
        outcome = segments_review(segments=segments, status=wanted["status"], reviewer=request.user)
        return Response(ReviewOutcomeSerializer(outcome).data)

    @extend_schema(
        operation_id="api_v1_segments_transcribe_selection",
        request=SelectionSerializer,
        responses={202: TranscribeSerializer},
    )
    @action(detail=False, methods=["post"], pagination_class=None, filterset_class=None, url_path="transcribe")
    def transcribe_many(self, request: Request) -> Response:
        """Have the machine listen again to these; what people corrected or reviewed stays, and so does what is not
        yours to change."""
        serializer = SelectionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        rows: Any = Segment.objects.editable_by(request.user)
        return self._transcribe(rows.filter(pk__in=serializer.validated_data["ids"]), request)

    @extend_schema(request=None, responses={202: TranscribeSerializer})
    @action(detail=True, methods=["post"])
    def transcribe(self, request: Request, pk: Any = None) -> Response:
        """Have the machine listen again to this one, unless a person has corrected or reviewed it."""
        take_nothing(request)
        return self._transcribe(Segment.objects.filter(pk=self.get_editable().pk), request)

    def _transcribe(self, segments: SegmentQuerySet, request: Request) -> Response:
        job, count = selection_retranscribe(segments=segments, owner=request.user)
        data = TranscribeSerializer({"job": job, "segments": count}).data
        return Response(data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses={(200, "audio/wav"): OpenApiResponse(OpenApiTypes.BINARY, "Mono 24 kHz, 16-bit PCM.")})
    @action(detail=True, methods=["get"], renderer_classes=[JSONRenderer, WavRenderer])
    def audio(self, request: Request, pk: Any = None) -> HttpResponseBase:
        """The segment as a WAV file."""
        segment = self.get_object()
        name = f"segment-{segment.pk}.wav"
        return bytes_response(request, segment_wav(segment=segment), content_type="audio/wav", file_name=name)
