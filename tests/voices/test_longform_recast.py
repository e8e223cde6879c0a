"""A long text whose voice was deleted is gone on with by another: what is spoken stays, and files say who spoke."""

from __future__ import annotations

import io
from typing import Any

import av
import pytest
from django.urls import reverse

from voices.choices import Channel
from voices.models import Synthesis, Voice
from voices.services import voice_delete
from voices.services.longform import longform_create, longform_resume
from voices.services.wishes import Wish
from xttsproject.lib.errors import DomainError

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "The old house by the sea was quiet.\n\nNobody was there.\n\nThen rain fell on all the roofs."


@pytest.fixture
def stopped(people, make_voice, work, monkeypatch) -> Synthesis:
    """Vera has said the first of three sentences and was deleted."""
    from voices.services import longform_speaking

    vera = make_voice(people.anna)
    values = {"seed": 11, "temperature": 0.6}
    wish = Wish(user=people.anna, voice=vera, text=TEXT, sampling=values, channel=Channel.API)
    synthesis = longform_create(wish=wish)
    keep = longform_speaking.Booth.keep

    def once(self: Any, spoken: Any, speech: Any) -> None:
        keep(self, spoken, speech)
        raise DomainError("power_gone", "The power went.")

    with monkeypatch.context() as patch:
        patch.setattr(longform_speaking.Booth, "keep", once)
        assert work() == ["failed"]
    voice_delete(voice=vera)
    synthesis.refresh_from_db()
    longform_resume(synthesis=synthesis)
    assert work() == ["failed"]
    synthesis.refresh_from_db()
    assert (synthesis.error_code, synthesis.parts.spoken().count()) == ("voice_gone", 1)
    return synthesis


def comment(content: bytes) -> str:
    with av.open(io.BytesIO(content)) as container:
        return str(container.metadata["comment"])


def test_another_voice_says_the_rest_and_every_file_says_who_spoke(stopped, people, make_voice, work, api_for):
    first = stopped.parts.spoken().get()
    before = first.path.read_bytes()
    zoe = make_voice(people.anna, "Zoe")
    anna, address = api_for(people.anna), f"/api/v1/syntheses/{stopped.pk}/"
    answer = anna.post(f"{address}resume/", {"voice": "Zoe"})
    assert (answer.status_code, answer.json()["state"]) == (200, "queued"), answer.json()
    assert work() == ["succeeded"]
    told = anna.get(address).json()
    assert (told["voices"], told["voice"], told["sampling"]["temperature"]) == (["Vera", "Zoe"], str(zoe.pk), 0.6)
    rows = list(stopped.parts.order_by("number"))
    assert first.path.read_bytes() == before
    assert {row.voice_name for row in rows if row.pk != first.pk} == {"Zoe"}
    for row in rows:
        assert f"with the voice “{row.voice_name}”." in comment(row.path.read_bytes())
        assert row.start is not None
    assert "with the voice “Vera”, “Zoe”." in comment(stopped.audio_path.read_bytes())


def test_who_cannot_say_it_is_refused_and_nothing_is_begun(stopped, people, make_voice, api_for, settings):
    zoe, bens = make_voice(people.anna, "Zoe"), make_voice(people.ben, "Bela")
    resume = f"/api/v1/syntheses/{stopped.pk}/resume/"
    assert api_for(people.ben).post(resume, {"voice": "Bela"}).status_code == 404
    # An administrator sees Ben's voice, and Anna, whose text it is, does not.
    for person, voice in ((people.anna, "Bela"), (people.anna, "Nobody"), (people.root, str(bens.pk))):
        refused = api_for(person).post(resume, {"voice": voice})
        assert (refused.status_code, refused.json()["error"]["param"]) == (404, "voice"), voice
    Voice.objects.filter(pk=zoe.pk).update(bundle="another")
    refused = api_for(people.anna).post(resume, {"voice": "Zoe"})
    assert refused.json()["error"]["code"] == "model_mismatch"
    stopped.refresh_from_db()
    assert (stopped.state, set(stopped.asked["cast"])) == ("failed", set(stopped.asked["cast"]) - {str(zoe.pk)})


