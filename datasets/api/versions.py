"""Health, comparison and clips of frozen versions."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.api.access import OwnedViewMixin, WavRenderer
from datasets.api.serializers import ManifestRowSerializer
from datasets.choices import ChangeKind
from datasets.models import DatasetVersion
from datasets.pipeline.comparing import Change, word_changes, written
from datasets.services.comparing import kind_checked, version_clip_path, versions_compare
from datasets.services.health import version_health, version_health_start
from xttsproject.http import file_response
from xttsproject.jobs.api.serializers import JobSerializer
from xttsproject.lib.errors import DomainError
from xttsproject.strict import take_from_address, take_nothing


class AdviceSerializer(serializers.Serializer[Any]):
    """What a rule says: `message` in full, `todo` in a few words; `finding` names the clips that it is about."""

    code = serializers.CharField()
    level = serializers.ChoiceField(choices=("warning", "advice", "good"))
    message = serializers.CharField()
    todo = serializers.CharField()
    finding = serializers.CharField()


class SpreadSerializer(serializers.Serializer[Any]):
    """`counts[i]` clips lie in `edges[i]` ≤ value < `edges[i + 1]`."""

    unit = serializers.CharField()
    clips = serializers.IntegerField()
    least = serializers.FloatField()
    p5 = serializers.FloatField()
    median = serializers.FloatField()
    p95 = serializers.FloatField()
    most = serializers.FloatField()
    edges = serializers.ListField(child=serializers.FloatField())
    counts = serializers.ListField(child=serializers.IntegerField())


class FindingSerializer(serializers.Serializer[Any]):
    """`clips` counts all of them; `ids` names the first few hundred."""

    clips = serializers.IntegerField()
    ids = serializers.ListField(child=serializers.CharField())


class CoverageSerializer(serializers.Serializer[Any]):
    """`unknown` and `unused` are null where there was no model, or where it reads the language by its sound."""

    words = serializers.IntegerField()
    distinct_words = serializers.IntegerField()
    once = serializers.IntegerField()
    commonest = serializers.ListField(child=serializers.ListField())
    characters = serializers.IntegerField()
    distinct_characters = serializers.IntegerField()
    statements = serializers.IntegerField()
    questions = serializers.IntegerField()
    exclamations = serializers.IntegerField()
    unended = serializers.IntegerField()
    letters = serializers.DictField(child=serializers.IntegerField())
    missing = serializers.ListField(child=serializers.CharField())
    other = serializers.DictField(child=serializers.IntegerField())
    unknown = serializers.DictField(child=serializers.IntegerField(), allow_null=True)
    unused = serializers.ListField(child=serializers.CharField(), allow_null=True)


class HealthSerializer(serializers.Serializer[Any]):
    """`gap`: seconds between the two blocks of a version of one recording."""

    summary = serializers.CharField()
    advice = AdviceSerializer(many=True)
    clips = serializers.IntegerField()
    clips_train = serializers.IntegerField()
    clips_validation = serializers.IntegerField()
    clips_short = serializers.IntegerField()
    clips_long = serializers.IntegerField()
    seconds = serializers.FloatField()
    seconds_train = serializers.FloatField()
    seconds_validation = serializers.FloatField()
    recordings = serializers.IntegerField()
    gap = serializers.FloatField(allow_null=True)
    measures = serializers.DictField(child=SpreadSerializer())
    text = CoverageSerializer()
    findings = serializers.DictField(child=FindingSerializer())
    bundle = serializers.CharField(help_text="The model whose tokenizer was asked; empty for none.")


class VersionHealthSerializer(serializers.Serializer[Any]):
    """`health` is null before a version was measured."""

    measured_at = serializers.DateTimeField(allow_null=True)
    health = HealthSerializer(allow_null=True)


class WordsSerializer(serializers.Serializer[Any]):
    sort = serializers.ChoiceField(choices=("same", "gone", "new"))
    text = serializers.CharField()


class ChangeSerializer(serializers.Serializer[Any]):
    """`before` is null for an added clip, `after` for a removed one; `words` compares the texts as they are written."""

    kinds = serializers.ListField(child=serializers.ChoiceField(choices=ChangeKind.choices))
    before = ManifestRowSerializer(allow_null=True)
    after = ManifestRowSerializer(allow_null=True)
    words = WordsSerializer(many=True)


class ComparisonSerializer(serializers.Serializer[Any]):
    """One page of what changed; `counts` and `unchanged` are of all."""

    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    unchanged = serializers.IntegerField()
    counts = serializers.DictField(child=serializers.IntegerField())
    results = ChangeSerializer(many=True)


class VersionInsightMixin(OwnedViewMixin):
    """Actions of the viewset of versions."""

    @extend_schema(methods=["GET"], responses=VersionHealthSerializer)
    @extend_schema(methods=["POST"], request=None, responses={202: JobSerializer})
    @action(detail=True, methods=["get", "post"], pagination_class=None, filterset_class=None)
    def health(self, request: Request, pk: Any = None) -> Response:
        """Read the stored health, or (POST) measure every clip anew and check that it is what was frozen."""
        if request.method == "POST":
            take_nothing(request)
            job = version_health_start(version=self.get_editable(), owner=request.user)
            return Response(JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)
        version = self.get_object()
        told = {"measured_at": version.measured_at, "health": version_health(version=version) or None}
        return Response(VersionHealthSerializer(told).data)

    @extend_schema(
        parameters=[
            OpenApiParameter("base", OpenApiTypes.UUID, required=True, description="The version to compare with."),
            OpenApiParameter("kind", OpenApiTypes.STR, enum=ChangeKind.values, description="Only changes of one kind."),
            OpenApiParameter("page", OpenApiTypes.INT),
        ],
        responses=ComparisonSerializer,
    )
    @action(detail=True, methods=["get"], filterset_class=None)
    def compare(self, request: Request, pk: Any = None) -> Response:
        """What changed from `base` to this version: clips added, removed, re-worded, moved, cut anew."""
        after = self.get_object()
        take_from_address(request, "base", "kind", "page", "page_size")
        try:
            before = get_object_or_404(self.get_queryset(), pk=serializers.UUIDField().run_validation(_base(request)))
        except serializers.ValidationError as error:
            raise serializers.ValidationError({"base": error.detail}) from error
        kind = kind_checked(request.query_params.get("kind", ""))
        comparison = versions_compare(before=before, after=after)
        changes: Any = comparison.of_kind(kind)
        # The viewset's own paginate_queryset looks for jobs of rows, which changes have none of.
        assert self.paginator is not None
        page: list[Change] = self.paginator.paginate_queryset(changes, request, view=self) or []
        answer = self.get_paginated_response(ChangeSerializer([_told(change) for change in page], many=True).data)
        assert isinstance(answer.data, dict)
        answer.data |= {"counts": comparison.counts(), "unchanged": comparison.unchanged}
        return answer

    @extend_schema(
        parameters=[OpenApiParameter("clip", OpenApiTypes.STR, OpenApiParameter.PATH)],
        responses={(200, "audio/wav"): OpenApiResponse(OpenApiTypes.BINARY, "Mono 22 050 Hz, 16-bit PCM.")},
    )
    @action(
        detail=True,
        methods=["get"],
        url_path=r"clips/(?P<clip>[^/]+)/audio",
        url_name="clip-audio",
        renderer_classes=[JSONRenderer, WavRenderer],
    )
    def clip_audio(self, request: Request, pk: Any = None, clip: str = "") -> HttpResponseBase:
        """A frozen clip as a WAV file."""
        version: DatasetVersion = self.get_object()
        try:
            path = version_clip_path(version=version, clip=clip)
        except DomainError as error:
            raise Http404(error.message) from error
        return file_response(request, path, content_type="audio/wav")


def _base(request: Request) -> str:
    return request.query_params.get("base", "")


def _told(change: Change) -> dict[str, Any]:
    before, after = (written(row) if row is not None else None for row in (change.before, change.after))
    words = word_changes(before if before is not None else after or "", after if after is not None else before or "")
    return {"kinds": change.kinds, "before": change.before, "after": change.after, "words": words}
