"""Names that nobody knows, in bodies and in addresses, are refused with what to do; OpenAI's clients may send more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from drf_spectacular.generators import SchemaGenerator

from tests.datasets.factories import DatasetFactory, SpeakerFactory
from tests.voices.conftest import speaking as speaking
from tests.voices.factories import VoiceFactory
from tests.xttsproject.test_schema_writes import everything
from voices.models import LexiconEntry, SynthesisSentence

pytestmark = pytest.mark.django_db

UNKNOWN = "temprature"


def described() -> dict[str, Any]:
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return schema


def bodies(schema: dict[str, Any]) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Method, path, content type and description of every body below /api/v1/."""
    found = []
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            for content_type, content in operation.get("requestBody", {}).get("content", {}).items():
                name = content["schema"]["$ref"].rsplit("/", 1)[-1]
                found.append((method, path, content_type, schema["components"]["schemas"][name]))
    return [each for each in found if each[1].startswith("/api/v1/")]


def without_bodies(schema: dict[str, Any]) -> list[tuple[str, str]]:
    """Method and path of what changes something below /api/v1/ without a body."""
    return [
        (method, path)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
        if path.startswith("/api/v1/") and method in ("post", "put", "patch") and "requestBody" not in operation
    ]


def led(path: str, places: Mapping[str, Sequence[str]]) -> str:
    """The path to something that is there."""
    place = path.removeprefix("/api/v1/").split("{")[0].strip("/")
    return path.replace("{id}", places.get(place, [""])[0]).replace("{number}", "1")


@pytest.fixture
def there(people: Any, settings: Any, speaking: Path) -> SimpleNamespace:
    """One of each, of root, and whoever it is."""
    places = everything(people.root).places
    SynthesisSentence.objects.create(synthesis_id=places["syntheses"][0], number=1, text="One.", language="en", seed=1)
    return SimpleNamespace(user=people.root, places=places)


def test_every_body_refuses_what_it_does_not_know_and_says_so_in_the_description(there, api_for):
    client, schema = api_for(there.user), described()
    asked = bodies(schema)
    assert len(asked) > 40
    for method, path, content_type, body in asked:
        case = f"{method} {path} as {content_type}"
        assert body["additionalProperties"] is False, case
        where = led(path, there.places)
        if content_type == "application/json":
            answer = client.generic(method.upper(), where, json.dumps({UNKNOWN: 0.7}), content_type=content_type)
        elif content_type == "multipart/form-data":
            answer = getattr(client, method)(where, {UNKNOWN: 0.7}, format="multipart")
        else:
            answer = client.generic(method.upper(), where, f"{UNKNOWN}=0.7", content_type=content_type)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "unknown_field", UNKNOWN), (case, error)
        assert error["message"].startswith(f"There is no field “{UNKNOWN}” here (got "), error


def test_what_takes_no_body_refuses_what_is_in_one(there, api_for):
    client, asked = api_for(there.user), without_bodies(described())
    assert len(asked) > 12
    for method, path in asked:
        answer = getattr(client, method)(led(path, there.places), {UNKNOWN: 0.7}, format="json")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, UNKNOWN), (method, path, answer.json())


