"""The portal-wide pages, each seen by several people."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from xttsproject.accounts.models import ApiToken, User
from xttsproject.accounts.services import token_create
from xttsproject.jobs import registry
from xttsproject.jobs.choices import JobState, Queue
from xttsproject.jobs.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kind(monkeypatch):
    """Jobs of kind "test.work" can be cancelled and tried again."""
    monkeypatch.setattr(registry, "_kinds", dict(registry._kinds))
    registry.job_kind("test.work", queue=Queue.CPU)(lambda context: None)


@pytest.fixture(autouse=True)
def models_dir(settings, tmp_path):
    settings.MODELS_DIR = tmp_path / "models"


def job_of(owner: User, title: str = "Some work", **facts: Any) -> Job:
    return Job.objects.create(kind="test.work", queue=Queue.CPU, title=title, owner=owner, **facts)


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


# --- Who gets in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["home", "models", "accounts:profile", "jobs:list"])
def test_strangers_are_sent_to_sign_in(name, client):
    response = client.get(reverse(name))
    assert response.status_code == 302
    assert response.url == f"{reverse('account_login')}?next={reverse(name)}"


def test_the_sign_in_page_shows_nothing_of_what_is_inside(client, people):
    job_of(people.anna, title="Anna's secret recording")
    page = client.get(reverse("account_login"))
    assert page.status_code == 200
    content = page.content.decode()
    assert "secret" not in content
    for name in ("jobs:list", "accounts:profile", "datasets:source-list", "voices:speak"):
        assert f'href="{reverse(name)}"' not in content


def test_signing_in_leads_home_and_signing_out_is_a_post(client, people):
    response = client.post(reverse("account_login"), {"login": "anna", "password": "portal-pass-1"})
    assert (response.status_code, response.url) == (302, "/")
    assert client.get("/").status_code == 200

    assert client.get(reverse("account_logout")).status_code == 200
    assert client.get("/").status_code == 200, "asking for the page must not sign anybody out"
    client.post(reverse("account_logout"))
    assert client.get("/").status_code == 302


def test_a_wrong_password_is_told_without_saying_what_was_wrong(client, people):
    page = client.post(reverse("account_login"), {"login": "anna", "password": "guess"})
    assert page.status_code == 200
    assert "are not correct" in text_of(page)


def test_sign_up_is_closed_unless_it_is_allowed(client, settings):
    assert "made by the administrator" in text_of(client.get(reverse("account_signup")))
    assert reverse("account_signup") not in client.get(reverse("account_login")).content.decode()

    settings.ALLOW_SIGNUP = True
    assert 'name="password1"' in client.get(reverse("account_signup")).content.decode()
    assert reverse("account_signup") in client.get(reverse("account_login")).content.decode()


@pytest.mark.parametrize(
    "name",
    ["account_change_password", "account_email", "mfa_index", "account_reset_password", "account_logout"],
)
def test_account_pages_wear_the_portals_frame(name, page_for, people):
    page = page_for(people.anna).get(reverse(name))
    assert page.status_code == 200
    content = page.content.decode()
    assert "site-header" in content
    assert "Menu:" not in content


# --- Home ---------------------------------------------------------------------------------------------------------


def test_home_begins_with_adding_a_recording(page_for, people):
    page = page_for(people.anna).get("/")
    assert page.content.decode().count('aria-current="step"') == 1
    assert re.search(r"Recordings 0 .*? Add one", text_of(page))


def test_home_shows_ones_own_jobs_only_and_an_administrator_all(page_for, people):
    job_of(people.anna, title="Anna's work")
    job_of(people.ben, title="Ben's work")
    anna, root = text_of(page_for(people.anna).get("/")), text_of(page_for(people.root).get("/"))
    assert "Anna&#x27;s work" in anna
    assert "Ben&#x27;s work" not in anna
    assert "Anna&#x27;s work" in root
    assert "Ben&#x27;s work" in root


def test_the_navigation_counts_active_jobs(page_for, people):
    job_of(people.anna)
    job_of(people.anna, state=JobState.RUNNING)
    job_of(people.anna, state=JobState.SUCCEEDED)
    job_of(people.ben)
    assert re.search(r"Jobs\s*2\s*waiting or running", text_of(page_for(people.anna).get("/models/")))
    assert "waiting or running" not in text_of(page_for(people.tom).get("/models/"))


def test_the_review_link_is_for_those_who_review(page_for, people):
    review = reverse("admin:datasets_segment_changelist")
    seen = {name: review in page_for(getattr(people, name)).get("/").content.decode() for name in vars(people)}
    assert seen == {"anna": False, "ben": False, "cora": True, "tom": True, "root": True}


# --- Models -------------------------------------------------------------------------------------------------------


def test_models_without_any_say_how_to_bring_some(page_for, people):
    text = text_of(page_for(people.anna).get(reverse("models")))
    assert "No model is installed yet" in text
    assert "manage.py models download xtts-v2" in text


def test_models_show_licence_notice_and_which_is_in_use(page_for, people, settings, small_bundle):
    anna = page_for(people.anna)
    assert "In use" not in text_of(anna.get(reverse("models")))
    settings.XTTS_BUNDLE = "small"
    page = anna.get(reverse("models"))
    text = text_of(page)
    assert "small In use" in text
    assert "Speaks &lt;noise&gt; only." in text
    assert 'href="https://licences.example.org/"' in page.content.decode()
    assert "Speaks &lt;noise&gt; only." in text_of(anna.get("/")), "home says which model speaks"


# --- Tokens -------------------------------------------------------------------------------------------------------


def token_on(page: Any) -> str | None:
    found = re.search(r'id="token-value" value="([0-9a-f]+)"', page.content.decode())
    return found.group(1) if found else None


def me(token: str) -> Any:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client.get("/api/v1/me/")


def test_a_token_is_shown_once_works_and_ends_when_withdrawn(page_for, people):
    anna = page_for(people.anna)
    assert anna.post(reverse("accounts:token-create"), {"name": "script"}).status_code == 302
    token = token_on(anna.get(reverse("accounts:profile")))
    assert token
    again = anna.get(reverse("accounts:profile"))
    assert token_on(again) is None
    assert token not in again.content.decode()

    answer = me(token)
    assert (answer.status_code, answer.json()["username"]) == (200, "anna")

    row = ApiToken.objects.get(user=people.anna)
    assert row.digest != token, "the database must not hold the token itself"
    anna.post(reverse("accounts:token-withdraw", args=[row.pk]))
    assert me(token).status_code == 401


def test_nobody_sees_or_withdraws_the_tokens_of_others(page_for, people):
    row, token = token_create(user=people.anna, name="Anna's script")
    ben = page_for(people.ben)
    assert "Anna&#x27;s script" not in ben.get(reverse("accounts:profile")).content.decode()

    response = ben.post(reverse("accounts:token-withdraw", args=[row.pk]))
    assert [str(message) for message in get_messages(response.wsgi_request)] == ["That token is already gone."]
    assert me(token).status_code == 200


def test_a_token_without_a_name_is_refused_with_a_reason(page_for, people):
    anna = page_for(people.anna)
    page = anna.post(reverse("accounts:token-create"), {"name": "  "}, follow=True)
    assert "Give the token a name" in text_of(page)
    assert not ApiToken.objects.exists()


def test_an_expired_token_is_marked_and_refused(page_for, people):
    row, token = token_create(user=people.anna, name="old")
    ApiToken.objects.filter(pk=row.pk).update(expiry=timezone.now() - timedelta(minutes=1))
    assert re.search(r"old .*? Expired", text_of(page_for(people.anna).get(reverse("accounts:profile"))))
    assert me(token).status_code == 401


def test_the_profile_says_who_one_is_and_how_to_use_a_token_here(page_for, people):
    page = page_for(people.tom).get(reverse("accounts:profile"), headers={"host": "localhost:8000"})
    assert "tom@example.org" in text_of(page)
    assert "curator, trainer" in text_of(page)
    assert "http://localhost:8000/api/v1/me/" in page.content.decode()
    assert "http://localhost:8000/v1/audio/speech" in page.content.decode()


# --- Jobs ---------------------------------------------------------------------------------------------------------


def test_the_list_of_jobs_refreshes_only_while_one_is_active(page_for, people):
    anna = page_for(people.anna)
    job = job_of(people.anna)
    assert 'hx-trigger="every 2s"' in anna.get(reverse("jobs:list")).content.decode()
    assert job.request_cancel()
    assert "hx-trigger" not in anna.get(reverse("jobs:list")).content.decode()


def test_a_long_list_of_jobs_comes_in_pages(page_for, people):
    for number in range(31):
        job_of(people.anna, title=f"Work number {number}", state=JobState.SUCCEEDED)
    anna = page_for(people.anna)
    first, second = text_of(anna.get(reverse("jobs:list"))), text_of(anna.get(reverse("jobs:list"), {"page": 2}))
    assert "Page 1 of 2" in first
    assert "Work number 0 " not in first
    assert "Work number 0 " in second


def test_the_list_of_jobs_asks_the_database_no_more_for_more_jobs(page_for, people, django_assert_max_num_queries):
    anna = page_for(people.anna)
    for _number in range(20):
        job_of(people.anna, state=JobState.SUCCEEDED)
    with django_assert_max_num_queries(8):
        anna.get(reverse("jobs:list"))


def test_a_strip_tells_how_far_a_running_job_is(page_for, people):
    job = job_of(
        people.anna,
        state=JobState.RUNNING,
        progress=0.25,
        message="Epoch 2 of 8",
        attempt=2,
        started_at=timezone.now() - timedelta(minutes=2),
    )
    page = page_for(people.anna).get(reverse("jobs:strip", args=[job.pk]))
    content, text = page.content.decode(), text_of(page)
    assert 'aria-valuenow="25"' in content
    assert "Epoch 2 of 8" in text
    assert re.search(r"2 min 0\d s so far", text)
    assert re.search(r"about 6 min \d\d s left", text)
    assert "attempt 2" in text
    assert "HX-Refresh" not in page.headers


def test_a_strip_tells_the_place_in_the_queue(page_for, people):
    first, second = job_of(people.ben), job_of(people.anna)
    assert "Position 2 in the queue (CPU)" in text_of(
        page_for(people.anna).get(reverse("jobs:strip", args=[second.pk]))
    )
    assert "Next in the queue (CPU)" in text_of(page_for(people.ben).get(reverse("jobs:strip", args=[first.pk])))


def test_a_watched_strip_asks_for_the_whole_page_when_the_job_has_ended(page_for, people):
    anna, job = page_for(people.anna), job_of(people.anna)
    strip = reverse("jobs:strip", args=[job.pk])
    assert "HX-Refresh" not in anna.get(strip, {"watched": "1"}).headers
    assert job.claim()
    assert job.fail("not_media", "“notes.pdf” is no recording.")
    page = anna.get(strip, {"watched": "1"})
    assert page.headers["HX-Refresh"] == "true"
    assert "“notes.pdf” is no recording. not_media" in text_of(page)


def test_the_jobs_of_others_are_not_there(page_for, people):
    job, ben = job_of(people.anna), page_for(people.ben)
    assert ben.get(reverse("jobs:strip", args=[job.pk])).status_code == 404
    assert ben.post(reverse("jobs:cancel", args=[job.pk])).status_code == 404
    assert ben.post(reverse("jobs:retry", args=[job.pk])).status_code == 404
    assert "Some work" not in text_of(ben.get(reverse("jobs:list")))
    job.refresh_from_db()
    assert job.state == JobState.QUEUED


def test_a_job_is_cancelled_and_tried_again_from_the_page_one_is_on(page_for, people):
    anna, job = page_for(people.anna), job_of(people.anna)
    response = anna.post(reverse("jobs:cancel", args=[job.pk]), {"next": "/models/"})
    assert (response.status_code, response.url) == (302, "/models/")
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED

    assert "Try again" in text_of(anna.get(reverse("jobs:strip", args=[job.pk])))
    response = anna.post(reverse("jobs:retry", args=[job.pk]), {"next": "https://elsewhere.example.org/"})
    assert response.url == reverse("jobs:list"), "the way back leads to no other site"
    job.refresh_from_db()
    assert job.state == JobState.QUEUED


def test_a_running_job_that_is_being_cancelled_says_so(page_for, people):
    anna, job = page_for(people.anna), job_of(people.anna, state=JobState.RUNNING, started_at=timezone.now())
    anna.post(reverse("jobs:cancel", args=[job.pk]))
    page = anna.get(reverse("jobs:strip", args=[job.pk]))
    assert "being cancelled" in text_of(page)
    assert re.search(r"<button[^>]* disabled>Cancel", page.content.decode())


def test_an_ended_job_is_not_cancelled_again(page_for, people):
    job = job_of(people.anna, state=JobState.SUCCEEDED)
    page = page_for(people.anna).post(reverse("jobs:cancel", args=[job.pk]), follow=True)
    assert "“Some work” has already succeeded." in text_of(page)


def test_a_jobs_title_is_text_and_not_markup(page_for, people):
    job_of(people.anna, title="<img src=x onerror=alert(1)>")
    assert "<img src=x" not in page_for(people.anna).get(reverse("jobs:list")).content.decode()


# --- When something is wrong ---------------------------------------------------------------------------------------


def test_an_unknown_address_has_a_page_of_the_portal(page_for, people):
    page = page_for(people.anna).get("/nowhere/")
    assert page.status_code == 404
    assert "There is nothing here" in text_of(page)
    assert "site-header" in page.content.decode()


def test_an_unknown_address_has_a_page_for_strangers_too(client):
    page = client.get("/nowhere/")
    assert (page.status_code, "Sign in" in text_of(page)) == (404, True)


def test_a_form_without_its_csrf_token_is_refused_with_advice(people):
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.anna)
    page = client.post(reverse("accounts:token-create"), {"name": "x"})
    assert page.status_code == 403
    assert "reload the page and send the form again" in text_of(page)
    assert not ApiToken.objects.exists()


def test_the_page_of_an_error_needs_neither_database_nor_session(client, monkeypatch):
    def broken(*_args, **_more):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", broken)
    client.raise_request_exception = False
    client.cookies["sessionid"] = "a" * 32
    page = client.get("/")
    assert page.status_code == 500
    assert "Something broke on our side" in text_of(page)
    assert "broken on purpose" not in text_of(page)


def test_a_request_that_makes_no_sense_has_a_page(client):
    page = client.get("/", headers={"host": "not-this-portal.example.org"})
    assert page.status_code == 400
    assert "could not make sense" in text_of(page)


def test_a_script_is_told_that_the_sign_in_has_ended(client):
    asked = {"HX-Request": "true"}
    looked, sent = (
        client.get(reverse("voices:speak"), headers=asked),
        client.post(reverse("voices:speak"), headers=asked),
    )
    assert [answer.status_code for answer in (looked, sent)] == [401, 401]
    # What is only looked at comes anew, and asks for the sign-in; what was typed stays on the page.
    assert (looked.headers.get("HX-Refresh"), sent.headers.get("HX-Refresh")) == ("true", None)
    page = client.get(reverse("voices:speak"))
    assert (page.status_code, page["Location"]) == (302, "/accounts/login/?next=/speak/")