def test_while_its_own_voices_can_go_on_no_other_is_taken(people, make_voice, work):
    vera, zoe = make_voice(people.anna), make_voice(people.anna, "Zoe")
    synthesis = longform_create(wish=Wish(user=people.anna, voice=vera, text=TEXT, channel=Channel.API))
    from voices.services.longform import longform_cancel

    longform_cancel(synthesis=synthesis)
    with pytest.raises(DomainError) as caught:
        longform_resume(synthesis=synthesis, voice=zoe)
    assert caught.value.code == "voice_not_needed"
    # Nothing of it was cut yet when its voice went.
    voice_delete(voice=vera)
    longform_resume(synthesis=synthesis, voice=zoe)
    assert work() == ["succeeded"]
    synthesis.refresh_from_db()
    assert (synthesis.voice_name, synthesis.voice_names) == ("Zoe", ["Zoe"])


def test_a_voice_that_was_prepared_anew_may_say_the_rest_as_it_is_now(stopped, people, make_voice, work):
    zoe = make_voice(people.anna, "Zoe")
    longform_resume(synthesis=stopped, voice=zoe)
    zoe.conditioning_path.rename(zoe.folder / "conditioning-new.safetensors")
    Voice.objects.filter(pk=zoe.pk).update(conditioning_key="new")
    assert work() == ["failed"]
    stopped.refresh_from_db()
    assert stopped.error_code == "voice_outdated"
    longform_resume(synthesis=stopped, voice=Voice.objects.get(pk=zoe.pk))
    assert work() == ["succeeded"]


def test_the_page_offers_other_voices_where_one_is_wanted(stopped, people, make_voice, page_for, work):
    zoe = make_voice(people.anna, "Zoe")
    anna, where = page_for(people.anna), reverse("voices:long-detail", args=(stopped.pk,))
    page = anna.get(where).content.decode()
    assert "Go on with this voice" in page
    assert f'value="{zoe.pk}"' in page
    refused = anna.post(f"{where}resume/", {"voice": "nonsense"}, follow=True).content.decode()
    assert "Voice: " in refused
    assert "Go on with this voice" not in anna.post(f"{where}resume/", {"voice": zoe.pk}, follow=True).content.decode()
    assert work() == ["succeeded"]


@pytest.fixture
def orphaned(people, make_voice, work) -> Synthesis:
    """Whole, and Vera who said it was deleted."""
    vera = make_voice(people.anna)
    wish = Wish(user=people.anna, voice=vera, text=TEXT, sampling={"seed": 11}, channel=Channel.API)
    synthesis = longform_create(wish=wish)
    assert work() == ["succeeded"]
    voice_delete(voice=vera)
    synthesis.refresh_from_db()
    return synthesis


def test_one_sentence_of_a_text_whose_voice_is_gone_is_said_by_another(orphaned, people, make_voice, work, api_for):
    zoe = make_voice(people.anna, "Zoe")
    make_voice(people.ben, "Bela")
    anna, address = api_for(people.anna), f"/api/v1/syntheses/{orphaned.pk}/"
    again = f"{address}sentences/2/regenerate/"
    refused = anna.post(again, {})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "voice_gone")
    assert "choose another voice" in refused.json()["error"]["message"]
    for voice in ("Bela", "Nobody"):
        refused = anna.post(again, {"voice": voice})
        assert (refused.status_code, refused.json()["error"]["param"]) == (404, "voice"), voice
    Voice.objects.filter(pk=zoe.pk).update(bundle="another")
    assert anna.post(again, {"voice": "Zoe"}).json()["error"]["code"] == "model_mismatch"
    Voice.objects.filter(pk=zoe.pk).update(bundle=orphaned.bundle)
    assert anna.get(address).json()["state"] == "succeeded"

    asked = anna.post(again, {"voice": "Zoe", "text": "Somebody was there."}).json()
    # Its sound is still Vera's, and says so.
    assert (asked["is_pending"], asked["voice_name"]) == (True, "Vera")
    assert work() == ["succeeded"]
    second = orphaned.parts.get(number=2)
    assert (second.voice_name, second.voice, second.take) == ("Zoe", zoe, 2)
    assert "with the voice “Zoe”." in comment(second.path.read_bytes())
    assert anna.get(address).json()["voices"] == ["Vera", "Zoe"]
    orphaned.refresh_from_db()
    assert "with the voice “Vera”, “Zoe”." in comment(orphaned.audio_path.read_bytes())

    # Who no longer speaks in it is no longer named, and who said it last says it again.
    for number in (1, 3):
        assert anna.post(f"{address}sentences/{number}/regenerate/", {"voice": str(zoe.pk)}).status_code == 202
    assert anna.post(again, {}).status_code == 202
    assert set(work()) == {"succeeded"}
    orphaned.refresh_from_db()
    assert anna.get(address).json()["voices"] == ["Zoe"]
    assert "with the voice “Zoe”." in comment(orphaned.audio_path.read_bytes())
    assert "Vera" not in comment(orphaned.audio_path.read_bytes())


