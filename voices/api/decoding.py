"""Searches for a voice's values over the API."""

from __future__ import annotations

from typing import Any

import django_filters
from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from datasets.api.access import OwnedViewMixin
from datasets.api.serializers import VisiblePrimaryKeyField
from training.api.sweep_serializers import SpaceField
from training.engine.search import DECODING, Space
from voices.api.fields import AnyAccept
from voices.models import Candidate, DecodingSearch, Voice
from voices.querysets import DecodingSearchQuerySet
from voices.services import decoding_cancel, decoding_create, decoding_delete, decoding_use
from voices.services.decoding import PRESET_COUNT, PRESET_SPACE, decoding_best
from xttsproject.accounts.api.filters import VisibleFilter
from xttsproject.http import file_response
from xttsproject.strict import StrictSerializer, take_nothing

_NAMES = ", ".join(parameter.name for parameter in DECODING)


class CandidateSerializer(serializers.ModelSerializer[Candidate]):
    """Values to speak with and how they were measured; ``index`` 0 is the voice as it was."""

    samples = serializers.SerializerMethodField(help_text="Text, seed, seconds, figures, and where the WAV is fetched.")

    class Meta:
        model = Candidate
        fields = ("index", "values", "seeds", "figures", "composite", "samples")
        read_only_fields = fields

    @extend_schema_field({"type": "array", "items": {"type": "object", "additionalProperties": {}}})
    def get_samples(self, candidate: Candidate) -> list[dict[str, Any]]:
        return [
            {
                **{name: value for name, value in sample.items() if name != "path"},
                "audio": reverse(
                    "decoding-search-audio",
                    args=(candidate.search_id, candidate.index, number),
                    request=self.context.get("request"),
                ),
            }
            for number, sample in enumerate(candidate.samples)
        ]


class DecodingSearchSerializer(serializers.ModelSerializer[DecodingSearch]):
    """A search for the values with which a voice speaks best."""

    space = SpaceField(read_only=True)
    best = serializers.SerializerMethodField(help_text="Index of the best candidate so far.")
    candidates = CandidateSerializer(many=True, read_only=True)

    class Meta:
        model = DecodingSearch
        fields = (
            "id",
            "voice",
            "space",
            "count",
            "seed",
            "texts",
            "write_winner",
            "job",
            "state",
            "error_code",
            "error",
            "best",
            "created_at",
            "finished_at",
            "candidates",
        )
        read_only_fields = fields

    def get_best(self, search: DecodingSearch) -> int | None:
        return decoding_best(search=search)


class DecodingSearchCreateSerializer(StrictSerializer):
    voice = VisiblePrimaryKeyField(queryset=Voice.objects.all())
    space = SpaceField(
        default=PRESET_SPACE, help_text=f"By name ({_NAMES}): a list of `values`, or a range from `low` to `high`."
    )
    count = serializers.IntegerField(default=PRESET_COUNT)
    seed = serializers.IntegerField(default=1)
    text = serializers.CharField(default="", allow_blank=True, max_length=500, help_text="Said besides the fixed four.")
    write_winner = serializers.BooleanField(default=False)


class UseSerializer(StrictSerializer):
    candidate = serializers.IntegerField(min_value=0, help_text="Its index.")


class DecodingSearchFilter(django_filters.FilterSet):
    voice = VisibleFilter(Voice)

    class Meta:
        model = DecodingSearch
        fields = ("voice", "state")


class DecodingSearchViewSet(
    OwnedViewMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[DecodingSearch],
):
    """Searches for the values with which voices speak best. Starting one is for whoever may change the voice."""

    queryset = DecodingSearch.objects.none()
    serializer_class = DecodingSearchSerializer
    filterset_class = DecodingSearchFilter
    ordering_fields = ("created_at", "finished_at")

    def get_queryset(self) -> DecodingSearchQuerySet:
        searches = DecodingSearch.objects.visible_to(self.request.user).with_relations()
        return searches.prefetch_related("candidates").order_by("-created_at")

    @extend_schema(request=DecodingSearchCreateSerializer, responses={201: DecodingSearchSerializer})
    def create(self, request: Request) -> Response:
        """Let candidates speak and be measured, as a job on the gpu queue; follow it here or by its ``job``."""
        asked = DecodingSearchCreateSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        if not Voice.objects.editable_by(request.user).filter(pk=given["voice"].pk).exists():
            raise PermissionDenied
        space = given["space"]
        search = decoding_create(
            voice=given["voice"],
            user=request.user,
            space=Space.from_dict(space if isinstance(space, dict) else {}, DECODING),
            count=given["count"],
            seed=given["seed"],
            text=given["text"],
            write_winner=given["write_winner"],
        )
        return Response(self._shown(search), status=201)

    def perform_destroy(self, instance: DecodingSearch) -> None:
        decoding_delete(search=self.get_editable())

    @extend_schema(request=None, responses=DecodingSearchSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: Any = None) -> Response:
        """Stop the search; what was measured is kept."""
        take_nothing(request)
        search = self.get_editable()
        decoding_cancel(search=search)
        return Response(self._shown(search))

    @extend_schema(request=UseSerializer, responses=DecodingSearchSerializer)
    @action(detail=True, methods=["post"])
    def use(self, request: Request, pk: Any = None) -> Response:
        """Give the voice a candidate's values."""
        search = self.get_editable()
        asked = UseSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        rows = Candidate.objects.filter(search=search).select_related("search__voice")
        decoding_use(candidate=get_object_or_404(rows, index=asked.validated_data["candidate"]))
        return Response(self._shown(search))

    @extend_schema(
        responses={(200, "audio/wav"): OpenApiTypes.BINARY},
        parameters=[
            OpenApiParameter("index", OpenApiTypes.INT, OpenApiParameter.PATH),
            OpenApiParameter("number", OpenApiTypes.INT, OpenApiParameter.PATH),
        ],
    )
    @action(
        detail=True,
        url_path=r"candidates/(?P<index>\d{1,9})/samples/(?P<number>\d{1,9})",
        url_name="audio",
        content_negotiation_class=AnyAccept,
    )
    def audio(self, request: Request, pk: Any = None, index: str = "", number: str = "") -> HttpResponseBase:
        """What a candidate said, as a 24 kHz WAV."""
        rows = Candidate.objects.filter(search=self.get_object()).select_related("search__voice")
        candidate = get_object_or_404(rows, index=int(index))
        if int(number) >= len(candidate.samples):
            raise Http404("This candidate has said no such sentence.")
        return file_response(request._request, candidate.audio_path(int(number)), content_type="audio/wav")

    def _shown(self, search: DecodingSearch) -> dict[str, Any]:
        return dict(self.get_serializer(self.get_queryset().get(pk=search.pk)).data)
