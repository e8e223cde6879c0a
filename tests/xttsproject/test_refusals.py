"""What the API says at its door, before any endpoint has a say: what is wrong, and what to do."""

from __future__ import annotations

import pytest

from tests.voices.factories import SynthesisFactory, VoiceFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (None, "Authentication credentials were not provided; "),
        ("Token 0123456789abcdef", "Authentication credentials were not provided; "),
        ("Bearer", "Invalid token header. No credentials provided; "),
        ("Bearer 0123456789abcdef", "Invalid token; "),
        # As servers hand on bytes that are no text.
        ("Bearer \xff\xfe", "Invalid token; "),
    ],
)
def test_without_a_token_one_is_told_where_there_is_one(client, header, said):
    answer = client.get("/v1/models", **({"HTTP_AUTHORIZATION": header} if header else {}))
    error = answer.json()["error"]
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert error["message"] == (
        f"{said}send one of the tokens of your profile page as “Authorization: Bearer <token>”."
    )


def test_methods_and_content_types_are_named(people, api_for):
    anna = api_for(people.anna)
    other = anna.delete("/api/v1/speech/")
    assert other.status_code == 405
    assert other.json()["error"]["message"] == 'Method "DELETE" not allowed; this address takes POST, OPTIONS.'
    text = anna.post("/v1/audio/transcriptions", "{}", content_type="application/json")
    assert text.status_code == 415
    assert text.json()["error"]["message"] == (
        'Unsupported media type "application/json" in request; send multipart/form-data or '
        "application/x-www-form-urlencoded."
    )


@pytest.mark.parametrize(
    ("query", "status", "param", "message"),
    [
        ("page=9", 404, None, "There is no page 9 of this list: That page contains no results."),
        ("page=x", 404, None, "There is no page x of this list: That page number is not an integer."),
        (
            "page_size=all",
            400,
            "page_size",
            "page_size: 'all' is no size of a page; give a whole number from 1 to 500.",
        ),
        ("page_size=0", 400, "page_size", "page_size: '0' is no size of a page; give a whole number from 1 to 500."),
        (
            "ordering=-creatd_at",
            400,
            "ordering",
            "ordering: '-creatd_at' is nothing to order by; choose one of name, created_at.",
        ),
    ],
)
def test_what_no_list_has_is_refused(people, api_for, query, status, param, message):
    answer = api_for(people.anna).get(f"/api/v1/voices/?{query}")
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["message"]) == (status, param, message)


@pytest.mark.parametrize("given", ["maybe", "1", "TRUE"])
def test_a_filter_is_true_or_false(people, api_for, given):
    anna = api_for(people.anna)
    error = anna.get(f"/api/v1/syntheses/?pinned={given}").json()["error"]
    assert error["message"] == f"pinned: '{given}' is neither true nor false; give one of them."
    SynthesisFactory(owner=people.anna, pinned=True)
    SynthesisFactory(owner=people.anna)
    counted = [anna.get(f"/api/v1/syntheses/?pinned={each}").json()["count"] for each in ("true", "False", "")]
    assert counted == [1, 1, 2]


@pytest.mark.parametrize("address", ["/api/v1/speech/", "/api/v1/voices/", "/api/v1/recordings/", "/v1/audio/speech"])
@pytest.mark.parametrize("body", ["[" * 100_000, '{"text": ' + "[" * 5_000 + "]" * 5_000 + "}"])
def test_brackets_without_end_are_the_senders_fault(people, api_for, address, body):
    answer = api_for(people.anna).post(address, body, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "parse_error")


def test_a_list_comes_in_the_order_and_size_that_are_asked_for(people, api_for):
    for name in ("Ada", "Cem", "Bea"):
        VoiceFactory(owner=people.anna, name=name)
    anna = api_for(people.anna)
    told = anna.get("/api/v1/voices/?ordering=-name,&page_size=2").json()
    assert [row["name"] for row in told["results"]] == ["Cem", "Bea"]
    assert len(anna.get("/api/v1/voices/?page_size=99999999999999999999").json()["results"]) == 3


@pytest.mark.parametrize("debug", [False, True])
def test_without_the_slash_at_the_end_a_request_is_sent_on_whole(people, api_for, settings, debug):
    settings.DEBUG = debug
    body = {"voice": "nobody", "text": "Yes."}
    answer = api_for(people.anna).post("/api/v1/speech", body, format="json", follow=True)
    assert answer.redirect_chain == [("/api/v1/speech/", 308)]
    assert answer.json()["error"]["code"] == "voice_unknown"
