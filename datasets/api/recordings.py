"""Speakers and recordings."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.api.access import OwnedViewMixin, WavRenderer, WithJobsMixin
from datasets.api.filters import RecordingFilter
from datasets.api.serializers import (
    CaptionTrackSerializer,
    LanguageSerializer,
    RecordingCreateSerializer,
    RecordingSerializer,
    RecordingUpdateSerializer,
    SpeakerSerializer,
    SpeakerUpdateSerializer,
    TranscribeRequestSerializer,
    TranscribeSerializer,
)
from datasets.models import SourceVideo, Speaker
from datasets.querysets import SourceVideoQuerySet, SpeakerQuerySet
from datasets.services.captions import captions_of
from datasets.services.fetching import source_from_url
from datasets.services.language_choice import source_language_set
from datasets.services.retranscribing import segments_retranscribe
from datasets.services.sources import source_delete, source_update
from datasets.services.speakers import speaker_create, speaker_delete, speaker_update
from datasets.services.uploads import source_upload
from xttsproject.accounts.api.parsers import JSONParser
from xttsproject.http import file_response


class SpeakerViewSet(
    OwnedViewMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Speaker]
):
    """Who is recorded. Nothing is recorded, trained or cloned without a speaker's consent."""

    queryset = Speaker.objects.none()
    serializer_class = SpeakerSerializer
    filterset_fields = ("consent_kind", "visibility")
    ordering_fields = ("name", "created_at")

    def get_queryset(self) -> SpeakerQuerySet:
        return Speaker.objects.visible_to(self.request.user).select_related("owner", "consent_by")

    def create(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        speaker = speaker_create(owner=request.user, **serializer.validated_data)
        return Response(self.get_serializer(speaker).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=SpeakerUpdateSerializer, responses=SpeakerSerializer)
    def partial_update(self, request: Request, pk: Any = None) -> Response:
        """Change the notes or the glossary, or share the speaker; the consent stays as it was given."""
        speaker = self.get_editable()
        serializer = SpeakerUpdateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        if "visibility" in serializer.validated_data:
            self.check_owner(speaker)
        return Response(self.get_serializer(speaker_update(speaker=speaker, **serializer.validated_data)).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: Any = None) -> Response:
        """Remove a speaker of whom there are no recordings or datasets."""
        speaker_delete(speaker=self.get_owned())
        return Response(status=status.HTTP_204_NO_CONTENT)


class RecordingViewSet(
    WithJobsMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[SourceVideo]
):
    """Recordings: upload, fetch from a URL, follow, transcribe again, delete."""

    queryset = SourceVideo.objects.none()
    serializer_class = RecordingSerializer
    filterset_class = RecordingFilter
    ordering_fields = ("created_at", "title", "seconds")
    parser_classes = (JSONParser, MultiPartParser, FormParser)

    def get_queryset(self) -> SourceVideoQuerySet:
        rows = SourceVideo.objects.visible_to(self.request.user).with_counts().select_related("owner")
        # A query that counts loses the order of its model.
        return rows.order_by("-created_at")

    @extend_schema(
        request={"multipart/form-data": RecordingCreateSerializer, "application/json": RecordingCreateSerializer},
        responses={201: RecordingSerializer},
    )
    def create(self, request: Request) -> Response:
        """Upload a file (multipart) or name a URL; the answer's ``job`` is the first stage of the work on it."""
        serializer = RecordingCreateSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        make = source_upload if "file" in serializer.validated_data else source_from_url
        source, job = make(owner=request.user, **serializer.validated_data)
        made: Any = self.get_queryset().get(pk=source.pk)
        made.job = job
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=RecordingUpdateSerializer, responses=RecordingSerializer)
    def partial_update(self, request: Request, pk: Any = None) -> Response:
        """Rename or share the recording, or choose the model that listens to it."""
        source = self.get_editable()
        serializer = RecordingUpdateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        if "visibility" in serializer.validated_data:
            self.check_owner(source)
        return Response(self.get_serializer(source_update(source=source, **serializer.validated_data)).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: Any = None) -> Response:
        """Delete the recording with its segments and files. Frozen dataset versions keep their clips."""
        source_delete(source=self.get_owned())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=TranscribeRequestSerializer, responses={202: TranscribeSerializer})
    @action(detail=True, methods=["post"])
    def transcribe(self, request: Request, pk: Any = None) -> Response:
        """Transcribe anew what nobody has corrected or reviewed."""
        source = self.get_editable()
        serializer = TranscribeRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        job, count = segments_retranscribe(source=source, owner=request.user, **serializer.validated_data)
        data = TranscribeSerializer({"job": job, "segments": count}).data
        return Response(data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=LanguageSerializer, responses=RecordingSerializer)
    @action(detail=True, methods=["post"])
    def language(self, request: Request, pk: Any = None) -> Response:
        """Name the language, or have it detected anew; what nobody has touched is then transcribed in it."""
        source = self.get_editable()
        serializer = LanguageSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        source_language_set(source=source, owner=request.user, **serializer.validated_data)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(responses=CaptionTrackSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def captions(self, request: Request, pk: Any = None) -> Response:
        """The source's captions with their times: the recording's language first, people's before a machine's."""
        tracks = [
            {"language": track.language, "automatic": track.automatic, "cues": track.cues()}
            for track in captions_of(self.get_object())
        ]
        return Response(CaptionTrackSerializer(tracks, many=True).data)

    @extend_schema(responses={(200, "audio/wav"): OpenApiResponse(OpenApiTypes.BINARY, "Mono 24 kHz, 16-bit PCM.")})
    @action(detail=True, methods=["get"], renderer_classes=[JSONRenderer, WavRenderer])
    def audio(self, request: Request, pk: Any = None) -> HttpResponseBase:
        """The decoded sound; stretches can be asked for by the Range header."""
        return file_response(request, self.get_object().master_path, content_type="audio/wav")
