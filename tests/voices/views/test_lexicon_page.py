"""The lexicon's page: words are added, changed, tried, brought in and taken out, each by their owner."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.voices.factories import VoiceFactory
from voices.models import LexiconEntry
from voices.services import lexicon_add

LEXICON = "/lexicon/"
HTMX = {"HX-Request": "true"}


def text_of(response: Any) -> str:
    return str(response.content.decode())


def test_a_word_is_added_changed_and_deleted(people, page_for):
    client = page_for(people.anna)
    fields = {"written": "SQL", "spoken": "sequel", "whole_word": "on", "visibility": "private", "language": ""}
    page = text_of(client.post(LEXICON, fields, follow=True))
    assert "“SQL” will be spoken as “sequel”." in page
    entry = LexiconEntry.objects.get()
    edit = reverse("voices:lexicon-edit", args=[entry.pk])
    assert 'value="sequel"' in text_of(client.get(edit))
    client.post(edit, {**fields, "spoken": "S Q L", "visibility": "team"})
    entry.refresh_from_db()
    assert (entry.spoken, entry.visibility) == ("S Q L", "team")
    client.post(reverse("voices:lexicon-delete", args=[entry.pk]))
    assert not LexiconEntry.objects.exists()


def test_what_is_wrong_is_said_beside_the_field_and_what_was_written_stays(people, page_for):
    client = page_for(people.anna)
    answer = client.post(LEXICON, {"written": "SQL", "spoken": "…", "visibility": "private"})
    assert answer.status_code == 400
    assert "has no letters to speak" in text_of(answer)
    assert 'value="SQL"' in text_of(answer)


def test_words_are_found(people, page_for):
    for written, spoken in (("SQL", "sequel"), ("GIF", "jiff")):
        lexicon_add(owner=people.anna, written=written, spoken=spoken)
    page = text_of(page_for(people.anna).get(LEXICON, {"q": "SEQ"}))
    assert "sequel" in page
    assert "jiff" not in page
    assert "No entry has" in text_of(page_for(people.anna).get(LEXICON, {"q": "zzz"}))


def test_a_stranger_neither_sees_nor_changes_a_word_and_a_colleague_sees_a_shared_one(people, page_for):
    entry = lexicon_add(owner=people.ben, written="Qatar", spoken="cutter")
    addresses = [reverse(f"voices:lexicon-{name}", args=[entry.pk]) for name in ("edit", "delete")]
    client = page_for(people.anna)
    assert "Qatar" not in text_of(client.get(LEXICON))
    assert "Qatar" not in text_of(page_for(people.root).get(LEXICON))
    assert [client.post(address).status_code for address in addresses] == [404, 404]
    LexiconEntry.objects.update(visibility="team")
    page = text_of(client.get(LEXICON))
    assert "Qatar" in page
    assert addresses[0] not in page
    assert [client.post(address).status_code for address in addresses] == [403, 403]
    assert "Qatar" not in text_of(client.get(reverse("voices:lexicon-export")))
    entry.refresh_from_db()
    assert entry.spoken == "cutter"


def test_a_table_comes_in_and_goes_out(people, page_for):
    client = page_for(people.anna)
    there = reverse("voices:lexicon-import")
    table = b"written,spoken\nSQL,sequel\n"
    page = text_of(
        client.post(there, {"table": SimpleUploadedFile("a.csv", table), "visibility": "private"}, follow=True)
    )
    assert "1 added, 0 changed." in page
    assert text_of(client.get(reverse("voices:lexicon-export"))).splitlines()[1] == ",SQL,sequel,true,false"
    bad = client.post(there, {"table": SimpleUploadedFile("a.csv", b"written,spoken\nx,\n"), "visibility": "private"})
    assert bad.status_code == 400
    assert "Row 2: The spoken form is empty." in text_of(bad)


def test_a_sentence_is_tried_with_what_will_be_spoken_and_a_way_to_hear_it(people, page_for, speaking):
    voice = VoiceFactory(owner=people.anna, state="ready")
    lexicon_add(owner=people.anna, written="SQL", spoken="sequel")
    client = page_for(people.anna)
    there = reverse("voices:lexicon-try")
    part = text_of(client.get(there, {"voice": voice.pk, "text": "Learn <SQL> now."}, headers=HTMX))
    assert "<html" not in part
    assert '<mark title="spoken as sequel">SQL' in part
    assert "Learn sequel now." in " ".join(part.replace("&lt;", "").replace("&gt;", "").split()).replace(", ", " ")
    assert 'hx-post="/speak/"' in part
    whole = text_of(client.get(there, {"voice": voice.pk, "text": "Learn SQL now."}))
    assert "<html" in whole
    assert '<mark title="spoken as sequel">SQL' in whole
    assert "closing bracket" in text_of(client.get(there, {"voice": voice.pk, "text": "a [pause"}, headers=HTMX))
    others = VoiceFactory(owner=people.ben, state="ready")
    assert "mark" not in text_of(client.get(there, {"voice": others.pk, "text": "SQL"}, headers=HTMX))


@pytest.mark.parametrize("name", ["lexicon", "lexicon-export", "lexicon-try"])
def test_one_signs_in_first(client, db, name):
    assert client.get(reverse(f"voices:{name}")).status_code == 302


def test_administrators_see_the_lexicon_in_the_admin_and_staff_what_is_theirs_to_see(people, page_for):
    entry = lexicon_add(owner=people.ben, written="Qatar", spoken="cutter")
    there = "/admin/voices/lexiconentry/"
    assert "Qatar" in text_of(page_for(people.root).get(there))
    people.tom.is_staff = True
    people.tom.save()
    assert "Qatar" not in text_of(page_for(people.tom).get(there))
    page_for(people.root).post(f"{there}{entry.pk}/delete/", {"post": "yes"})
    assert not LexiconEntry.objects.exists()
