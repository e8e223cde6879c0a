"""The part of OpenAI's API that its clients need for speech. Base URL: ``<portal>/v1``; key: a token of the portal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from voices.api.answers import (
    KEY_PARAMETER,
    SPOKEN,
    SpeakingView,
    output_of,
    require_streamable,
    spoken,
    streamable,
)
from voices.api.fields import (
    AnyAccept,
    FormatField,
    GuardSerializer,
    PausesSerializer,
    SamplingSerializer,
    SoundSerializer,
    StreamFormatField,
)
from voices.api.wishes import wish_of
from voices.choices import Channel
from voices.clients import hung_up
from voices.models import Voice
from voices.services import speech_make, speech_stream, studio_offered, voice_find
from voices.streamed import streamed
from xttsproject.bundles.manifest import Bundle, list_bundles
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.text import shorten


@extend_schema_field(OpenApiTypes.STR)
class VoiceReference(serializers.CharField):
    """A voice's id or name; newer clients may send ``{"id": …}``."""

    def to_internal_value(self, data: Any) -> str:
        given = data.get("id") if isinstance(data, dict) else data
        if not isinstance(given, str) or not given.strip():
            raise serializers.ValidationError(f"A voice is given by its id or name, got {shorten(repr(data))}.")
        value: str = super().to_internal_value(given)
        return value


class OpenAISpeechSerializer(PausesSerializer, SamplingSerializer, SoundSerializer, GuardSerializer):
    """OpenAI's ``POST /v1/audio/speech``; language, pauses, seed and the other sampling values are additions."""

    model = serializers.CharField(
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="The voice decides which model speaks. A model of `/v1/models` other than the voice's is refused; "
        "other names, which many clients send unasked, are accepted.",
    )
    voice = VoiceReference(help_text="Id or name of a voice of the portal.")
    input = serializers.CharField(allow_blank=True)
    response_format = FormatField(required=False, allow_null=True, help_text="mp3 unless given.")
    instructions = serializers.CharField(
        required=False, allow_blank=True, allow_null=True, help_text="Accepted and not followed: XTTS takes none."
    )
    stream_format = StreamFormatField()
    stream = serializers.BooleanField(
        required=False,
        allow_null=True,
        help_text="Left out, and without `stream_format`: the sound is sent sentence by sentence, each when the guard "
        "is done with it (at once where `guard` is `off`), and whole where it has a `loudness` or the request an "
        "`Idempotency-Key`. `true`: while it is spoken, as `stream_format` does. `false`: whole, with its length and "
        "the headers `X-Speech-Seconds` and `X-Speech-Warnings`.",
    )
    language = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Left out: the voice's own. `auto`: told from the text, by paragraph.",
    )


class OpenAIModelSerializer(serializers.Serializer[Bundle]):
    id = serializers.CharField(source="path.name")
    object = serializers.SerializerMethodField()
    created = serializers.SerializerMethodField(help_text="When it came to this machine, in seconds since 1970.")
    owned_by = serializers.CharField(source="source")
    kind = serializers.CharField(help_text="xtts speaks, whisper transcribes.")
    licence = serializers.CharField()
    notice = serializers.CharField()

    def get_object(self, bundle: Bundle) -> str:
        return "model"

    def get_created(self, bundle: Bundle) -> int:
        return int((bundle.path / "manifest.json").stat().st_mtime)


class OpenAIModelListSerializer(serializers.Serializer[Any]):
    object = serializers.CharField()
    data = OpenAIModelSerializer(many=True)  # type: ignore[assignment]


class OpenAIVoiceSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="What `voice` of a speech may be; its name does as well.")
    name = serializers.CharField()
    language = serializers.CharField(help_text="What it speaks unless another is asked for.")
    model = serializers.CharField(source="bundle")
    studio = serializers.BooleanField(
        help_text="A voice that came with the model, which is called by its name and becomes yours with the first use."
    )


class OpenAIVoiceListSerializer(serializers.Serializer[Any]):
    voices = OpenAIVoiceSerializer(many=True)


class OpenAISpeechView(SpeakingView):
    content_negotiation_class = AnyAccept

    @extend_schema(request=OpenAISpeechSerializer, responses=SPOKEN, parameters=[KEY_PARAMETER])
    def post(self, request: Request) -> HttpResponseBase:
        """Speak a text as OpenAI's clients ask for it. The sound is sent as it grows, unless it is asked for whole.

        The headers say what it is: `X-Synthesis-Id` (see `/api/v1/syntheses/`, where it is with the guard's warnings
        when it has come whole), `X-Speech-Seed`, `X-Speech-Model`.
        """
        asked = OpenAISpeechSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        voice = voice_find(user=request.user, given=values["voice"])
        _require_model(values.get("model"), voice)
        output = output_of(values, values.get("response_format") or "mp3")
        wish = wish_of(values, request.user, voice, Channel.OPENAI, text_field="input")
        stream, stream_format = values.get("stream"), values.get("stream_format")
        if stream or stream_format:
            require_streamable(request, output)
        if stream or stream_format or (stream is None and streamable(request, output)):
            gone, settled = hung_up(request._request), not (stream or stream_format)
            return streamed(
                lambda: speech_stream(wish=wish, gone=gone, settled=settled), output, events=stream_format == "sse"
            )
        return spoken(request, lambda gone: speech_make(wish=wish, gone=gone), output)


class OpenAIModelsView(APIView):
    @extend_schema(responses=OpenAIModelListSerializer, operation_id="v1_models_list")
    def get(self, request: Request) -> Response:
        """The models on this machine: those that speak, and those that transcribe."""
        return Response(OpenAIModelListSerializer({"object": "list", "data": _models()}).data)


class OpenAIModelView(APIView):
    @extend_schema(responses=OpenAIModelSerializer)
    def get(self, request: Request, name: str) -> Response:
        """One model."""
        for bundle in _models():
            if bundle.path.name == name:
                return Response(OpenAIModelSerializer(bundle).data)
        raise DomainError("model_unknown", f"There is no model “{name}”; see /v1/models.", field="model")


class OpenAIVoicesView(APIView):
    @extend_schema(responses=OpenAIVoiceListSerializer)
    def get(self, request: Request) -> Response:
        """The voices you may use that are ready to speak, and those that come with the models."""
        rows: list[dict[str, Any]] = [
            {
                "id": str(voice.pk),
                "name": voice.name,
                "language": voice.language,
                "bundle": voice.bundle,
                "studio": False,
            }
            for voice in Voice.objects.visible_to(request.user).ready()
        ]
        rows += [{"id": each.name, **asdict(each), "studio": True} for each in studio_offered(user=request.user)]
        return Response(OpenAIVoiceListSerializer({"voices": rows}).data)


def _models() -> list[Bundle]:
    return list_bundles(settings.MODELS_DIR)


def _require_model(name: str | None, voice: Voice) -> None:
    if name != voice.bundle and any(bundle.path.name == name for bundle in _models()):
        raise DomainError(
            "model_mismatch", f"The voice “{voice.name}” speaks with {voice.bundle}, not with {name}.", field="model"
        )
