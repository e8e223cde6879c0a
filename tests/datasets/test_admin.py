"""The review desk in the admin."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets.choices import ReviewStatus
from datasets.models import Segment, SourceVideo
from tests.datasets.factories import SegmentFactory, SourceFactory, reviewed_source

DESK = "/admin/datasets/segment/"


@pytest.fixture
def shared(people: Any) -> SourceVideo:
    source: SourceVideo = SourceFactory(owner=people.anna, visibility="team", title="Shared talk")
    for index in (1, 2, 3):
        SegmentFactory(source=source, index=index)
    return source


def form_of(html: str) -> dict[str, str]:
    """The changelist's form as a browser would send it back untouched."""
    sent: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", html):
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and name[1].startswith(("form-", "initial-form-")):
            sent[name[1]] = unescape(value[1]) if value else ""
    for name, text in re.findall(r'<textarea[^>]*name="(form-[^"]+)"[^>]*>(.*?)</textarea>', html, re.DOTALL):
        sent[name] = unescape(text).removeprefix("\n")
    for name, options in re.findall(r'<select[^>]*name="(form-[^"]+)"[^>]*>(.*?)</select>', html, re.DOTALL):
        chosen = re.search(r'value="([^"]*)"[^>]*selected', options)
        sent[name] = chosen[1] if chosen else ""
    return sent


def place_of(html: str, segment: Segment) -> str:
    match = re.search(rf'name="(form-\d+)-id" value="{segment.pk}"', html)
    assert match, "the segment is on the page"
    return match[1]


def test_curators_see_what_is_shared_or_theirs_and_nothing_else(people: Any, page_for: Any, shared: Any) -> None:
    mine = reviewed_source(people.cora, segments=1, title="Cora's own")
    reviewed_source(people.anna, segments=1, title="Anna's private")
    html = page_for(people.cora).get(DESK).content.decode()
    assert "Shared talk" in html
    assert "Cora&#x27;s own" in html
    assert "private" not in html
    assert reverse("datasets:segment-audio", args=[mine.segments.get().pk]) in html
    private = Segment.objects.get(source__title="Anna's private")
    assert page_for(people.cora).get(f"{DESK}{private.pk}/change/").status_code == 302
    assert page_for(people.anna).get(DESK).status_code == 302


def test_one_save_corrects_and_approves_a_page(people: Any, page_for: Any, shared: Any) -> None:
    page = page_for(people.cora)
    html = page.get(DESK).content.decode()
    first, second, third = shared.segments.order_by("index")
    body = {**form_of(html), "_save": "Save"}
    body[f"{place_of(html, first)}-text"] = "Corrected by cora."
    body[f"{place_of(html, first)}-status"] = "approved"
    body[f"{place_of(html, second)}-status"] = "rejected"
    assert page.post(DESK, body).status_code == 302
    for segment in (first, second, third):
        segment.refresh_from_db()
    assert (first.text, first.status, first.reviewer, first.edited) == (
        "Corrected by cora.",
        "approved",
        people.cora,
        True,
    )
    assert (second.status, second.edited) == ("rejected", False)
    assert (third.status, third.reviewer) == ("pending", None)
    assert first.history.first().history_user == people.cora
    assert "Corrected by cora." in page.get(f"{DESK}{first.pk}/history/").content.decode()


def test_a_page_that_was_open_meanwhile_does_not_undo_anothers_correction(
    people: Any, page_for: Any, shared: Any
) -> None:
    page = page_for(people.cora)
    html = page.get(DESK).content.decode()
    first, second, _third = shared.segments.order_by("index")
    first.set_text("Corrected by tom meanwhile.")
    body = {**form_of(html), "_save": "Save", f"{place_of(html, second)}-status": "approved"}
    assert page.post(DESK, body).status_code == 302
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.text == "Corrected by tom meanwhile."
    assert second.status == "approved"


