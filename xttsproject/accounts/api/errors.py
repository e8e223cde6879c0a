"""One shape for every error of the API.

``{"error": {"message", "type", "param", "code"}}``: the shape that OpenAI's clients understand, so that one
client code serves all endpoints. ``code`` is stable and for programs, ``param`` names the input at fault; ``about``,
where it is there, points to what stands in the way (``{"recording": id}`` for bytes that are already here).
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from xttsproject.lib.errors import DomainError
from xttsproject.strict import UNKNOWN, is_plain, quoted

_SIGN_IN = "send one of the tokens of your profile page as “Authorization: Bearer <token>”."

# Domain errors are the caller's input at fault unless their code says otherwise.
_STATUS = {
    "duplicate": status.HTTP_409_CONFLICT,
    "idempotency_in_progress": status.HTTP_409_CONFLICT,
    "idempotency_key_reused": status.HTTP_422_UNPROCESSABLE_ENTITY,
    "in_use": status.HTTP_409_CONFLICT,
    "playlist_not_ready": status.HTTP_409_CONFLICT,
    "not_segmented": status.HTTP_409_CONFLICT,
    "nothing_to_transcribe": status.HTTP_409_CONFLICT,
    "job_active": status.HTTP_409_CONFLICT,
    "job_ended": status.HTTP_409_CONFLICT,
    "job_not_retryable": status.HTTP_409_CONFLICT,
    "run_active": status.HTTP_409_CONFLICT,
    "run_ended": status.HTTP_409_CONFLICT,
    "run_not_resumable": status.HTTP_409_CONFLICT,
    "nothing_to_compare": status.HTTP_409_CONFLICT,
    "nothing_to_score": status.HTTP_409_CONFLICT,
    "sample_gone": status.HTTP_404_NOT_FOUND,
    "vote_given": status.HTTP_409_CONFLICT,
    "forbidden": status.HTTP_403_FORBIDDEN,
    "too_large": status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    "model_missing": status.HTTP_503_SERVICE_UNAVAILABLE,
    "model_damaged": status.HTTP_503_SERVICE_UNAVAILABLE,
    "disk_full": status.HTTP_503_SERVICE_UNAVAILABLE,
    "model_not_finite": status.HTTP_503_SERVICE_UNAVAILABLE,
    "memory_full": status.HTTP_503_SERVICE_UNAVAILABLE,
    "check_pending": status.HTTP_503_SERVICE_UNAVAILABLE,
    "too_many_waiting": status.HTTP_429_TOO_MANY_REQUESTS,
    "busy": status.HTTP_429_TOO_MANY_REQUESTS,
    "model_unknown": status.HTTP_404_NOT_FOUND,
    "profile_unknown": status.HTTP_404_NOT_FOUND,
    "voice_unknown": status.HTTP_404_NOT_FOUND,
    "version_damaged": status.HTTP_409_CONFLICT,
    "version_frozen": status.HTTP_409_CONFLICT,
    "version_not_ready": status.HTTP_409_CONFLICT,
    "voice_not_ready": status.HTTP_409_CONFLICT,
    "voice_failed": status.HTTP_409_CONFLICT,
    "voice_outdated": status.HTTP_409_CONFLICT,
    "chapter_unknown": status.HTTP_404_NOT_FOUND,
    "speech_ended": status.HTTP_409_CONFLICT,
    "speech_finishing": status.HTTP_409_CONFLICT,
    "speech_gone": status.HTTP_410_GONE,
    "speech_not_long": status.HTTP_409_CONFLICT,
    "speech_not_resumable": status.HTTP_409_CONFLICT,
    "speech_unfinished": status.HTTP_409_CONFLICT,
    "voice_gone": status.HTTP_409_CONFLICT,
    "speech_stopped": status.HTTP_503_SERVICE_UNAVAILABLE,
    "speech_timeout": status.HTTP_504_GATEWAY_TIMEOUT,
}


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler; None (an unexpected error) becomes Django's 500."""
    if isinstance(error, DomainError):
        code = _STATUS.get(error.code, status.HTTP_400_BAD_REQUEST)
        data = body(error.message, code=error.code, param=error.field, http=code)
        if error.about:
            data["error"]["about"] = error.about
        return Response(_legible(data), status=code)
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        param, complaint = _first(error.detail)
        message, code_ = str(complaint), "invalid"
        if getattr(complaint, "code", "") == UNKNOWN:
            code_ = UNKNOWN  # Names and quotes all there is.
        elif param:
            message = _with_value(f"{param}: {message}", _given(context["request"], param))
        data = body(message, code=code_, param=param, http=response.status_code)
        data["error"]["fields"] = error.detail
    else:
        if isinstance(error, Http404):
            code_, message = "not_found", "There is no such thing, or it is not shared with you."
        elif isinstance(error, PermissionDenied):
            code_, message = "forbidden", "You may not do this."
        else:
            code_ = getattr(error, "default_code", "error")
            message = _sentence(error, context["view"])
        data = body(message, code=code_, param=None, http=response.status_code)
    response.data = _legible(data)
    return response


def _sentence(error: Any, view: Any) -> str:
    """What DRF says, with what to do about it."""
    said = str(getattr(error, "detail", error))
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return f"{said.removesuffix('.')}; {_SIGN_IN}"
    if isinstance(error, exceptions.MethodNotAllowed):
        return f"{said.removesuffix('.')}; this address takes {', '.join(view.allowed_methods)}."
    if isinstance(error, exceptions.UnsupportedMediaType):
        return f"{said.removesuffix('.')}; send {' or '.join(each.media_type for each in view.get_parsers())}."
    return said


def body(message: str, *, code: str, param: str | None, http: int) -> dict[str, Any]:
    kind = "server_error" if http >= 500 else "invalid_request_error"
    if http in (401, 403):
        kind = "authentication_error" if http == 401 else "permission_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _given(request: Any, param: str) -> Any:
    """What was sent under a field's dotted name, in the body or else in the address; None where that is not there."""
    for found in (_body_of(request), request.query_params):
        for name in param.split("."):
            if isinstance(found, list):
                found = found[int(name)] if name.isdecimal() and int(name) < len(found) else None
            else:
                found = found.get(name) if hasattr(found, "get") else None
        if found is not None:
            return found
    return None


def _body_of(request: Any) -> Any:
    """Of a request whose body nobody has read yet, because its address was at fault, that may be no body at all."""
    try:
        return request.data
    except exceptions.APIException:
        return {}


def _with_value(message: str, given: Any) -> str:
    """DRF's own complaints do not quote what they complain about."""
    if is_plain(given) and quoted(given) not in message and str(given) not in message:
        return f"{message.removesuffix('.')}, got {quoted(given)}."
    return message


def _legible(data: Any) -> Any:
    """The same with question marks for halves of surrogate pairs.

    JSON can hold them, UTF-8 cannot, and a complaint quotes what it is about.
    """
    if isinstance(data, dict):
        return {_legible(key): _legible(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_legible(value) for value in data]
    return data.encode(errors="replace").decode() if isinstance(data, str) else data


def _first(detail: Any, path: str = "") -> tuple[str | None, Any]:
    """The first complaint in DRF's nested details, and its field's dotted name before it."""
    if isinstance(detail, dict) and detail:
        key, value = next(iter(detail.items()))
        name = path if key == "non_field_errors" else f"{path}.{key}".strip(".")
        return _first(value, name)
    if isinstance(detail, list) and detail:
        return _first(detail[0], path)
    return path or None, detail
