"""Voices that come with the model are spoken with by name, before anybody has made a voice of them."""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest

from tests.voices.factories import VoiceFactory
from voices.models import Synthesis, Voice
from voices.services import studio_offered, voice_create, voice_find
from voices.services.studio import studio_take
from xttsproject.jobs.models import Job
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.studio import studio_names

pytestmark = pytest.mark.django_db
OPENAI = "/v1/audio/speech"


@pytest.fixture
def names(speaking: Any) -> list[str]:
    return studio_names(speaking)


def test_they_are_listed_until_one_has_a_voice_of_that_name(people, api_for, names):
    client = api_for(people.anna)
    offered = client.get("/api/v1/voices/studio/").json()
    assert [row["name"] for row in offered] == names
    assert {(row["bundle"], row["language"]) for row in offered} == {("tiny", "en")}
    listed = client.get("/v1/audio/voices").json()["voices"]
    assert [(row["id"], row["model"], row["studio"]) for row in listed] == [(name, "tiny", True) for name in names]

    own = VoiceFactory(owner=people.anna, name=names[0].upper(), state="ready")
    listed = client.get("/v1/audio/voices").json()["voices"]
    assert [row["id"] for row in listed] == [str(own.pk), *names[1:]]
    # Ben does not see her voice, so that for him the name is still the model's.
    assert [each.name for each in studio_offered(user=people.ben)] == names


def test_one_speaks_by_its_name_at_once_and_is_ones_own_from_then_on(people, api_for, names):
    client, name = api_for(people.anna), names[1]
    body = {"model": "tts-1", "voice": name.lower(), "input": "Good morning.", "response_format": "wav", "seed": 1}
    body["stream"] = False
    answer = client.post(OPENAI, body, format="json")
    assert answer.status_code == 200, answer.content
    voice = Voice.objects.get()
    assert (voice.owner, voice.name, voice.studio, voice.state) == (people.anna, name, name, "ready")
    assert voice.speaker.consent_kind == "licence"
    assert Synthesis.objects.get().voice == voice
    # No queue, no worker: the latents lie in the bundle.
    assert not Job.objects.exists()

    again = client.post("/api/v1/speech/", {"voice": name, "text": "Good morning.", "seed": 1}, format="json")
    assert again.content[-2000:] == answer.content[-2000:]
    assert Voice.objects.count() == 1
    # Two names of a model are two voices, in a script too.
    script = {"voice": name, "text": f"One. [voice: {names[0]}] Two.", "seed": 1}
    assert client.post("/api/v1/speech/", script, format="json").status_code == 200
    assert set(Voice.objects.values_list("name", flat=True)) == set(names[:2])
    # Ben's is his own, of the same latents.
    assert api_for(people.ben).post(OPENAI, body, format="json").status_code == 200
    his = Voice.objects.get(owner=people.ben)
    assert his.conditioning_key == voice.conditioning_key


def test_a_voice_of_that_name_that_one_may_use_is_meant_first(people, names):
    mine = VoiceFactory(owner=people.anna, name=names[0], state="ready")
    shared = VoiceFactory(owner=people.ben, name=names[1], state="ready", visibility="team")
    assert voice_find(user=people.anna, given=names[0].lower()) == mine
    assert voice_find(user=people.anna, given=names[1]) == shared
    with pytest.raises(DomainError, match=f"did you mean “{names[2]}”"):
        voice_find(user=people.anna, given=f"{names[2]}x")
    assert Voice.objects.count() == 2


def test_a_model_that_is_damaged_offers_nothing_and_leaves_no_half_voice(
    people, names, speaking, settings, tmp_path, monkeypatch
):
    settings.MODELS_DIR = tmp_path
    copy = tmp_path / speaking.name
    shutil.copytree(speaking, copy)
    offered = studio_offered(user=people.anna)[0]
    weights = (copy / "speakers.safetensors").read_bytes()
    (copy / "speakers.safetensors").write_bytes(weights[:100])
    assert studio_offered(user=people.anna) == []
    with pytest.raises(DomainError) as caught:
        studio_take(user=people.anna, studio=offered)
    assert caught.value.code == "model_damaged"
    assert not Voice.objects.exists()


def test_one_that_another_request_has_just_made_is_taken(people, names):
    offered = studio_offered(user=people.anna)[0]
    first = voice_create(owner=people.anna, name=offered.name, studio=offered.name, language="en", start=False)
    assert not first.is_ready
    taken = studio_take(user=people.anna, studio=offered)
    assert (taken, taken.is_ready) == (first, True)


def test_the_speak_page_offers_them_below_ones_own(people, page_for, names):
    client = page_for(people.anna)
    page = client.get("/speak/").content.decode()
    group = re.search(r'<optgroup label="Of the model">(.*?)</optgroup>', page, re.DOTALL)
    assert group is not None
    assert re.findall(r'value="studio:([^"]+)"', group[1]) == names
    fields = {"voice": f"studio:{names[0]}", "text": "Good morning."}
    assert client.post("/speak/", fields).status_code == 200
    voice = Voice.objects.get()
    assert Synthesis.objects.get().voice == voice
    page = client.get("/speak/", {"voice": voice.pk}).content.decode()
    assert f'<option value="{voice.pk}" selected>{names[0]}</option>' in page
    assert f"studio:{names[0]}" not in page
    refused = client.post("/speak/", {**fields, "voice": "studio:Nobody"})
    assert refused.status_code == 400
    assert "There is no voice “Nobody”" in refused.content.decode()
