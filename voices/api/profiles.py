"""Quality profiles over the API."""

from __future__ import annotations

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.api.access import OwnedViewMixin
from voices.choices import GuardMode
from voices.engine.profiles import GUARDING, VALUES
from voices.models import QualityProfile
from voices.querysets import QualityProfileQuerySet
from voices.services import profile_copy, profile_delete, profile_find, profile_update
from voices.services.guarding import careful_missing
from xttsproject.accounts.models import Visibility
from xttsproject.strict import StrictSerializer
from xttsproject.xtts.guard.retries import MOST_CANDIDATES, MOST_RETRIES


class QualityProfileSerializer(serializers.ModelSerializer[QualityProfile]):
    """Values of sampling and of the guard under a name; null is the voice's own, and where it has none the model's or
    the guard's usual."""

    owner = serializers.CharField(source="owner.username", read_only=True, allow_null=True, default=None)
    builtin = serializers.BooleanField(source="is_builtin", read_only=True, help_text="One of the portal's own.")
    unavailable = serializers.SerializerMethodField(
        help_text="Why it cannot be used now: a careful guard without a transcription model. Empty where it can."
    )

    class Meta:
        model = QualityProfile
        fields = (
            "id",
            "name",
            "purpose",
            "owner",
            "visibility",
            "builtin",
            "unavailable",
            *VALUES,
            *GUARDING,
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_unavailable(self, profile: QualityProfile) -> str:
        return careful_missing() if profile.guard == GuardMode.CAREFUL else ""


class ProfileUpdateSerializer(StrictSerializer):
    name = serializers.CharField(required=False, max_length=60)
    purpose = serializers.CharField(required=False, allow_blank=True, max_length=200)
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False)
    temperature = serializers.FloatField(required=False, allow_null=True, help_text="0.01 to 2.")
    top_k = serializers.IntegerField(required=False, allow_null=True, help_text="0 to 1024; 0 keeps all codes.")
    top_p = serializers.FloatField(required=False, allow_null=True, help_text="0.01 to 1.")
    repetition_penalty = serializers.FloatField(required=False, allow_null=True, help_text="1 to 50.")
    speed = serializers.FloatField(required=False, allow_null=True, help_text="0.25 to 4; 1 is natural.")
    guard = serializers.ChoiceField(
        choices=GuardMode.choices,
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="How sentences are guarded; empty: as the voice has it.",
    )
    max_retries = serializers.IntegerField(required=False, allow_null=True, help_text=f"0 to {MOST_RETRIES}.")
    candidates = serializers.IntegerField(
        required=False, allow_null=True, help_text=f"1 to {MOST_CANDIDATES}, of a careful guard."
    )


class ProfileCopySerializer(ProfileUpdateSerializer):
    name = serializers.CharField(max_length=60)
    copy_of = serializers.CharField(help_text="Id or name of the profile whose values it begins with.")


class ProfileFilter(django_filters.FilterSet):
    builtin = django_filters.BooleanFilter(field_name="owner", lookup_expr="isnull")

    class Meta:
        model = QualityProfile
        fields = ("visibility",)


@extend_schema_view(list=extend_schema(description="The portal's own, yours, and those shared with you."))
class QualityProfileViewSet(OwnedViewMixin, viewsets.ReadOnlyModelViewSet[QualityProfile]):
    """Quality profiles. The portal's own are changed by nobody."""

    queryset = QualityProfile.objects.none()
    serializer_class = QualityProfileSerializer
    filterset_class = ProfileFilter
    ordering_fields = ("name", "created_at", "updated_at")

    def get_queryset(self) -> QualityProfileQuerySet:
        return QualityProfile.objects.visible_to(self.request.user).select_related("owner")

    @extend_schema(request=ProfileCopySerializer, responses={201: QualityProfileSerializer})
    def create(self, request: Request) -> Response:
        """Copy a profile to one of your own, with other values where you give them."""
        asked = ProfileCopySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = dict(asked.validated_data)
        original = profile_find(user=request.user, given=values.pop("copy_of"), field="copy_of")
        made = profile_copy(owner=request.user, profile=original, **values)
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ProfileUpdateSerializer, responses=QualityProfileSerializer)
    def partial_update(self, request: Request, pk: Any = None) -> Response:
        """Change a profile of your own."""
        profile = self.get_editable()
        asked = ProfileUpdateSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(self.get_serializer(profile_update(profile=profile, **asked.validated_data)).data)

    def destroy(self, request: Request, pk: Any = None) -> Response:
        """Delete a profile of your own; voices that spoke with it speak as their models do."""
        profile_delete(profile=self.get_editable())
        return Response(status=status.HTTP_204_NO_CONTENT)
