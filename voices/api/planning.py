"""What will be spoken of a text, without speaking it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from voices.api.serializers import SpeechPlanSerializer
from voices.engine.planning import PlannedSentence
from voices.services import pauses_of, script_plan, script_preview, voice_find
from voices.services.previewing import Preview, PreviewedPart
from voices.services.speech import checked_text
from xttsproject.accounts.api.schema import ErrorSerializer


class PlannedSentenceSerializer(serializers.Serializer[PlannedSentence]):
    text = serializers.CharField(help_text="As the model is given it.")
    characters = serializers.IntegerField(help_text="As the model counts them.")
    character_limit = serializers.IntegerField(help_text="The language's.")
    tokens = serializers.IntegerField()
    token_limit = serializers.IntegerField(help_text="The model's.")


class StretchSerializer(serializers.Serializer[Any]):
    written = serializers.CharField()
    spoken = serializers.CharField(allow_null=True, help_text="What the lexicon puts there; null: it has nothing.")


class PlannedPartSerializer(serializers.Serializer[PreviewedPart]):
    voice = serializers.UUIDField(source="part.voice.pk")
    voice_name = serializers.CharField(source="part.voice.name")
    language = serializers.CharField(source="part.language")
    detected = serializers.BooleanField(source="part.detected", help_text="The language was told from the text.")
    paragraph = serializers.IntegerField(source="part.paragraph", help_text="From 0.")
    pause = serializers.FloatField(source="part.pause", help_text="Seconds of silence before it.")
    stretches = StretchSerializer(
        source="part.stretches", many=True, help_text="The text as written, cut where words of the lexicon stand."
    )
    spoken = serializers.CharField(source="part.spoken")
    sentences = PlannedSentenceSerializer(many=True)
    seconds = serializers.FloatField(help_text="About, its pauses included.")
    unread = serializers.CharField(help_text="Signs that the model does not know and says nothing for; mostly empty.")


class SpeechPreviewSerializer(serializers.Serializer[Preview]):
    """What will be spoken, in order."""

    parts = PlannedPartSerializer(many=True)
    pause_after = serializers.FloatField(help_text="Seconds of silence after the last part.")
    seconds = serializers.FloatField(help_text="About, all pauses included.")


class SpeechPlanView(APIView):
    @extend_schema(request=SpeechPlanSerializer, responses={200: SpeechPreviewSerializer, 503: ErrorSerializer})
    def post(self, request: Request) -> Response:
        """What will be spoken: voices, languages, pauses, words of your lexicon, sentences and their sizes."""
        asked = SpeechPlanSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        plan = script_plan(
            user=request.user,
            voice=voice_find(user=request.user, given=values["voice"]),
            text=checked_text(values["text"], "text"),
            language=values.get("language", ""),
            pauses=pauses_of(values),
        )
        preview = script_preview(user=request.user, plan=plan, speed=values["speed"])
        return Response(SpeechPreviewSerializer(preview).data)
