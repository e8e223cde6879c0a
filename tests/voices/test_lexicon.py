"""A lexicon changes its owner's speech, and everybody's where it is shared; nobody else's."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tests.voices.factories import VoiceFactory
from voices.models import LexiconEntry
from voices.services import lexicon as lexicon_services
from voices.services import lexicon_add, lexicon_import, lexicon_table, lexicon_update, script_plan
from xttsproject.lib.errors import DomainError


def spoken(user: Any, text: str, language: str = "en") -> str:
    voice = VoiceFactory(owner=user, language=language)
    return " ".join(part.spoken for part in script_plan(user=user, voice=voice, text=text).parts)


def refused(**fields: Any) -> DomainError:
    with pytest.raises(DomainError) as caught:
        lexicon_add(**fields)
    return caught.value


def test_a_word_is_spoken_as_its_owner_wants_before_the_normaliser_reads_it(people):
    lexicon_add(owner=people.anna, written="SQL", spoken="sequel")
    lexicon_add(owner=people.anna, written="v2", spoken="version 2")
    assert spoken(people.anna, "Learn SQL v2, not MySQL.") == "Learn sequel version two, not MySQL."


def test_other_peoples_words_change_nothing_until_they_are_shared_not_for_an_administrator_either(people):
    entry = lexicon_add(owner=people.ben, written="Qatar", spoken="cutter")
    assert spoken(people.anna, "In Qatar.") == "In Qatar."
    assert spoken(people.root, "In Qatar.") == "In Qatar."
    lexicon_update(entry=entry, visibility="team")
    assert spoken(people.anna, "In Qatar.") == "In cutter."


def test_ones_own_word_goes_before_the_teams_and_a_languages_before_that_of_all(people):
    lexicon_add(owner=people.ben, written="GIF", spoken="ghif", visibility="team")
    assert spoken(people.anna, "A GIF.") == "A ghif."
    lexicon_add(owner=people.anna, written="gif", spoken="jiff")
    assert spoken(people.anna, "A GIF.") == "A jiff."
    lexicon_add(owner=people.anna, written="gif", spoken="giffe", language="fr")
    assert spoken(people.anna, "A GIF.") == "A jiff."
    assert spoken(people.anna, "Une GIF.", "fr") == "Une giffe."


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"written": "  "}, "lexicon_invalid", "written form is empty"),
        ({"spoken": ""}, "lexicon_invalid", "spoken form is empty"),
        ({"spoken": "…!"}, "lexicon_invalid", "no letters"),
        ({"written": "x" * 101}, "lexicon_invalid", "101 characters; 100"),
        ({"spoken": "[pause 1s]"}, "lexicon_invalid", "bracket"),
        ({"written": "a\x00b"}, "lexicon_invalid", "control character"),
        ({"language": "xx"}, "language_unsupported", "“xx”"),
    ],
)
def test_what_makes_no_entry_is_refused_with_the_reason(people, changes, code, said):
    error = refused(**{"owner": people.anna, "written": "SQL", "spoken": "sequel", **changes})
    assert (error.code, said in error.message) == (code, True)
    assert not LexiconEntry.objects.exists()


def test_a_word_is_there_once_per_person_and_language(people):
    entry = lexicon_add(owner=people.anna, written="SQL", spoken="sequel")
    lexicon_add(owner=people.ben, written="SQL", spoken="squeal")
    lexicon_add(owner=people.anna, written="SQL", spoken="ésse-quê-éle", language="pt")
    assert refused(owner=people.anna, written=" SQL ", spoken="x").code == "duplicate"
    other = lexicon_add(owner=people.anna, written="MySQL", spoken="my sequel")
    with pytest.raises(DomainError, match="already have an entry for “SQL”"):
        lexicon_update(entry=other, written=entry.written)
    other.refresh_from_db()
    assert other.written == "MySQL"


def test_a_lexicon_has_room_for_so_many(people, monkeypatch):
    monkeypatch.setattr(lexicon_services, "MOST_ENTRIES", 2)
    for written in ("a", "b"):
        lexicon_add(owner=people.anna, written=written, spoken="x")
    assert refused(owner=people.anna, written="c", spoken="x").code == "lexicon_full"
    with pytest.raises(DomainError, match="limit of 2"):
        lexicon_import(owner=people.anna, table=io.BytesIO(b"written,spoken\na,y\nc,x\n"))
    assert LexiconEntry.objects.get(written="a").spoken == "x"
    assert lexicon_import(owner=people.anna, table=io.BytesIO(b"written,spoken\na,y\n")) == (0, 1)


def test_a_table_adds_and_changes_and_comes_back_as_it_went_out(people):
    lexicon_add(owner=people.anna, written="SQL", spoken="S Q L", visibility="team")
    table = '\ufeffWritten;Spoken;Language;whole_word;match_case\nSQL;sequel;;;\nétapa;"e, tapa";pt-BR;no;TRUE\n'
    assert lexicon_import(owner=people.anna, table=io.BytesIO(table.encode())) == (1, 1)
    sql, etapa = LexiconEntry.objects.order_by("pk")
    assert (sql.spoken, sql.visibility) == ("sequel", "team")
    assert (etapa.spoken, etapa.language, etapa.whole_word, etapa.match_case) == ("e, tapa", "pt", False, True)
    written = lexicon_table(LexiconEntry.objects.order_by("pk"))
    assert lexicon_import(owner=people.ben, table=io.BytesIO(written.encode())) == (2, 0)
    assert lexicon_table(LexiconEntry.objects.filter(owner=people.ben).order_by("pk")) == written


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (b"", "first line"),
        (b"written,spoken\n", "at least one row"),
        (b"word,sound\na,b\n", "columns written and spoken"),
        (b"written,spoken\na,b\nc,\n", "Row 3: The spoken form is empty"),
        (b"written,spoken\nb\n", "Row 2: The spoken form is empty"),
        (b"written,spoken,language\na,b,zz\n", "Row 2: The language “zz”"),
        (b"written,spoken,match_case\na,b,maybe\n", "Row 2: match_case is “maybe”"),
        (b"written,spoken\na,b\nx,y\na,c\n", "Row 4 writes “a” again, after row 2"),
        (b"written,spoken\n\xff,b\n", "UTF-8"),
        (b'written,spoken\n"a,b\n', "CSV"),
        (b"written,spoken\n" + b"a" * 1_000_000, "bytes"),
    ],
)
def test_a_table_with_a_bad_row_changes_nothing_and_the_row_is_named(people, table, said):
    with pytest.raises(DomainError) as caught:
        lexicon_import(owner=people.anna, table=io.BytesIO(table))
    assert said in caught.value.message
    assert not LexiconEntry.objects.exists()
