from typing import Any

from rest_framework import serializers

from xttsproject.accounts.models import User


class MeSerializer(serializers.ModelSerializer[User]):
    """The person whom the token belongs to."""

    groups: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField(
        slug_field="name", many=True, read_only=True
    )

    class Meta:
        model = User
        fields = ("id", "username", "email", "groups", "is_superuser")
        read_only_fields = fields
