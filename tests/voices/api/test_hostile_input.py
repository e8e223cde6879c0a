"""What no client of good will sends is refused by name, and never breaks anything."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.voices.factories import SynthesisFactory, VoiceFactory

pytestmark = pytest.mark.django_db

HUGE = 10**400
"""JSON has whole numbers of any size; no float and no database has."""

HALF = "\ud800"
"""Half of a surrogate pair, which JSON can write and UTF-8 cannot."""


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", HUGE), ("seed", -HUGE), ("top_k", HUGE), ("format", HALF), ("guard", HALF), ("voice", HALF)],
)
def test_speech_names_the_field_that_nobody_can_take(people, api_for, field, value):
    voice = VoiceFactory(owner=people.anna, name="Vera", state="ready")
    body = {"voice": str(voice.pk), "text": "Hello.", field: value}
    answer = api_for(people.anna).post("/api/v1/speech/", json.dumps(body), content_type="application/json")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == field
    assert len(error["message"]) < 300


@pytest.mark.parametrize(
    ("field", "value", "quoted"),
    [
        ("temperature", "hot", "'hot'"),
        ("top_k", 1.5, "1.5"),
        ("speed", "nan", "'nan'"),
        ("stream", "perhaps", "'perhaps'"),
        ("text", "a\x00b" * 60, "'a\\x00ba"),
        ("guard", "fierce", "'fierce'"),
        ("temperature", 9, "9.0"),
    ],
)
def test_speech_names_the_value_that_it_cannot_take(people, api_for, field, value, quoted):
    voice = VoiceFactory(owner=people.anna, name="Vera", state="ready")
    body = {"voice": str(voice.pk), "text": "Hello.", field: value}
    error = api_for(people.anna).post("/api/v1/speech/", body, format="json").json()["error"]
    assert error["param"] == field
    assert error["message"].count(quoted) == 1, error["message"]
    assert len(error["message"]) < 200


def test_what_stands_in_the_address_is_named_with_its_value(people, api_for):
    error = api_for(people.anna).get("/api/v1/syntheses/", {"pinned": "true", "voice": "x"}).json()["error"]
    assert (error["param"], "x" in error["message"]) == ("voice", True)
    # With a body that nobody asked for and nobody can read.
    for content_type in ("application/json", "text/plain"):
        answer = api_for(people.anna).generic("GET", "/api/v1/syntheses/?voice=x", "{", content_type=content_type)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "voice"), content_type


@pytest.mark.parametrize("voice", [HALF, {"id": HALF}, {"id": 5}, 5, " ", "x\x00y"])
def test_openais_address_refuses_what_is_no_voice(people, api_for, voice):
    body = {"model": "tts-1", "input": "Hello.", "voice": voice}
    answer = api_for(people.anna).post("/v1/audio/speech", json.dumps(body), content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "voice")


def test_a_profile_refuses_a_number_without_end(people, api_for):
    body = {"name": "Mine", "copy_of": "balanced", "top_k": HUGE}
    answer = api_for(people.anna).post("/api/v1/profiles/", body, format="json")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "top_k")


def test_places_of_thousands_of_digits_are_nowhere(people, api_for):
    voice = VoiceFactory(owner=people.anna, state="ready")
    anna, long = api_for(people.anna), "9" * 4400
    assert anna.get(f"/api/v1/voices/{voice.pk}/clips/{long}/").status_code == 404
    spoken = f"/api/v1/syntheses/{SynthesisFactory(owner=people.anna).pk}/audio/"
    assert anna.get(spoken, headers={"Range": f"bytes={long}-"}).status_code == 200
    assert anna.get(spoken, {"format": "mp3"}, headers={"Range": f"bytes={long}-"}).status_code == 200
    assert anna.get(spoken, headers={"Range": f"bytes={'9' * 19}-"}).status_code == 416


def test_programs_are_told_of_the_unexpected_in_the_shape_of_any_error(people, api_for, monkeypatch):
    def broken(*_args: Any, **_more: Any) -> Any:
        raise RuntimeError("a secret of the house")

    monkeypatch.setattr("voices.api.openai._models", broken)
    client = api_for(people.anna)
    client.raise_request_exception = False
    answer = client.get("/v1/models")
    assert answer.status_code == 500
    error = answer.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("server_error", "server_error", None)
    assert "secret" not in error["message"]
