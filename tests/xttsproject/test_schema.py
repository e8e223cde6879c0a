"""The API answers as its description says, whatever is sent: schemathesis makes the requests."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.voices.factories import SynthesisFactory, VoiceFactory
from voices.services import lexicon_add
from xttsproject.accounts.services import token_create

SPOKEN = r"^/(api/v1/(voices|speech|syntheses|lexicon|languages|decoding-searches)|v1)/"
EXAMPLES = 3


def not_broken(ctx: Any, response: Any, case: Any) -> None:
    """A model that is not there is answered 503, in words; what breaks is another matter."""
    assert response.status_code not in (500, 501, 502), response.text


# Not that what the schema allows is accepted, nor that the rest is refused: it cannot say which voices there are.
CHECKS = [
    not_broken,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
def api(people: Any, settings: Any, tmp_path: Path) -> tuple[Any, dict[str, str]]:
    """The schema over the real application, and the headers of a person who has a little of everything."""
    from xttsproject.wsgi import application

    # No model: what a model would answer is refused, in words.
    settings.MODELS_DIR = tmp_path
    voice = VoiceFactory(owner=people.anna)
    SynthesisFactory(
        owner=people.anna,
        voice=voice,
        sentences=[{"text": "Hello.", "start": 0.0, "end": 1.0, "codes": 20, "finished": True, "piece": 0}],
    )
    lexicon_add(owner=people.anna, written="SQL", spoken="sequel")
    _row, token = token_create(user=people.anna, name="test")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", application)
    return schema, {"Authorization": f"Bearer {token}"}


def complaints(schema: Any, headers: dict[str, str], mode: GenerationMode, wanted: Callable[[Any], bool]) -> list[str]:
    """What schemathesis finds wrong with the operations, and at least one of them must be there."""
    found: list[str] = []
    operations = [result.ok() for result in schema.get_all_operations()]
    chosen = [operation for operation in operations if wanted(operation)]
    assert chosen
    for operation in chosen:

        @hypothesis.settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def check(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        try:
            check()
        except hypothesis.errors.Unsatisfiable:
            continue  # Nothing can be wrong in it.
        except ExceptionGroup as failures:
            found.append(f"{operation.label}: {failures.exceptions}")
    return found


def reads(operation: Any) -> bool:
    return bool(operation.method == "get" and "/metrics" not in operation.path)


def test_what_is_read_is_answered_as_described(api):
    schema, headers = api
    assert complaints(schema, headers, GenerationMode.POSITIVE, reads) == []


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_what_is_sent_to_be_spoken_or_heard_is_answered_as_described(api, mode):
    schema, headers = api
    chosen = schema.include(path_regex=SPOKEN)
    assert complaints(chosen, headers, mode, lambda operation: operation.method == "post") == []


def test_the_description_has_no_ambiguities_on_the_side_of_speech(db):
    from drf_spectacular.drainage import GENERATOR_STATS
    from drf_spectacular.generators import SchemaGenerator

    GENERATOR_STATS.reset()
    SchemaGenerator().get_schema(request=None, public=True)
    said = [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]
    assert [line for line in said if "voices/" in line] == []
