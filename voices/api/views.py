from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.api.access import OwnedViewMixin
from voices.api.answers import KEY_PARAMETER, SPOKEN, SpeakingView, output_of, require_streamable, spoken
from voices.api.fields import AnyAccept
from voices.api.filters import VoiceFilter
from voices.api.serializers import (
    PreparationSerializer,
    SpeechSerializer,
    StudioVoiceSerializer,
    VoiceCreateSerializer,
    VoiceDetailSerializer,
    VoiceSerializer,
    VoiceUpdateSerializer,
    preparation_of,
)
from voices.api.wishes import wish_of
from voices.choices import Channel
from voices.clients import hung_up
from voices.models import Voice
from voices.querysets import VoiceQuerySet
from voices.services import (
    profile_find,
    speech_make,
    speech_stream,
    studio_offered,
    uploads_of,
    voice_create,
    voice_delete,
    voice_find,
    voice_guard,
    voice_prepare_again,
    voice_share,
    voice_use_profile,
)
from voices.streamed import streamed
from xttsproject.accounts.api.parsers import JSONParser
from xttsproject.http import file_response

_WAV = {(200, "audio/wav"): OpenApiTypes.BINARY}


class VoiceViewSet(OwnedViewMixin, viewsets.ReadOnlyModelViewSet[Voice]):
    """Voices: your own and those shared with you."""

    queryset = Voice.objects.none()
    serializer_class = VoiceDetailSerializer
    parser_classes = (JSONParser, MultiPartParser)
    filterset_class = VoiceFilter
    ordering_fields = ("name", "created_at")

    def get_queryset(self) -> VoiceQuerySet:
        voices = Voice.objects.visible_to(self.request.user).select_related("owner", "speaker", "checkpoint", "profile")
        return voices if self.action == "list" else voices.prefetch_related("clips")

    def get_serializer_class(self) -> Any:
        return VoiceSerializer if self.action == "list" else VoiceDetailSerializer

    @extend_schema(request=VoiceCreateSerializer, responses={201: VoiceDetailSerializer})
    def create(self, request: Request) -> Response:
        """Make a voice and start its preparation; it speaks once its state is ``ready``."""
        asked = VoiceCreateSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        values = dict(asked.validated_data)
        voice = voice_create(
            owner=request.user,
            uploads=uploads_of(values.pop("clips", ())),
            preparation=preparation_of(values),
            **values,
        )
        return Response(self.get_serializer(voice).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=VoiceUpdateSerializer, responses=VoiceDetailSerializer)
    def partial_update(self, request: Request, pk: Any = None) -> Response:
        """Share the voice with the team, or take it back; choose what it speaks with."""
        voice = self.get_editable()
        asked = VoiceUpdateSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        changes = asked.validated_data
        if "profile" in changes:
            name = changes["profile"]
            profile = profile_find(user=request.user, given=name) if name else None
            voice_use_profile(voice=voice, profile=profile)
        if "guard" in changes:
            voice_guard(voice=voice, guard=changes["guard"])
        if "visibility" in changes:
            voice_share(voice=voice, visibility=changes["visibility"])
        return Response(self.get_serializer(voice).data)

    def destroy(self, request: Request, pk: Any = None) -> Response:
        """Delete the voice, its clips and latents; what it has spoken stays."""
        voice_delete(voice=self.get_editable())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=StudioVoiceSerializer(many=True), filters=False)
    @action(detail=False, methods=["get"], pagination_class=None, filterset_class=None)
    def studio(self, request: Request) -> Response:
        """The voices that come with the models: speak with one by its name, and it becomes yours with the first use.

        Those whose name one of your voices has are left out, since the name means yours.
        """
        offered: Any = studio_offered(user=request.user)
        return Response(StudioVoiceSerializer(offered, many=True).data)

    @extend_schema(request=PreparationSerializer, responses=VoiceDetailSerializer)
    @action(detail=True, methods=["post"])
    def prepare(self, request: Request, pk: Any = None) -> Response:
        """Prepare the voice again, after a failure or when the model below it was replaced; or in another way.

        With any of the fields, the clips are prepared as they say, and what is left out is not done; without, as
        before.
        """
        voice = self.get_editable()
        asked = PreparationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = dict(asked.validated_data)
        voice_prepare_again(voice=voice, preparation=preparation_of(values) if values else None)
        return Response(self.get_serializer(voice).data)

    @extend_schema(responses=_WAV, parameters=[OpenApiParameter("index", OpenApiTypes.INT, OpenApiParameter.PATH)])
    @action(detail=True, methods=["get"], url_path=r"clips/(?P<index>\d{1,9})", url_name="clip")
    def clip(self, request: Request, pk: Any = None, index: str = "") -> HttpResponseBase:
        """A reference clip as WAV; ranges are served."""
        clip = get_object_or_404(self.get_object().clips, index=int(index))
        return file_response(request._request, clip.path, content_type="audio/wav")


class SpeechView(SpeakingView):
    """Text to speech."""

    content_negotiation_class = AnyAccept

    @extend_schema(request=SpeechSerializer, responses=SPOKEN, parameters=[KEY_PARAMETER])
    def post(self, request: Request) -> HttpResponseBase:
        """Speak a text and answer with its sound when all of it is spoken, or with `stream` while it is.

        The headers say what it is: `X-Synthesis-Id` (see `/api/v1/syntheses/`, where a streamed speech is when it has
        come whole), `X-Speech-Seed`, and of what is not streamed `X-Speech-Seconds` and, where
        the guard had something to say, `X-Speech-Warnings`: a JSON list of sentences. Of a stream the guard's warnings
        are in the closing event, where `stream_format` is sse.
        """
        asked = SpeechSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        output = output_of(values, values["format"])
        voice = voice_find(user=request.user, given=values["voice"])
        wish = wish_of(values, request.user, voice, Channel.API)
        if values["stream"] or values.get("stream_format"):
            require_streamable(request, output)
            gone, events = hung_up(request._request), values.get("stream_format") == "sse"
            return streamed(lambda: speech_stream(wish=wish, gone=gone), output, events=events)
        return spoken(request, lambda gone: speech_make(wish=wish, gone=gone), output)
