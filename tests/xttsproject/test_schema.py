"""The API answers as its description says, whatever is sent: schemathesis makes the requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from schemathesis.generation import GenerationMode

from tests.voices.factories import SynthesisFactory, VoiceFactory
from tests.xttsproject.fuzzing import CHECKS, complaints, described, token_of
from voices.models import Synthesis
from voices.services import lexicon_add
from voices.services.output import SUBTITLES

SPOKEN = r"^/(api/v1/(voices|speech|syntheses|lexicon|languages|decoding-searches)|v1)/"
EXAMPLES = 3


@pytest.fixture
def api(people: Any, settings: Any, tmp_path: Path) -> tuple[Any, dict[str, str]]:
    """The schema over the real application, and the headers of a person who has a little of everything."""
    # No model: what a model would answer is refused, in words.
    settings.MODELS_DIR = tmp_path
    voice = VoiceFactory(owner=people.anna)
    SynthesisFactory(
        owner=people.anna,
        voice=voice,
        sentences=[{"text": "Hello.", "start": 0.0, "end": 1.0, "codes": 20, "finished": True, "piece": 0}],
    )
    lexicon_add(owner=people.anna, written="SQL", spoken="sequel")
    return described(), token_of(people.anna)


def reads(operation: Any) -> bool:
    return bool(operation.method == "get" and "/metrics" not in operation.path)


def test_what_is_read_is_answered_as_described(api):
    schema, headers = api
    assert complaints(schema, headers, GenerationMode.POSITIVE, reads, examples=EXAMPLES) == []


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_what_is_sent_to_be_spoken_or_heard_is_answered_as_described(api, mode):
    schema, headers = api
    chosen = schema.include(path_regex=SPOKEN)
    posts = complaints(chosen, headers, mode, lambda operation: operation.method == "post", examples=EXAMPLES)
    assert posts == []


@pytest.mark.parametrize("form", SUBTITLES)
def test_every_form_of_subtitles_is_as_described(api, form):
    schema, headers = api
    subtitles = schema["/api/v1/syntheses/{id}/subtitles/"]["GET"]
    case = subtitles.Case(path_parameters={"id": str(Synthesis.objects.get().pk)}, query={"format": form})
    assert case.call_and_validate(headers=headers, checks=CHECKS).status_code == 200


def test_the_description_is_valid_and_has_no_ambiguities(db, tmp_path):
    """No warning of the generator's: two things of one name would be one thing in a client made from it."""
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))
    assert (tmp_path / "schema.yml").stat().st_size > 100_000
