"""Long texts of many people: how many one may have waiting, and whose is spoken when."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from voices.choices import Channel
from voices.models import Synthesis, Voice
from voices.services.longform import longform_cancel, longform_create, longform_regenerate, longform_resume
from voices.services.longform_speaking import longform_run
from voices.services.wishes import Wish
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import job_retry
from xttsproject.jobs.tasks import run, turn
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Silent

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "The old house by the sea was quiet. Then rain fell on all the roofs of the little town.\n\n" * 12


def ask(user: Any, voice: Voice, text: str = TEXT) -> Synthesis:
    return longform_create(wish=Wish(user=user, voice=voice, text=text, sampling={"seed": 5}, channel=Channel.API))


def test_one_person_may_have_so_many_waiting(people, make_voice, api_for, page_for, settings, work):
    settings.SPEECH_LONG_WAITING = 2
    vera = make_voice(people.anna)
    vera.visibility = "team"
    vera.save()
    first, second = ask(people.anna, vera, "One."), ask(people.anna, vera, "Two.")
    sent = {"voice": str(vera.pk), "text": "Three."}
    refused = api_for(people.anna).post("/api/v1/syntheses/", sent)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (429, "too_many_waiting")
    assert 1 <= int(refused["Retry-After"]) <= 600
    assert "2 of your long texts are waiting" in error["message"]
    page = page_for(people.anna).post(reverse("voices:long-add"), sent)
    assert (page.status_code, "Retry-After" in page) == (429, True)
    assert "2 of your long texts are waiting" in page.content.decode()
    assert (Synthesis.objects.count(), Job.objects.filter(state="queued").count()) == (2, 2)
    # Others are not in the way, and whoever stops one may ask again.
    assert ask(people.ben, vera, "Bens.").state == "queued"
    longform_cancel(synthesis=first)
    third = ask(people.anna, vera, "Three.")
    for again in (
        lambda: longform_resume(synthesis=first),
        lambda: job_retry(job=Job.objects.about(first).get(), user=people.anna),
    ):
        with pytest.raises(DomainError) as caught:
            again()
        assert caught.value.code == "too_many_waiting"
    first.refresh_from_db()
    assert first.state == "cancelled"
    # What waits already takes no further place.
    work()
    row = third.parts.get()
    ask(people.anna, vera, "Four.")
    longform_regenerate(sentence=row)
    with pytest.raises(DomainError):
        longform_regenerate(sentence=second.parts.get())
    longform_regenerate(sentence=row)
    assert not second.parts.pending().exists()


def test_a_book_gives_way_keeps_what_is_spoken_and_goes_on(people, make_voice, work, settings):
    settings.SPEECH_BATCH = 3
    vera = make_voice(people.anna)
    synthesis = ask(people.anna, vera)
    asked: list[int] = []

    def over() -> bool:
        asked.append(synthesis.parts.spoken().count())
        return asked[-1] >= 3

    assert longform_run(synthesis=synthesis, progress=Silent(), turn_is_over=over) is False
    assert synthesis.state == "queued"
    spoken = {row.pk: row.path.stat().st_mtime_ns for row in synthesis.parts.spoken()}
    assert 3 <= len(spoken) < synthesis.parts.count()
    # All that was begun has been kept: nothing of it is spoken twice.
    assert work() == ["succeeded"]
    synthesis.refresh_from_db()
    assert synthesis.state == "succeeded"
    assert {row.pk: row.path.stat().st_mtime_ns for row in synthesis.parts.filter(pk__in=spoken)} == spoken
    assert set(synthesis.parts.values_list("take", flat=True)) == {1}


def test_another_persons_text_is_spoken_in_the_middle_of_a_book(people, make_voice, settings, monkeypatch):
    monkeypatch.setattr("xttsproject.jobs.context.LOOK_SECONDS", 0.0)
    settings.JOB_TURN_MINUTES, settings.SPEECH_BATCH = 0, 3
    vera = make_voice(people.anna)
    vera.visibility = "team"
    vera.save()
    books = [ask(people.anna, vera), ask(people.anna, vera, "Anna's second.")]
    note = ask(people.ben, vera, "A note.")
    jobs = {each.pk: Job.objects.about(each).get() for each in (*books, note)}
    assert turn(str(jobs[books[0].pk].pk)) == "queued"
    books[0].refresh_from_db()
    assert books[0].state == "queued"
    assert turn(str(jobs[books[1].pk].pk)) == "succeeded"
    note.refresh_from_db()
    assert note.state == "succeeded"
    assert turn(str(jobs[note.pk].pk)) == "succeeded"
    books[0].refresh_from_db()
    assert books[0].state == "succeeded"
    assert turn(str(jobs[books[0].pk].pk)) == "succeeded"
    books[1].refresh_from_db()
    assert books[1].state == "succeeded"


def test_a_sentence_that_is_said_anew_does_not_wait_behind_books(people, make_voice, work):
    vera = make_voice(people.anna)
    done = ask(people.anna, vera, "One.")
    assert not Job.objects.about(done).get().is_short
    work()
    ask(people.anna, vera)
    longform_regenerate(sentence=done.parts.get())
    job = Job.objects.about(done).active().get()
    assert (job.is_short, job.queue_position) == (True, 1)
    assert run(str(job.pk)) == "succeeded"
