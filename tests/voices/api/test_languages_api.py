"""The languages over the API: all seventeen with their limits, and who speaks them."""

from __future__ import annotations

LANGUAGES = "/api/v1/languages/"


def test_all_languages_are_listed_with_their_limits_and_models(people, api_for, speaking, settings):
    settings.SPEECH_MAX_CHARACTERS = 1234
    body = api_for(people.anna).get(LANGUAGES).json()
    rows = {row["code"]: row for row in body["languages"]}
    assert body["max_characters_of_a_request"] == 1234
    assert len(rows) == 17
    assert rows["en"] == {
        "code": "en",
        "name": "English",
        "max_characters": 250,
        "available": True,
        "models": [speaking.name],
    }
    # The tiny model speaks English alone.
    assert rows["de"]["models"] == []
    assert rows["ja"]["max_characters"] == 71


def test_a_language_whose_letters_cannot_be_read_here_says_so(people, api_for, monkeypatch):
    from importlib import util

    known = util.find_spec
    monkeypatch.setattr("xttsproject.xtts.languages.find_spec", lambda name: None if name == "cutlet" else known(name))
    rows = {row["code"]: row for row in api_for(people.anna).get(LANGUAGES).json()["languages"]}
    assert (rows["ja"]["available"], rows["zh-cn"]["available"]) == (False, True)


def test_strangers_are_told_nothing(client, db):
    assert client.get(LANGUAGES).status_code == 401
