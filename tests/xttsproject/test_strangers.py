"""What belongs to somebody else: whatever is asked of it, by whoever does not share it, it is not there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.voices.conftest import speaking as speaking
from tests.xttsproject.test_schema_writes import everything
from tests.xttsproject.test_unknown_fields import described, led
from voices.models import SynthesisSentence

pytestmark = pytest.mark.django_db

METHODS = ("get", "post", "put", "patch", "delete")


def operations() -> list[tuple[str, str]]:
    return [
        (method, path)
        for path, there in described()["paths"].items()
        for method in there
        if method in METHODS and path.startswith(("/api/v1/", "/v1/"))
    ]


def test_nothing_is_told_to_whoever_has_not_signed_in(db, client):
    for method, path in operations():
        numbered = re.sub("{(number|index|place)}", "1", path)
        answer = getattr(client, method)(re.sub("{[a-z]+}", "1", numbered))
        assert answer.status_code == 401, (method, path, answer.status_code)
        assert answer.json()["error"]["type"] == "authentication_error"


def test_what_is_another_persons_is_not_there(people, api_for, settings, speaking: Path):
    places: Any = everything(people.tom).places
    SynthesisSentence.objects.create(synthesis_id=places["syntheses"][0], number=1, text="One.", language="en", seed=1)
    ben, asked = api_for(people.ben), 0
    for method, path in operations():
        where = led(path, places)
        if "{id}" not in path:
            continue
        asked += 1
        answer = getattr(ben, method)(where)
        assert answer.status_code in (403, 404), (method, where, answer.status_code, answer.content[:200])
    assert asked > 60
