"""Sentences that are spoken for people are guarded: judged, said again, and told of, on page and API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.voices.factories import SynthesisFactory, VoiceFactory, make_checkpoint
from voices.choices import Channel
from voices.models import Synthesis, Voice
from voices.services import guarding, speech_make, voice_create
from voices.services.guarding import guard_settings, voice_pace
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.guard.pace import Pace
from xttsproject.xtts.guard.retries import Mode

TEXT = "The old cat sat on the mat."


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every voice is thought to speak ten times as fast as anybody can, so that all that is said is too long."""
    monkeypatch.setattr(guarding, "pace_of", lambda language, ratios: Pace(0.12, 0.06))


def speak(voice: Voice, **more: Any) -> Synthesis:
    fields = {"user": voice.owner, "voice": voice, "text": TEXT, "sampling": {"seed": 3}, "channel": Channel.API}
    return speech_make(**{**fields, **more})


def test_a_good_sentence_is_kept_with_its_pace_and_not_a_word(people, make_voice):
    sentence = speak(make_voice(people.anna), guard={"max_retries": 5}).sentences[0]

    assert sentence["warnings"] == sentence["faults"] == []
    assert 1 <= sentence["attempts"] <= 6
    assert 0.3 < sentence["codes_per_character"] < 4


def test_a_bad_one_is_said_again_as_often_as_allowed_and_told(people, make_voice, hasty):
    voice = make_voice(people.anna)
    once, thrice = speak(voice, guard={"max_retries": 0}), speak(voice, guard={"max_retries": 2})

    assert once.sentences[0]["attempts"] == 1
    assert thrice.sentences[0]["attempts"] == 3
    assert once.sentences[0]["faults"] == ["babble"]
    assert len(once.warnings) == 1
    assert once.warnings[0].startswith(f"“{TEXT}”: It takes ")
    # The luck of the first attempt is what was asked for.
    assert once.sampling["seed"] == thrice.sampling["seed"] == 3


def test_switched_off_nothing_is_judged(people, make_voice, hasty):
    synthesis = speak(make_voice(people.anna), guard={"guard": "off"})

    assert "attempts" not in synthesis.sentences[0]
    assert synthesis.warnings == []


def test_careful_needs_somebody_who_listens(people, make_voice, settings):
    settings.WHISPER_BUNDLE = "nobody"
    with pytest.raises(DomainError, match="careful guard needs a transcription model") as caught:
        speak(make_voice(people.anna), guard={"guard": "careful"})
    assert (caught.value.code, caught.value.field) == ("guard_deaf", "guard")


def test_careful_takes_the_best_of_its_candidates(people, make_voice, monkeypatch):
    heard = iter(["a cow", TEXT, "a horse"])
    monkeypatch.setattr(guarding, "_listener", lambda: lambda sound, language: next(heard))
    synthesis = speak(make_voice(people.anna), guard={"guard": "careful", "max_retries": 0})

    # A third one only where the second was bad in another way.
    assert synthesis.sentences[0]["attempts"] in (2, 3)
    assert "misheard" not in synthesis.sentences[0]["faults"]


def test_the_voices_default_is_overridden_by_the_request(people):
    voice = VoiceFactory(owner=people.anna)
    assert guard_settings(voice=voice, given={}).mode == Mode.FAST
    assert guard_settings(voice=voice, given={"guard": "", "max_retries": None}).max_retries == 2
    assert guard_settings(voice=voice, given={"guard": "careful", "candidates": 5}).candidates == 5
    with pytest.raises(DomainError, match="The guard is 'eager'"):
        guard_settings(voice=voice, given={"guard": "eager"})


