"""Lists of what was spoken show beginnings and counts: a page of long texts must not weigh a hundred megabytes."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.voices.factories import SynthesisFactory
from voices.models import Synthesis, SynthesisSentence
from voices.querysets import EXCERPT

ADDRESS = "/api/v1/syntheses/"
SAID = [{"text": "What was said.", "start": 0.0, "end": 1.0, "codes": 20, "finished": True}] * 3


@pytest.fixture
def long(people) -> Synthesis:
    asked = {"cast": {"1": {"name": "Vera"}, "2": {"name": "Zé"}}, "pause_after": 0.0, "chapters": ["One", "Two"]}
    chapters = [{"title": title, "start": 0.0, "end": 1.0} for title in ("One", "Two")]
    made: Synthesis = SynthesisFactory(owner=people.anna, text="Long ago. " * 20_000, asked=asked, chapters=chapters)
    rows = [
        SynthesisSentence(
            synthesis=made, number=number, voice_name="Vera", language="en", text="Long ago.", seed=number,
            take=1, seconds=1.0, warnings=["It babbles."],
        )
        for number in range(1, 151)
    ]  # fmt: skip
    SynthesisSentence.objects.bulk_create(rows)
    return made


def test_a_list_has_beginnings_and_counts_and_the_rest_is_at_its_own_address(people, api_for, long):
    short = SynthesisFactory(owner=people.anna, text="What was said.", sentences=SAID)
    anna = api_for(people.anna)
    answer = anna.get(ADDRESS, {"page_size": 500})
    assert len(answer.content) < 10_000
    listed = {row["id"]: row for row in answer.json()["results"]}
    told = listed[str(long.pk)]
    assert (told["text"], told["characters"]) == (long.text[:EXCERPT], len(long.text))
    assert (told["is_long"], told["sentence_count"], told["chapter_count"]) == (True, 150, 2)
    assert not {"sentences", "chapters", "warnings"} & set(told)
    told = listed[str(short.pk)]
    assert (told["text"], told["characters"], told["is_long"], told["sentence_count"]) == (short.text, 14, False, 3)
    assert told["audio"].endswith(f"{short.pk}/audio/")
    assert listed[str(long.pk)]["audio"] is None

    whole = anna.get(f"{ADDRESS}{long.pk}/").json()
    assert (whole["text"], whole["characters"], whole["sentence_count"]) == (long.text, len(long.text), 150)
    assert [chapter["title"] for chapter in whole["chapters"]] == ["One", "Two"]
    assert (whole["voices"], len(whole["warnings"])) == (["Vera", "Zé"], 100)
    assert anna.get(f"{ADDRESS}{short.pk}/").json()["sentences"] == SAID


def test_whoever_asks_how_far_it_is_need_not_be_sent_the_text_each_time(people, api_for, page_for, long):
    anna = api_for(people.anna)
    with CaptureQueriesContext(connection) as asked:
        brief = anna.get(f"{ADDRESS}{long.pk}/", {"text": "false"})
    assert not [query["sql"] for query in asked if ', "voices_synthesis"."text", "voices' in query["sql"]]
    told, whole = brief.json(), anna.get(f"{ADDRESS}{long.pk}/").json()
    assert told == {**whole, "text": long.text[:EXCERPT]}
    assert len(brief.content) < len(long.text) / 10
    refused = anna.get(f"{ADDRESS}{long.pk}/", {"text": "perhaps"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "text")
    page = page_for(people.anna)
    for part in ("status", "playlist"):
        with CaptureQueriesContext(connection) as asked:
            page.get(f"/speak/long/{long.pk}/{part}/")
        assert not [query["sql"] for query in asked if ', "voices_synthesis"."text", "voices' in query["sql"]], part


def test_a_list_takes_the_same_queries_for_many_and_reads_no_texts(people, api_for, page_for, long):
    for _ in range(8):
        SynthesisFactory(owner=people.anna)
    anna, root = api_for(people.anna), page_for(people.root)
    for ask, most in (
        (lambda: anna.get(ADDRESS), 3),
        (lambda: root.get("/admin/voices/synthesis/"), 9),
    ):
        with CaptureQueriesContext(connection) as asked:
            assert ask().status_code == 200
        assert len(asked) <= most
        listing = [query["sql"] for query in asked if 'SELECT "voices_synthesis"."id"' in query["sql"]]
        assert listing
        # As a column of its own, not as what the beginning is taken of.
        assert not [sql for sql in listing if ', "voices_synthesis"."text", "voices' in sql]
