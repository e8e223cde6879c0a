"""Long texts on pages: asked for, followed, sentences said anew; by their owner alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from voices.models import Synthesis

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "# Morning\n\nThe old house by the sea was quiet.\n\n# Evening\n\nThen rain fell on all the roofs."
ADD = "/speak/long/"


@pytest.fixture
def anna(people, page_for, make_voice):
    make_voice(people.anna)
    return page_for(people.anna)


def send(client: Any, **changes: Any) -> Any:
    voice = str(client.get(ADD).context["form"]["voice"].field.queryset.get().pk)
    return client.post(ADD, {"voice": voice, "text": TEXT, "seed": 5, **changes})


def test_a_long_text_is_followed_to_its_end_and_heard(anna, work):
    answer = send(anna)
    synthesis = Synthesis.objects.get()
    where = reverse("voices:long-detail", args=(synthesis.pk,))
    assert (answer.status_code, answer["Location"]) == (302, where)
    page = anna.get(where).content.decode()
    assert "not cut into sentences yet" in page
    assert "every 2s" in page
    following = anna.get(f"{where}status/")
    assert (following.status_code, "HX-Trigger" in following) == (200, False)
    assert anna.get(f"{where}playlist/").json() == {"sentences": [], "more": True, "left": True}
    assert anna.get(f"{where}so-far/").status_code == 404

    assert work() == ["succeeded"]
    ended = anna.get(f"{where}status/")
    assert (ended.status_code, ended["HX-Trigger"]) == (286, "long-ended")
    page = anna.get(where).content.decode()
    assert "hx-trigger" not in page
    for shown in ("The old house by the sea was quiet.", "All chapters as MP3", "format=m4b", "Say anew"):
        assert shown in page, shown
    told = anna.get(f"{where}playlist/").json()
    assert ([row["number"] for row in told["sentences"]], told["more"]) == (list(range(1, 5)), False)
    assert [row["number"] for row in anna.get(f"{where}playlist/?from=3").json()["sentences"]] == [3, 4]
    assert anna.get(told["sentences"][0]["audio"])["Content-Type"] == "audio/wav"
    audio = reverse("voices:synthesis-audio", args=(synthesis.pk,))
    assert b"".join(anna.get(f"{audio}?download&format=mp3").streaming_content)[:3] == b"ID3"
    for path in ("so-far/?format=opus", "chapters/", "chapters/2/?format=mp3"):
        sent = anna.get(f"{where}{path}")
        assert (sent.status_code, bool(b"".join(sent.streaming_content))) == (200, True), path
    history = anna.get("/speak/").content.decode()
    assert where in history


def test_a_file_will_do_and_what_is_wrong_with_it_is_said(anna, settings):
    def file(data: bytes) -> SimpleUploadedFile:
        return SimpleUploadedFile("book.txt", data)

    answer = send(anna, text="", script=file("\ufeffCafé at noon, and nobody there.\r\n".encode()))
    assert answer.status_code == 302
    assert Synthesis.objects.get().text == "Café at noon, and nobody there."
    # Ends of lines count once, however a browser or an editor writes them.
    settings.SPEECH_LONG_CHARACTERS = 11
    assert send(anna, text="One.\r\n\r\nTwo.\r\n").status_code == 302
    assert send(anna, text="", script=file(b"One.\r\n\r\nTwo.")).status_code == 302
    settings.SPEECH_LONG_CHARACTERS = 200_000
    Synthesis.objects.all()[1].delete()
    Synthesis.objects.all()[0].delete()
    for changes, problem in (
        ({"text": "", "script": file("Café".encode("latin-1"))}, "is no text in UTF-8: its byte 4"),
        ({"script": file(b"Twice.")}, "not both"),
        ({"text": "", "script": file(b"One.\0Two.")}, "Null characters are not allowed"),
        ({"text": ""}, "There is no text to speak"),
        ({"text": "[pause long] Yes."}, "is no pause"),
    ):
        refused = send(anna, **changes)
        assert (refused.status_code, problem in refused.content.decode()) == (400, True), problem
    assert Synthesis.objects.count() == 1


def test_a_sentence_is_said_anew_from_its_row(anna, work):
    send(anna)
    work()
    synthesis = Synthesis.objects.get()
    where = reverse("voices:long-detail", args=(synthesis.pk,))
    answer = anna.post(f"{where}sentences/2/again/", {"seed": "9", "text": "It had 2 doors."}, follow=True)
    assert answer.redirect_chain[0][0] == f"{where}?page=1#sentence-2"
    assert "Sentence 2 is said anew with the seed 9." in answer.content.decode()
    assert "to be said anew" in answer.content.decode()
    work()
    assert synthesis.parts.get(number=2).text == "It had two doors."
    refused = anna.post(f"{where}sentences/2/again/", {"seed": "-1"}, follow=True)
    assert "Seed:" in refused.content.decode()


def test_it_is_stopped_and_gone_on_with(anna, work):
    send(anna)
    synthesis = Synthesis.objects.get()
    where = reverse("voices:long-detail", args=(synthesis.pk,))
    stopped = anna.post(f"{where}cancel/", follow=True).content.decode()
    assert "Go on" in stopped
    anna.post(f"{where}resume/")
    assert work() == ["succeeded"]


def test_strangers_find_nothing(anna, people, page_for, work):
    send(anna)
    work()
    ben = page_for(people.ben)
    where = reverse("voices:long-detail", args=(Synthesis.objects.get().pk,))
    for path in ("", "status/", "playlist/", "so-far/", "chapters/", "chapters/1/", "sentences/1/audio/"):
        assert ben.get(f"{where}{path}").status_code == 404, path
    for path in ("cancel/", "resume/", "sentences/1/again/"):
        assert ben.post(f"{where}{path}").status_code == 404, path


def test_administrators_see_how_far_it_is(anna, people, page_for, work):
    send(anna)
    root = page_for(people.root)
    synthesis = Synthesis.objects.get()
    assert "not whole yet" in root.get(f"/admin/voices/synthesis/{synthesis.pk}/change/").content.decode()
    work()
    page = root.get(f"/admin/voices/synthesis/{synthesis.pk}/change/").content.decode()
    assert "4 sentences" in page
    assert root.get("/admin/voices/synthesis/?state__exact=succeeded").status_code == 200


def test_a_text_is_asked_for_again_with_its_values(anna, page_for, people):
    send(anna, temperature="0.6", sentence_pause="0.4", language="auto")
    synthesis = Synthesis.objects.get()
    where = reverse("voices:long-detail", args=(synthesis.pk,))
    assert f"{ADD}?again={synthesis.pk}" in anna.get(where).content.decode()
    filled = anna.get(ADD, {"again": str(synthesis.pk)}).context["form"].initial
    wanted = {
        "guard": "fast",
        "max_retries": 2,
        "text": TEXT,
        "temperature": 0.6,
        "sentence_pause": 0.4,
        "language": "auto",
        "seed": 5,
    }
    assert wanted.items() <= filled.items()
    assert "paragraph_pause" not in filled
    assert "text" not in page_for(people.ben).get(ADD, {"again": str(synthesis.pk)}).context["form"].initial


def test_a_gap_is_not_the_end_and_wild_numbers_find_nothing(anna, work):
    send(anna)
    work()
    synthesis = Synthesis.objects.get()
    where = reverse("voices:long-detail", args=(synthesis.pk,))
    synthesis.parts.filter(number=2).update(take=0)
    told = anna.get(f"{where}playlist/").json()
    assert ([row["number"] for row in told["sentences"]], told["more"], told["left"]) == ([1], False, True)
    assert anna.get(f"{where}playlist/?from=4").json()["left"] is False
    for wild in ("-3", "x", "9" * 30):
        assert anna.get(f"{where}playlist/?from={wild}").status_code == 200
    for path in (f"sentences/{'9' * 30}/audio/", f"chapters/{'9' * 30}/"):
        assert anna.get(f"{where}{path}").status_code == 404, path
    assert anna.post(f"{where}sentences/{'9' * 30}/again/").status_code == 404


def test_from_the_warned_sentences_one_comes_back_to_them(anna, work):
    send(anna)
    work()
    synthesis = Synthesis.objects.get()
    synthesis.parts.filter(number__in=(2, 4)).update(warnings=["It babbles."])
    where = reverse("voices:long-detail", args=(synthesis.pk,))
    assert 'name="warned"' in anna.get(f"{where}?warned=1").content.decode()
    answer = anna.post(f"{where}sentences/4/again/", {"warned": "1"})
    assert answer["Location"] == f"{where}?page=1&warned=1#sentence-4"


def test_the_sound_of_what_may_be_joined_anew_is_not_kept_by_browsers(anna, work):
    send(anna)
    work()
    audio = reverse("voices:synthesis-audio", args=(Synthesis.objects.get().pk,))
    assert anna.get(audio)["Cache-Control"] == "private, no-cache"