def test_answers_stay_open_and_so_do_openais_requests():
    schema = described()["components"]["schemas"]
    closed = {name for name, described in schema.items() if described.get("additionalProperties") is False}
    assert all(name.endswith("Request") or name.startswith("Patched") for name in closed)
    assert closed.isdisjoint({"OpenAISpeechRequest", "TranscriptionRequest"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"temprature": 0.7},
            "There is no field “temprature” here (got 0.7); did you mean “temperature”?",
        ),
        ({"Text": "Hello."}, "There is no field “Text” here (got 'Hello.'); did you mean “text”?"),
        ({"colour": {"red": 1}}, "There is no field “colour” here; leave it out; /api/docs/ lists every field."),
        ({"\ud800": None}, "There is no field “?” here; leave it out; /api/docs/ lists every field."),
        ({"x" * 99: "y" * 99}, f"There is no field “{'x' * 60}…” here (got '{'y' * 59}…); leave it out; /api/docs/"),
    ],
)
def test_it_is_named_with_its_value_and_the_nearest_that_there_is(people, api_for, given, message):
    body = {"voice": "Vera", "text": "Hello.", **given}
    answer = api_for(people.anna).post("/api/v1/speech/", json.dumps(body), content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(message)


def test_all_of_them_are_told_but_not_without_end(people, api_for):
    client = api_for(people.anna)
    body = {"voice": "Vera", "text": "Hello.", "top-k": 5, "top-p": 0.5}
    fields = client.post("/api/v1/speech/", body, format="json").json()["error"]["fields"]
    assert list(fields) == ["top-k", "top-p"]
    body |= {f"x{number}": number for number in range(5000)}
    assert len(client.post("/api/v1/speech/", body, format="json").json()["error"]["fields"]) == 20


def test_what_is_only_told_cannot_be_set(people, api_for):
    body = {"name": "Vera", "consent_kind": "own_voice", "consent_statement": "Mine.", "owner": "ben"}
    answer = api_for(people.anna).post("/api/v1/speakers/", body, format="json")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == (
        "“owner” is told in answers and cannot be set (got 'ben'); leave it out."
    )


def test_a_name_within_a_field_is_told_with_its_place(people, api_for):
    dataset = DatasetFactory(owner=people.anna, speaker=SpeakerFactory(owner=people.anna))
    policy = {"rules": {"noise": {"rejekt": 12.0}}}
    error = api_for(people.anna).put(f"/api/v1/datasets/{dataset.pk}/policy/", policy, format="json").json()["error"]
    assert error["param"] == "rules.noise.rejekt"
    assert error["message"].endswith("did you mean “reject”?")


def test_a_form_may_hold_its_token_and_write_lists_by_their_numbers(people, api_for):
    client = api_for(people.anna)
    table = SimpleUploadedFile("words.csv", b"written,spoken\nSQL,sequel\n")
    answer = client.post("/api/v1/lexicon/import/", {"table": table, "csrfmiddlewaretoken": "x"}, format="multipart")
    assert (answer.status_code, LexiconEntry.objects.get().spoken) == (200, "sequel")
    # Told by what is wrong with the list itself: its name is known.
    error = client.post("/api/v1/voices/", {"name": "V", "clips[0]": "none"}, format="multipart").json()["error"]
    assert error["param"] != "clips[0]"


def test_openais_clients_may_send_more(people, api_for):
    VoiceFactory(owner=people.anna, name="Vera", state="preparing")
    body = {"model": "tts-1", "voice": "Vera", "input": "Hello.", "user": "someone", "temprature": 0.7}
    error = api_for(people.anna).post("/v1/audio/speech", body, format="json").json()["error"]
    assert error["code"] == "voice_not_ready"


@pytest.mark.parametrize(
    ("address", "param", "message"),
    [
        (
            "/api/v1/recordings/?stauts=ready",
            "stauts",
            "There is no filter “stauts” here (got 'ready'); did you mean “state”?",
        ),
        ("/api/v1/jobs/?user=ben", "user", "There is no filter “user” here (got 'ben'); leave it out;"),
        (
            "/api/v1/segments/?page=1&oder=index",
            "oder",
            "There is no filter “oder” here (got 'index'); did you mean “ordering”?",
        ),
    ],
)
def test_a_misspelt_filter_is_refused(people, api_for, address, param, message):
    answer = api_for(people.anna).get(address)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert answer.json()["error"]["message"].startswith(message), answer.json()


def test_what_reads_its_address_itself_refuses_the_rest(there, api_for):
    client = api_for(there.user)
    (version,), (dataset,) = there.places["dataset-versions"], there.places["datasets"]
    for path in (
        f"/api/v1/syntheses/{there.places['syntheses'][1]}/?txet=false",
        f"/api/v1/syntheses/{there.places['syntheses'][1]}/subtitles/?fromat=srt",
        f"/api/v1/syntheses/{there.places['syntheses'][1]}/audio/?fromat=mp3",
        f"/api/v1/datasets/{dataset}/left-out/?cod=short",
        f"/api/v1/dataset-versions/{version}/compare/?base={version}&knid=added",
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_field"), path
        assert "did you mean" in answer.json()["error"]["message"]
    # In which form the answer is to come may be asked for everywhere, as of lists.
    for path in (
        f"/api/v1/syntheses/{there.places['syntheses'][1]}/?text=false&format=json",
        f"/api/v1/datasets/{dataset}/left-out/?format=json",
    ):
        assert client.get(path).status_code == 200, path


def test_every_list_takes_what_its_description_names(people, api_for):
    client, asked = api_for(people.root), 0
    for path, operations in described()["paths"].items():
        asked_by = [each for each in operations.get("get", {}).get("parameters", ()) if each["in"] == "query"]
        # Of what may be given several times nothing is none of its choices.
        names = [each["name"] for each in asked_by if each["schema"]["type"] != "array"]
        if not path.startswith("/api/v1/") or "{" in path or "page" not in names:
            continue
        asked += 1
        query = dict.fromkeys(names, "") | {"page": "1", "page_size": "3", "format": "json"}
        assert client.get(path, query).status_code == 200, path
        assert client.get(path, {**query, UNKNOWN: "1"}).status_code == 400, path
    assert asked > 15