def test_text_that_cannot_be_trained_on_is_not_approved(people: Any, page_for: Any, shared: Any) -> None:
    page = page_for(people.cora)
    html = page.get(DESK).content.decode()
    first = shared.segments.order_by("index")[0]
    place = place_of(html, first)
    body = {**form_of(html), "_save": "Save", f"{place}-text": "", f"{place}-status": "approved"}
    answer = page.post(DESK, body)
    assert answer.status_code == 200
    assert "It cannot be approved: The text is empty." in answer.content.decode()
    first.refresh_from_db()
    assert (first.status, bool(first.text)) == ("pending", True)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("approve", "1 approved; 1 already approved; 1 skipped: The text is empty."),
        ("reject", "3 rejected."),
        ("reopen", "1 reopened; 2 already reopened."),
    ],
)
def test_bulk_actions_tell_what_they_did(people: Any, page_for: Any, shared: Any, action: str, said: str) -> None:
    first, second, third = shared.segments.order_by("index")
    first.review(ReviewStatus.APPROVED, people.anna)
    Segment.objects.filter(pk=second.pk).update(text="")
    body = {"action": action, "_selected_action": [first.pk, second.pk, third.pk]}
    answer = page_for(people.cora).post(DESK, body, follow=True)
    assert [str(message) for message in answer.context["messages"]] == [said]


def test_a_segment_that_is_seen_but_not_editable_cannot_be_changed(people: Any, page_for: Any, shared: Any) -> None:
    people.ben.is_staff = True
    people.ben.save()
    people.ben.user_permissions.add(
        *Permission.objects.filter(codename__in=("view_segment", "change_segment"), content_type__app_label="datasets")
    )
    page = page_for(people.ben)
    html = page.get(DESK).content.decode()
    first = shared.segments.order_by("index")[0]
    body = {**form_of(html), "_save": "Save", f"{place_of(html, first)}-text": "By ben."}
    assert page.post(DESK, body).status_code == 403
    acted = page.post(DESK, {"action": "reject", "_selected_action": [first.pk]}, follow=True)
    assert [str(message) for message in acted.context["messages"]] == ["0 rejected; 1 skipped: not yours to change."]
    first.refresh_from_db()
    assert (first.text, first.status) == ("This is sentence number 1.", "pending")


def test_unsure_words_are_marked(people: Any, page_for: Any, shared: Any) -> None:
    words = [
        {"text": "clear", "start": 0.1, "end": 0.4, "probability": 0.97},
        {"text": "<mumble>", "start": 0.5, "end": 0.9, "probability": 0.21},
    ]
    shared.segments.filter(index=1).update(words=words)
    html = page_for(people.cora).get(DESK).content.decode()
    assert '<mark title="21 % sure">&lt;mumble&gt;</mark>' in html
    assert ">clear</mark>" not in html


def test_the_desk_asks_the_database_no_more_for_many_rows(people: Any, page_for: Any, shared: Any) -> None:
    page = page_for(people.cora)

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert page.get(DESK).status_code == 200
        return len(asked)

    before = queries()
    for index in range(4, 24):
        SegmentFactory(source=shared, index=index)
    assert queries() == before <= 20


@pytest.mark.parametrize("query", ["status__exact=pending", "flag=short", "edited__exact=1", "q=sentence"])
def test_filters_and_search_work(people: Any, page_for: Any, shared: Any, query: str) -> None:
    wanted = shared.segments.order_by("index")[1]
    shared.segments.exclude(pk=wanted.pk).update(status="approved", text="other", machine_text="other")
    shared.segments.filter(pk=wanted.pk).update(flags=["short"], edited=True)
    html = page_for(people.cora).get(f"{DESK}?{query}").content.decode()
    assert re.findall(r'name="form-\d+-id" value="(\d+)"', html) == [str(wanted.pk)]


def test_filters_do_not_name_what_one_may_not_see(people: Any, page_for: Any, shared: Any) -> None:
    for person in (people.ben, people.cora):
        reviewed_source(person, segments=1, title=f"Secret of {person}")
    html = page_for(people.cora).get(DESK).content.decode()
    assert "Secret of cora" in html
    assert "Secret of ben" not in html


@pytest.mark.parametrize("model", ["speaker", "sourcevideo", "dataset", "datasetversion", "segment"])
def test_administrators_can_open_every_list(people: Any, page_for: Any, shared: Any, model: str) -> None:
    page = page_for(people.root)
    assert page.get(f"/admin/datasets/{model}/").status_code == 200
    assert page.get(f"/admin/datasets/{model}/add/").status_code == 403


def test_deleting_recordings_in_the_admin_removes_their_files(
    people: Any, page_for: Any, django_capture_on_commit_callbacks: Any
) -> None:
    source = reviewed_source(people.anna)
    body = {"action": "delete_selected", "_selected_action": [str(source.pk)], "post": "yes"}
    with django_capture_on_commit_callbacks(execute=True):
        page_for(people.root).post("/admin/datasets/sourcevideo/", body)
    assert not SourceVideo.objects.exists()
    assert not source.folder.exists()
