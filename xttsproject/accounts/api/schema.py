"""What the API's description says besides what the views say themselves: how every address answers when it refuses."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field
from drf_spectacular.contrib.knox_auth_token import KnoxTokenScheme
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

# Of every address: bad input, no sign-in, not allowed, not there (or a page beyond the last).
_ANYWHERE = ("400", "401", "403", "404")
# Of those that change something: something stands in the way, too large, not a type that is taken.
_CHANGING = ("409", "413", "415")
_METHODS_CHANGING = {"post", "put", "patch", "delete"}
_MEANING = {
    "400": "What was sent is at fault; `param` names the field.",
    "401": "No token, or one that is not known any more.",
    "403": "You may not do this.",
    "404": "There is no such thing, or it is not shared with you.",
    "409": "Something stands in the way; the message says what.",
    "413": "Larger than the limit, which the message names.",
    "415": "Not a content type that this address takes.",
    "422": "The idempotency key was used for another request.",
    "429": "Too many wait already; come again after `Retry-After` seconds.",
    "503": "The model is missing, damaged or being stopped, the disk is full, or what is asked for is still looked at.",
    "504": "It took too long.",
}


class ErrorBodySerializer(serializers.Serializer[Any]):
    message = serializers.CharField(help_text="One sentence that names the thing, the value and what to do.")
    type = serializers.CharField(
        help_text="invalid_request_error, authentication_error, permission_error or server_error."
    )
    param = serializers.CharField(allow_null=True, help_text="The input at fault, where there is one.")
    code = serializers.CharField(help_text="For programs; stable.")
    about = serializers.DictField(required=False, help_text="What stands in the way, by its key.")
    fields = serializers.JSONField(required=False, help_text="Every complaint by field.")  # type: ignore[assignment]


class ErrorSerializer(serializers.Serializer[Any]):
    """Every error of the API, in the shape of OpenAI's."""

    error = ErrorBodySerializer()


class PortalSchema(AutoSchema):
    """Describes what answers hold by the model as well: a read-only field of a serializer does not say by itself that
    its column may be empty or null. Addresses stand together by what they are about."""

    def get_tags(self) -> list[str]:
        face, *rest = str(self.path).strip("/").split("/")
        return ["like OpenAI's"] if face == "v1" else [rest[1] if len(rest) > 1 else face]

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        column = _column(field) if direction == "response" and field.read_only else None
        if column is not None:
            field.allow_null = field.allow_null or column.null
            if column.blank and isinstance(field, serializers.ChoiceField):
                field.allow_blank = True
        return super()._map_serializer_field(field, direction, bypass_extensions)  # type: ignore[no-untyped-call]

    def _insert_field_validators(self, field: Any, schema: Any) -> None:
        super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]
        column = _column(field) if field.read_only else None
        if column is not None and column.blank and schema.get("format") in ("uri", "email"):
            # What is empty is no address.
            del schema["format"]


class ApiTokenScheme(KnoxTokenScheme):  # type: ignore[misc, no-untyped-call]
    target_class = "xttsproject.accounts.api.authentication.ApiTokenAuthentication"


class StrictSerializerExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A request that is strict takes its own fields alone. Answers stay open: they may come to tell more."""

    target_class = "xttsproject.strict.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "additionalProperties": False} if direction == "request" else schema


def _column(field: Any) -> Field[Any, Any] | None:
    """Where a serializer's field comes from, if that is a column of its model."""
    model = getattr(getattr(field.parent, "Meta", None), "model", None)
    if model is None or not isinstance(field.parent, serializers.ModelSerializer):
        return None
    try:
        column = model._meta.get_field(field.source)
    except FieldDoesNotExist:
        return None
    return column if isinstance(column, Field) else None


def describe_errors(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A hook of drf-spectacular: adds to every operation the refusals that it does not describe itself."""
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            if method == "parameters" or not path.startswith(("/api/v1/", "/v1/")):
                continue
            responses = operation["responses"]
            for status in (*_ANYWHERE, *(_CHANGING if method in _METHODS_CHANGING else ())):
                responses.setdefault(status, _refusal())
            for status, response in responses.items():
                if status in _MEANING and not response.get("description"):
                    response["description"] = _MEANING[status]
    return result


def _refusal() -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}, "description": ""}
