"""Screening over HTTP: actions of a dataset, and how their answers look."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.api.access import OwnedViewMixin
from datasets.api.serializers import LeftOutSerializer, UsernameField
from datasets.choices import Verdict
from datasets.models import Screening
from datasets.pipeline.screening.catalogue import RULES
from datasets.pipeline.screening.policy import Policy
from datasets.services.clip_measures import dataset_measure_start
from datasets.services.leaving_out import dataset_left_out
from datasets.services.screening import (
    policy_of,
    policy_set,
    screening_preview,
    screening_start,
    screening_undo_start,
)
from xttsproject.jobs.api.serializers import JobSerializer
from xttsproject.strict import StrictSerializer, take_from_address, take_nothing


class ThresholdsSerializer(StrictSerializer):
    """Null switches a consequence off; what is left out keeps its default."""

    review = serializers.FloatField(required=False, allow_null=True)
    reject = serializers.FloatField(required=False, allow_null=True)


class PolicySerializer(StrictSerializer):
    """``approve``: clips that break no rule are approved. ``rules``: thresholds by the rules' names, in the units that
    measures are stored in (shares are 0 to 1)."""

    approve = serializers.BooleanField(required=False)
    rules = serializers.DictField(child=ThresholdsSerializer(), required=False)

    def policy(self) -> Policy:
        """DomainError ``policy_invalid``."""
        return Policy.from_dict(self.validated_data)


class RuleSerializer(serializers.Serializer[Any]):
    """A rule that a policy has thresholds for."""

    name = serializers.CharField()
    measure = serializers.CharField(source="measure.name")
    explanation = serializers.CharField(source="measure.explanation")
    side = serializers.ChoiceField(choices=("below", "above"))
    fault = serializers.CharField(help_text="Completes the sentence “it is …”.")
    least = serializers.FloatField()
    most = serializers.FloatField()


class PolicyAnswerSerializer(serializers.Serializer[Any]):
    policy = PolicySerializer()
    known_rules = RuleSerializer(many=True)


class ReasonSerializer(serializers.Serializer[Any]):
    """``value`` lies on the wrong side of ``threshold``; both are null for what no threshold can change."""

    rule = serializers.CharField()
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    sentence = serializers.CharField(help_text="Completes the sentence “it is …”.")
    measure = serializers.CharField(allow_blank=True)
    value = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField(allow_null=True)


class RuleCountSerializer(serializers.Serializer[Any]):
    rule = serializers.CharField()
    fault = serializers.CharField()
    review = serializers.IntegerField()
    reject = serializers.IntegerField()


class VerdictChangeSerializer(serializers.Serializer[Any]):
    segment = serializers.IntegerField()
    index = serializers.IntegerField()
    recording = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    before = serializers.CharField()
    after = serializers.CharField()
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    reasons = ReasonSerializer(many=True)


class PreviewSerializer(serializers.Serializer[Any]):
    """What applying the policy now would do; nothing is changed by asking."""

    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Clips by verdict.")
    rules = RuleCountSerializer(many=True)
    changes = VerdictChangeSerializer(many=True)
    kept = serializers.IntegerField(help_text="Decided by people and left alone.")
    imported = serializers.IntegerField(help_text="Of the kept: came in approved with an imported dataset.")
    unmeasured = serializers.IntegerField(help_text="Not judged: not measured since they last changed.")


class ScreeningSerializer(serializers.ModelSerializer[Screening]):
    """A policy as it was applied."""

    applied_by = UsernameField()
    counts = serializers.DictField(child=serializers.IntegerField(), read_only=True)

    class Meta:
        model = Screening
        fields = ("id", "policy", "counts", "applied_by", "created_at", "applied_at", "undone_at")
        read_only_fields = fields


class ScreeningStartedSerializer(serializers.Serializer[Any]):
    screening = ScreeningSerializer()
    job = JobSerializer()


class GroundSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    label = serializers.CharField(help_text="Completes the sentence “it is …”.")  # type: ignore[assignment]
    count = serializers.IntegerField()


class LeftOutNowSerializer(serializers.Serializer[Any]):
    """``results`` is one page of the rows; ``grounds`` counts all of them by reason."""

    count = serializers.IntegerField()
    taken = serializers.IntegerField(help_text="Clips that would be frozen.")
    unmeasured = serializers.IntegerField(help_text="Of these: not measured since they last changed.")
    grounds = GroundSerializer(many=True)
    results = LeftOutSerializer(many=True)


class ScreeningActions(OwnedViewMixin):
    """Actions of the datasets' viewset."""

    @extend_schema(methods=["GET"], responses=PolicyAnswerSerializer)
    @extend_schema(methods=["PUT"], request=PolicySerializer, responses=PolicyAnswerSerializer)
    @action(detail=True, methods=["get", "put"], pagination_class=None, filterset_class=None)
    def policy(self, request: Request, pk: Any = None) -> Response:
        """The policy of screening. Keeping another one changes no clip before it is applied."""
        if request.method == "PUT":
            dataset = self.get_editable()
            policy_set(dataset=dataset, policy=_given(request))
        else:
            dataset = self.get_object()
        answer = {"policy": policy_of(dataset=dataset).as_dict(), "known_rules": list(RULES.values())}
        return Response(PolicyAnswerSerializer(answer).data)

    @extend_schema(request=PolicySerializer, responses=PreviewSerializer)
    @action(detail=True, methods=["post"], pagination_class=None, filterset_class=None)
    def preview(self, request: Request, pk: Any = None) -> Response:
        """What a policy would do; without one, the policy that is kept."""
        dataset = self.get_editable()
        policy = _given(request) if request.data else policy_of(dataset=dataset)
        preview = screening_preview(dataset=dataset, policy=policy, editor=request.user)
        return Response(PreviewSerializer(preview).data)

    @extend_schema(request=None, responses={202: JobSerializer})
    @action(detail=True, methods=["post"], pagination_class=None, filterset_class=None)
    def measure(self, request: Request, pk: Any = None) -> Response:
        """Measure every clip that has not been measured since it last changed."""
        take_nothing(request)
        job = dataset_measure_start(dataset=self.get_editable(), owner=request.user)
        return Response(JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={202: ScreeningStartedSerializer})
    @action(detail=True, methods=["post"], pagination_class=None, filterset_class=None)
    def screen(self, request: Request, pk: Any = None) -> Response:
        """Apply the policy that is kept."""
        take_nothing(request)
        screening, job = screening_start(dataset=self.get_editable(), owner=request.user)
        answer = ScreeningStartedSerializer({"screening": screening, "job": job})
        return Response(answer.data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={202: JobSerializer})
    @action(detail=True, methods=["post"], pagination_class=None, filterset_class=None)
    def unscreen(self, request: Request, pk: Any = None) -> Response:
        """Undo what was applied last; what people decided since stays."""
        take_nothing(request)
        job = screening_undo_start(dataset=self.get_editable(), owner=request.user)
        return Response(JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses=ScreeningSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None, filterset_class=None)
    def screenings(self, request: Request, pk: Any = None) -> Response:
        """The policies that were applied, newest first."""
        rows = self.get_object().screenings.select_related("applied_by")
        return Response(ScreeningSerializer(rows, many=True).data)

    @extend_schema(
        parameters=[
            OpenApiParameter("code", OpenApiTypes.STR, description="Only clips left out for this reason."),
            OpenApiParameter("page", OpenApiTypes.INT),
        ],
        responses=LeftOutNowSerializer,
    )
    @action(detail=True, methods=["get"], url_path="left-out", filterset_class=None)
    def left_out(self, request: Request, pk: Any = None) -> Response:
        """Every clip that freezing now would leave out, and why."""
        dataset = self.get_object()
        take_from_address(request, "code", "page", "page_size")
        found = dataset_left_out(dataset=dataset, viewer=request.user, code=request.query_params.get("code", ""))
        assert self.paginator is not None
        page = self.paginator.paginate_queryset(list(found.rows), request, view=self)  # type: ignore[arg-type]
        answer = {
            "count": len(found.rows),
            "taken": found.taken,
            "unmeasured": found.unmeasured,
            "grounds": found.grounds,
            "results": page or [],
        }
        return Response(LeftOutNowSerializer(answer).data)


def _given(request: Request) -> Policy:
    serializer = PolicySerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer.policy()
