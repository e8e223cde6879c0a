"""Names that the API does not know are refused, not passed over: a misspelt value would be left at its default."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any

from django.db.models import QuerySet
from django_filters import BooleanFilter
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.utils import html
from rest_framework.views import APIView

UNKNOWN = "unknown_field"
"""Code of the complaint."""

_LONGEST = 60
"""Characters of what is quoted of a request."""

_MOST = 20
"""Names that are complained about at once."""

_TRUTH = ("true", "True", "false", "False")

_CSRF = "csrfmiddlewaretoken"
"""A form may hold it besides its fields: Django's own check reads it there."""

_NESTS = (serializers.ListField, serializers.DictField, serializers.BaseSerializer)


class StrictSerializer(serializers.Serializer[Any]):
    """Base of every serializer whose data is a request's; to be named before ``ModelSerializer`` where that is one too.

    Fields that it does not have, or that are only read, are ValidationErrors with the code ``UNKNOWN``. The
    description says so by ``additionalProperties: false`` (see ``StrictSerializerExtension``).
    """

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            taken = {name: field for name, field in self.fields.items() if not field.read_only}
            unknown = [name for name in data if name not in taken]
            if html.is_html_input(data):
                unknown = [name for name in unknown if not _of_form(name, taken)]
            refuse(_complaints(data, unknown, taken, "field", told=self.fields))
        return super().to_internal_value(data)


def take_nothing(request: Request) -> None:
    """For addresses that take no values: what is sent there all the same is refused in the same words."""
    StrictSerializer(data=request.data).is_valid(raise_exception=True)


def take_from_address(request: Request, *known: str) -> None:
    """For addresses that read their values themselves: others are refused in the same words."""
    # In which form the answer is to come may be asked for at every address, as lists have it.
    everywhere = api_settings.URL_FORMAT_OVERRIDE
    unknown = [name for name in request.query_params if name not in known and name != everywhere]
    refuse(_complaints(request.query_params, unknown, known, "field"))


class StrictFilterBackend(DjangoFilterBackend):
    """Lists can be narrowed by what they know alone: a misspelt filter would let everything through."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        if getattr(view, "action", None) == "list":
            known = self._known(queryset, view)
            unknown = [name for name in request.query_params if name not in known]
            refuse(_complaints(request.query_params, unknown, known, "filter"))
        found: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return found

    def get_filterset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> Any:
        """Its form takes for nothing what is neither true nor false."""
        filterset = super().get_filterset(request, queryset, view)
        for name, each in filterset.filters.items() if filterset else ():
            given = request.query_params.get(name)
            if given and isinstance(each, BooleanFilter) and given not in _TRUTH:
                raise ValidationError({name: [f"{quoted(given)} is neither true nor false; give one of them."]})
        return filterset

    def _known(self, queryset: QuerySet[Any], view: Any) -> list[str]:
        filterset = self.get_filterset_class(view, queryset)
        pages = view.paginator
        return [
            *(filterset.base_filters if filterset else ()),
            OrderingFilter.ordering_param,
            *((pages.page_query_param, pages.page_size_query_param) if pages else ()),
            api_settings.URL_FORMAT_OVERRIDE,
        ]


class StrictOrderingFilter(OrderingFilter):
    """As lists are filtered, so are they ordered: by what they know."""

    def remove_invalid_fields(
        self, queryset: QuerySet[Any], fields: Iterable[str], view: APIView, request: Request
    ) -> list[str]:
        there = [name for name, _label in self.get_valid_fields(queryset, view, {"request": request})]
        asked = [field for field in fields if field]
        for field in asked:
            if field.removeprefix("-") not in there:
                complaint = f"{quoted(field)} is nothing to order by; choose one of {', '.join(there)}."
                raise ValidationError({self.ordering_param: [complaint]})
        return asked


def refuse(complaints: Mapping[str, str]) -> None:
    """ValidationError with the complaint about each name, if there is one."""
    if complaints:
        raise ValidationError({name: [ErrorDetail(text, code=UNKNOWN)] for name, text in complaints.items()})


def _complaints(
    given: Mapping[str, Any], unknown: Iterable[str], known: Collection[str], sort: str, told: Collection[str] = ()
) -> dict[str, str]:
    """Of each name; those that are ``told`` are in answers."""
    complaints = {}
    for name in islice(unknown, _MOST):
        got = f" (got {quoted(given.get(name))})" if is_plain(given.get(name)) else ""
        if name in told:
            complaints[name] = f"“{name}” is told in answers and cannot be set{got}; leave it out."
            continue
        near = get_close_matches(name.lower(), known, n=1)
        advice = f"did you mean “{near[0]}”?" if near else f"leave it out; /api/docs/ lists every {sort}."
        complaints[name] = f"There is no {sort} “{_short(name)}” here{got}; {advice}"
    return complaints


def _of_form(name: str, taken: Mapping[str, Any]) -> bool:
    """Whether a form may hold it: lists and what has fields of its own are written as ``name[0]``, ``name.field``."""
    whole = re.split(r"[\[.]", name, maxsplit=1)[0]
    return name == _CSRF or isinstance(taken.get(whole), _NESTS)


def is_plain(value: Any) -> bool:
    """Whether a value of a request can be quoted in a sentence."""
    return isinstance(value, bool | int | float) or (isinstance(value, str) and bool(value.strip()))


def quoted(value: Any) -> str:
    """A value of a request as Python writes it, cut where it is long."""
    return _short(repr(value))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