def test_a_sentence_is_given_to_another_voice_while_the_text_is_being_spoken(people, make_voice, work, monkeypatch):
    from voices.services import longform_speaking
    from voices.services.longform import longform_regenerate

    vera, zoe = make_voice(people.anna), make_voice(people.anna, "Zoe")
    synthesis = longform_create(wish=Wish(user=people.anna, voice=vera, text=TEXT, channel=Channel.API))
    keep = longform_speaking.Booth.keep
    given: list[int] = []

    def and_give(self: Any, spoken: Any, speech: Any) -> None:
        keep(self, spoken, speech)
        if not given:
            given.append(spoken.row.number)
            longform_regenerate(sentence=synthesis.parts.get(pk=spoken.row.pk), voice=zoe)

    monkeypatch.setattr(longform_speaking.Booth, "keep", and_give)
    assert work() == ["succeeded"]
    names = {row.number: row.voice_name for row in synthesis.parts.all()}
    assert names == {number: "Zoe" if number in given else "Vera" for number in (1, 2, 3)}
    synthesis.refresh_from_db()
    assert set(synthesis.voice_names) == {"Vera", "Zoe"}


def test_nobody_says_unasked_what_a_voice_was_to_say_that_is_gone(people, make_voice, work, page_for):
    from voices.services.longform import longform_regenerate

    vera, zoe = make_voice(people.anna), make_voice(people.anna, "Zoe")
    synthesis = longform_create(wish=Wish(user=people.anna, voice=vera, text=TEXT, channel=Channel.API))
    assert work() == ["succeeded"]
    second = synthesis.parts.get(number=2)
    longform_regenerate(sentence=second, text="Somebody was there.", voice=zoe)
    voice_delete(voice=zoe)
    assert work() == ["failed"]
    synthesis.refresh_from_db()
    assert synthesis.error_code == "voice_gone"
    assert "“Zoe”" in synthesis.error
    second.refresh_from_db()
    assert (second.take, second.text, second.speaker) == (1, "Nobody was there.", None)
    page = page_for(people.anna).get(reverse("voices:long-detail", args=(synthesis.pk,))).content.decode()
    assert page.count("“Zoe” can no longer say it") == 1

    longform_resume(synthesis=synthesis, voice=vera)
    assert work() == ["succeeded"]
    second.refresh_from_db()
    assert (second.take, second.text, second.voice) == (2, "Somebody was there.", vera)


def test_the_page_asks_for_a_voice_where_a_sentence_has_lost_its_own(orphaned, people, make_voice, page_for, work):
    zoe = make_voice(people.anna, "Zoe")
    anna, where = page_for(people.anna), reverse("voices:long-detail", args=(orphaned.pk,))
    page = anna.get(where).content.decode()
    assert page.count("“Vera” can no longer say it") == 3
    assert '<option value="Zoe">' in page
    told = anna.post(f"{where}sentences/2/again/", {"voice": ""}, follow=True).content.decode()
    assert "choose another voice to say it" in told
    told = anna.post(f"{where}sentences/2/again/", {"voice": "zoe"}, follow=True).content.decode()
    assert "Sentence 2 is said anew by “Zoe”" in told
    assert "to be said anew by Zoe" in told
    assert work() == ["succeeded"]
    assert orphaned.parts.get(number=2).voice == zoe
    assert anna.get(where).content.decode().count("“Vera” can no longer say it") == 2
    assert page_for(people.ben).post(f"{where}sentences/2/again/", {"voice": "Zoe"}).status_code == 404
