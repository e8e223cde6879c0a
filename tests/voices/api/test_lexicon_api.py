"""A lexicon over the API: one's own to change, the team's to see, others' unknown."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from voices.models import LexiconEntry
from voices.services import lexicon_add

LEXICON = "/api/v1/lexicon/"


@pytest.fixture
def hidden(people: Any) -> LexiconEntry:
    return lexicon_add(owner=people.ben, written="Qatar", spoken="cutter")


def test_a_word_is_added_changed_found_and_deleted(people, api_for):
    client = api_for(people.anna)
    made = client.post(LEXICON, {"written": "SQL", "spoken": "sequel", "language": "en-GB"})
    assert made.status_code == 201, made.json()
    body = made.json()
    assert (body["owner"], body["language"], body["visibility"]) == ("anna", "en", "private")
    assert (body["whole_word"], body["match_case"]) == (True, False)
    there = f"{LEXICON}{body['id']}/"
    assert client.patch(there, {"spoken": "S Q L", "match_case": True}).json()["spoken"] == "S Q L"
    entry = LexiconEntry.objects.get()
    assert (entry.written, entry.spoken, entry.language, entry.match_case) == ("SQL", "S Q L", "en", True)
    assert [row["id"] for row in client.get(LEXICON, {"language": "en"}).json()["results"]] == [body["id"]]
    assert client.get(LEXICON, {"language": "pt"}).json()["results"] == []
    assert client.delete(there).status_code == 204
    assert not LexiconEntry.objects.exists()


def test_a_strangers_word_is_unknown_and_a_shared_one_cannot_be_changed(people, api_for, hidden):
    client = api_for(people.anna)
    there = f"{LEXICON}{hidden.pk}/"
    assert client.get(LEXICON).json()["results"] == []
    for answer in (client.get(there), client.patch(there, {"spoken": "x"}), client.delete(there)):
        assert answer.status_code == 404
    LexiconEntry.objects.update(visibility="team")
    assert client.get(there).json()["spoken"] == "cutter"
    for answer in (client.patch(there, {"spoken": "x"}), client.delete(there)):
        assert answer.status_code == 403
    hidden.refresh_from_db()
    assert hidden.spoken == "cutter"


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"written": ""}, "written", "invalid"),
        ({"spoken": "…"}, "spoken", "lexicon_invalid"),
        ({"written": "x" * 101}, "written", "lexicon_invalid"),
        ({"language": "xx"}, "language", "language_unsupported"),
        ({"visibility": "world"}, "visibility", "invalid"),
        ({"written": "Twice"}, "written", "duplicate"),
    ],
)
def test_what_makes_no_entry_names_the_field(people, api_for, fields, param, code):
    lexicon_add(owner=people.anna, written="Twice", spoken="two times")
    answer = api_for(people.anna).post(LEXICON, {"written": "SQL", "spoken": "sequel", **fields})
    error = answer.json()["error"]
    assert (answer.status_code in (400, 409), error["param"], error["code"]) == (True, param, code)


def test_a_table_is_imported_whole_or_not_at_all(people, api_for):
    client = api_for(people.anna)

    def send(table: bytes) -> Any:
        return client.post(f"{LEXICON}import/", {"table": SimpleUploadedFile("a.csv", table)}, format="multipart")

    assert send(b"written,spoken\nSQL,sequel\n").json() == {"added": 1, "changed": 0}
    refused = send(b"written,spoken\nGIF,jiff\nx,\n")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "lexicon_invalid")
    assert [entry.written for entry in LexiconEntry.objects.all()] == ["SQL"]
    assert client.post(f"{LEXICON}import/", {}, format="multipart").json()["error"]["param"] == "table"


def test_nobody_reads_a_lexicon_without_signing_in(client, db):
    assert client.get(LEXICON).status_code == 401
