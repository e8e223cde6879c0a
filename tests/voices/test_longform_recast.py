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
