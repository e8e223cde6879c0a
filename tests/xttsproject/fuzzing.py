"""What schemathesis makes of the API's description, and what may come back."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import schemathesis
from django.db import transaction
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from xttsproject.accounts.services import token_create


@dataclass(frozen=True)
class Known:
    """What there is, by what the API calls it in addresses (``datasets``) and in bodies (``dataset``)."""

    places: Mapping[str, Sequence[str]]
    """Of each sort one or more; requests are about them in turn."""
    fields: Mapping[str, Any]
    turns: Counter[str] = field(default_factory=Counter)


def not_broken(ctx: Any, response: Any, case: Any) -> None:
    """A model that is not there is answered 503, in words; what breaks is another matter."""
    assert response.status_code not in (500, 501, 502), response.text


# Not that what the schema allows is accepted, nor that the rest is refused: it cannot say which voices there are.
CHECKS = [not_broken, status_code_conformance, content_type_conformance, response_schema_conformance]


def described() -> Any:
    """The schema over the real application."""
    from xttsproject.wsgi import application

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return schemathesis.openapi.from_wsgi("/api/schema/?format=json", application)


def token_of(user: Any) -> dict[str, str]:
    """The headers with which they are known."""
    _row, token = token_create(user=user, name="test")
    return {"Authorization": f"Bearer {token}"}


def complaints(
    schema: Any,
    headers: dict[str, str],
    mode: GenerationMode,
    wanted: Callable[[Any], bool],
    *,
    examples: int,
    known: Known | None = None,
) -> list[str]:
    """What schemathesis finds wrong with the operations, and at least one of them must be there.

    With ``known``, addresses lead to things that there are, and so do bodies, as far as they are as described. What a
    request has changed is undone before the next.
    """
    found: list[str] = []
    operations = [result.ok() for result in schema.get_all_operations()]
    chosen = [operation for operation in operations if wanted(operation)]
    assert chosen
    for operation in chosen:

        @hypothesis.settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def check(case: Any) -> None:
            if known is not None:
                point(case, known, bodies=mode == GenerationMode.POSITIVE)
            with transaction.atomic():
                try:
                    case.call_and_validate(headers=headers, checks=CHECKS)
                finally:
                    transaction.set_rollback(True)

        try:
            check()
        except hypothesis.errors.Unsatisfiable:
            continue  # Nothing can be wrong in it.
        except (BaseExceptionGroup, AssertionError) as failure:
            found.append(f"{operation.label}: {failure}")
    return found


def point(case: Any, known: Known, *, bodies: bool) -> None:
    """Have a request be about what there is."""
    place = case.operation.path.removeprefix("/api/v1/").split("{")[0].strip("/")
    for name in case.path_parameters or {}:
        if place in known.places and name in ("id", "name"):
            there = known.places[place]
            case.path_parameters[name] = there[known.turns[case.operation.label] % len(there)]
            known.turns[case.operation.label] += 1
    if bodies and isinstance(case.body, dict):
        for name in case.body:
            if name in known.fields:
                case.body[name] = known.fields[name]
