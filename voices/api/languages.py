"""The languages that can be spoken, and by which models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from xttsproject.bundles.manifest import list_bundles
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.config import read_config
from xttsproject.xtts.languages import LANGUAGES, Language


@dataclass(frozen=True)
class SpokenLanguage:
    """A language and the names of the models on this machine that speak it."""

    language: Language
    models: tuple[str, ...]


class LanguageSerializer(serializers.Serializer[SpokenLanguage]):
    code = serializers.CharField(source="language.code")
    name = serializers.CharField(source="language.name")
    max_characters = serializers.IntegerField(
        source="language.max_chars", help_text="Of one sentence after normalising; longer texts are cut into such."
    )
    available = serializers.BooleanField(
        source="language.available", help_text="Whether this installation can read the language's script."
    )
    models = serializers.ListField(child=serializers.CharField(), help_text="Models here that speak it, by name.")


class LanguageListSerializer(serializers.Serializer[Any]):
    max_characters_of_a_request = serializers.IntegerField(help_text="SPEECH_MAX_CHARACTERS.")
    languages = LanguageSerializer(many=True)


class LanguagesView(APIView):
    @extend_schema(responses=LanguageListSerializer)
    def get(self, request: Request) -> Response:
        """The languages of XTTS with their limits, and which models on this machine speak them."""
        spoken = _models_by_language()
        rows = [SpokenLanguage(language, spoken.get(code, ())) for code, language in LANGUAGES.items()]
        answer = {"max_characters_of_a_request": settings.SPEECH_MAX_CHARACTERS, "languages": rows}
        return Response(LanguageListSerializer(answer).data)


def _models_by_language() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for bundle in list_bundles(settings.MODELS_DIR):
        if bundle.kind != "xtts":
            continue
        try:
            speaks = bundle.languages or read_config(bundle.path).languages
        except DomainError:
            # Damaged in a way that its manifest does not show; it speaks nothing.
            continue
        for code in speaks:
            found[code] = (*found.get(code, ()), bundle.path.name)
    return found