def test_a_voice_is_guarded_as_its_owner_wants(people, api_for, page_for):
    voice = VoiceFactory(owner=people.anna, state="ready", visibility="team")
    path, page = f"/api/v1/voices/{voice.pk}/", f"/voices/{voice.pk}/"
    answer = api_for(people.anna).patch(path, {"guard": "careful"}, format="json")
    assert answer.json()["guard"] == "careful"
    voice.refresh_from_db()
    assert guard_settings(voice=voice, given={}).mode == Mode.CAREFUL
    assert guard_settings(voice=voice, given={"guard": "fast"}).mode == Mode.FAST

    assert page_for(people.anna).post(f"{page}guard/", {"guard": "off"}).status_code == 302
    assert '<option value="off" selected>' in page_for(people.anna).get(page).content.decode()
    refused = page_for(people.anna).post(f"{page}guard/", {"guard": "eager"}, follow=True)
    assert "The guard is &#x27;eager&#x27;" in refused.content.decode()
    assert api_for(people.anna).patch(path, {"guard": "eager"}, format="json").status_code == 400

    # The team may speak with it, and no more.
    assert page_for(people.ben).post(f"{page}guard/", {"guard": "fast"}).status_code == 403
    assert api_for(people.ben).patch(path, {"guard": "fast"}, format="json").status_code == 403
    voice.refresh_from_db()
    assert voice.guard == "off"


def test_a_voices_pace_is_known_from_its_dataset_and_then_from_what_it_says(people, speaking):
    base = VoiceFactory(owner=people.anna)
    assert voice_pace(voice=base, language="en").sentences == 0
    tuned = voice_create(owner=people.anna, name="Tuned", checkpoint=make_checkpoint(people.anna, speaking))
    clips = voice_pace(voice=tuned, language="en")
    assert clips.sentences == 8
    assert voice_pace(voice=tuned, language="de").sentences == 0

    said = {"text": TEXT, "faults": [], "codes_per_character": 1.0, "voice": "Tuned", "language": "en"}
    bad = {**said, "faults": ["babble"], "codes_per_character": 9.0}
    other = {**said, "voice": "Somebody", "codes_per_character": 9.0}
    unjudged = {"text": TEXT, "voice": "Tuned", "language": "en"}
    SynthesisFactory(owner=people.ben, voice=tuned, sentences=[said] * 30 + [bad, other, unjudged])
    known = voice_pace(voice=tuned, language="en")

    assert known.sentences == 38
    assert known.per_character < clips.per_character


def test_an_answer_of_sound_carries_the_warnings_in_a_header(people, make_voice, api_for, hasty):
    voice = make_voice(people.anna)
    body = {"voice": str(voice.pk), "text": TEXT, "max_retries": 0}
    answer = api_for(people.anna).post("/api/v1/speech/", body, format="json")

    warnings = json.loads(answer["X-Speech-Warnings"])
    assert len(warnings) == 1
    assert "babbles" in warnings[0]
    kept = api_for(people.anna).get(f"/api/v1/syntheses/{answer['X-Synthesis-Id']}/").json()
    assert kept["warnings"] == warnings
    assert kept["sentences"][0]["faults"] == ["babble"]
    quiet = api_for(people.anna).post("/api/v1/speech/", {**body, "guard": "off"}, format="json")
    assert "X-Speech-Warnings" not in quiet


def test_openais_endpoint_carries_them_too(people, make_voice, api_for, hasty):
    voice = make_voice(people.anna)
    body = {"model": "tts-1", "voice": str(voice.pk), "input": TEXT, "max_retries": 0, "response_format": "wav"}
    answer = api_for(people.anna).post("/v1/audio/speech", body, format="json")

    assert answer.status_code == 200
    assert "babbles" in json.loads(answer["X-Speech-Warnings"])[0]


@pytest.mark.parametrize(
    ("given", "field"),
    [({"guard": "eager"}, "guard"), ({"max_retries": 9}, "max_retries"), ({"candidates": 0}, "candidates")],
)
def test_wrong_values_are_refused_by_name(people, api_for, speaking, given, field):
    voice = VoiceFactory(owner=people.anna, state="ready")
    answer = api_for(people.anna).post(
        "/api/v1/speech/", {"voice": str(voice.pk), "text": TEXT, **given}, format="json"
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == field


def test_the_page_shows_them_by_the_sentence(people, make_voice, page_for, hasty):
    voice = make_voice(people.anna)
    page = page_for(people.anna).post("/speak/", {"voice": voice.pk, "text": TEXT, "guard": "fast"}).content.decode()

    assert f"“{TEXT}”: It takes " in page
    assert "it babbles." in page
