"""A person's lexicon over the API."""

from __future__ import annotations

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.api.access import OwnedViewMixin
from datasets.choices import LANGUAGE_CHOICES
from voices.models import LexiconEntry
from voices.querysets import LexiconQuerySet
from voices.services import lexicon_add, lexicon_delete, lexicon_import, lexicon_update
from xttsproject.accounts.models import Visibility
from xttsproject.strict import StrictSerializer


class LexiconSerializer(StrictSerializer, serializers.ModelSerializer[LexiconEntry]):
    """A word and how it is spoken. Longer words go before shorter ones, your own before the team's."""

    owner = serializers.CharField(source="owner.username", read_only=True)
    written = serializers.CharField(help_text="Up to 100 characters, as it stands in the text.")
    spoken = serializers.CharField(help_text="Up to 200 characters, as it sounds.")
    language = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text=f"Left out: all languages. One of {', '.join(code for code, _name in LANGUAGE_CHOICES)}.",
    )
    whole_word = serializers.BooleanField(default=True, help_text="Not within a longer word.")
    match_case = serializers.BooleanField(default=False, help_text="Only with the same small and capital letters.")
    visibility = serializers.ChoiceField(choices=Visibility.choices, default=Visibility.PRIVATE)

    class Meta:
        model = LexiconEntry
        fields = (
            "id",
            "owner",
            "visibility",
            "language",
            "written",
            "spoken",
            "whole_word",
            "match_case",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "owner", "created_at", "updated_at")
        # The service says who has the word already.
        validators: list[Any] = []


class LexiconTableSerializer(StrictSerializer):
    table = serializers.FileField(
        allow_empty_file=True,
        help_text="CSV in UTF-8: the columns written and spoken; language, whole_word and match_case if wanted.",
    )
    visibility = serializers.ChoiceField(choices=Visibility.choices, default=Visibility.PRIVATE)


class LexiconImportedSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    changed = serializers.IntegerField()


class LexiconFilter(django_filters.FilterSet):
    class Meta:
        model = LexiconEntry
        fields = ("language", "visibility")


@extend_schema_view(list=extend_schema(description="Your lexicon and what others share with the team."))
class LexiconViewSet(OwnedViewMixin, viewsets.ReadOnlyModelViewSet[LexiconEntry]):
    """How words are spoken: your own entries and those shared with you."""

    queryset = LexiconEntry.objects.none()
    serializer_class = LexiconSerializer
    filterset_class = LexiconFilter
    ordering_fields = ("written", "created_at", "updated_at")

    def get_queryset(self) -> LexiconQuerySet:
        return LexiconEntry.objects.visible_to(self.request.user).select_related("owner")

    @extend_schema(responses={201: LexiconSerializer})
    def create(self, request: Request) -> Response:
        """Add a word; what you have spoken from now on says it so."""
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        entry = lexicon_add(owner=request.user, **asked.validated_data)
        return Response(self.get_serializer(entry).data, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: Any = None) -> Response:
        """Change an entry of your own."""
        entry = self.get_editable()
        asked = self.get_serializer(entry, data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        return Response(self.get_serializer(lexicon_update(entry=entry, **asked.validated_data)).data)

    def destroy(self, request: Request, pk: Any = None) -> Response:
        """Delete an entry of your own."""
        lexicon_delete(entry=self.get_editable())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request={"multipart/form-data": LexiconTableSerializer}, responses=LexiconImportedSerializer)
    @action(detail=False, methods=["post"], url_path="import", parser_classes=[MultiPartParser])
    def import_table(self, request: Request) -> Response:
        """Add the rows of a CSV file, and change those of your words that it has anew: all rows or none."""
        asked = LexiconTableSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        added, changed = lexicon_import(owner=request.user, table=values["table"], visibility=values["visibility"])
        return Response({"added": added, "changed": changed})
