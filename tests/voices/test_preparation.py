"""A voice's clips are measured and prepared by its job; voices that came with the model need none."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from datasets.choices import ConsentKind
from datasets.models import Speaker
from tests.voices.factories import SpeakerFactory, make_checkpoint
from voices.choices import Channel, VoiceState
from voices.engine.preparing import Preparation
from voices.models import Voice
from voices.services import speech_make, voice_create, voice_prepare_again
from voices.services.preparation import conditioning_key
from voices.services.wishes import Wish
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.studio import studio_names
from xttsproject.xtts.types import ConditioningSettings

pytestmark = pytest.mark.django_db
VOICES = "/api/v1/voices/"


def report_of(voice: Voice) -> dict[str, Any]:
    report: dict[str, Any] = voice.clips.get().quality["report"]
    return report


def test_the_job_measures_the_clips_once_and_the_page_and_the_api_show_it(people, api_for, page_for, make_voice, work):
    voice = make_voice(people.anna)
    report = report_of(voice)
    assert report["values"]["seconds"] == 5.0
    assert {"snr_db", "clipped_share", "bandwidth_hz", "loudness_lufs", "speech_seconds"} <= set(report["values"])
    # A buzz is no speech: the network says so, and the advice follows.
    assert any("Somebody speaks in it for" in each for each in report["advice"])
    page = page_for(people.anna).get(reverse("voices:voice-detail", args=[voice.pk])).content.decode()
    assert report["advice"][0] in page
    assert "Signal to noise" in page
    (shown,) = api_for(people.anna).get(f"{VOICES}{voice.pk}/").json()["clips"]
    assert shown["quality"]["report"] == report
    clip = voice.clips.get()
    clip.quality["report"]["values"]["snr_db"] = -1.0
    clip.save()
    voice_prepare_again(voice=voice)
    assert work() == ["succeeded"]
    assert report_of(voice)["values"]["snr_db"] == -1.0
    clip.quality["report"]["of"] = "an older measure"
    clip.save()
    voice_prepare_again(voice=voice)
    assert work() == ["succeeded"]
    assert report_of(voice) == report


def test_another_preparation_gives_other_latents_and_going_back_computes_none(people, page_for, make_voice, work):
    voice = make_voice(people.anna)
    first, clips = voice.conditioning_path, [clip.path.read_bytes() for clip in voice.clips.all()]
    before = first.stat().st_mtime_ns
    client = page_for(people.anna)
    there = reverse("voices:voice-preparation", args=[voice.pk])
    client.post(there, {"loudness": "on", "denoise": "on", "seconds": "4"})
    assert work() == ["succeeded"]
    voice.refresh_from_db()
    assert voice.preparation == {"denoise": True, "loudness": True, "seconds": 4.0}
    assert voice.state == VoiceState.READY
    assert voice.conditioning_path.read_bytes() != first.read_bytes()
    assert [clip.path.read_bytes() for clip in voice.clips.all()] == clips
    client.post(there, {"seconds": ""})
    assert work() == ["succeeded"]
    voice.refresh_from_db()
    assert (voice.preparation, voice.conditioning_path) == ({}, first)
    assert first.stat().st_mtime_ns == before
    assert page_for(people.ben).post(there, {}).status_code == 404


def test_latents_are_kept_under_everything_that_they_depend_on():
    usual: dict[str, Any] = {"clips": ["a", "b"], "model_key": "m", "settings": ConditioningSettings(), "changes": {}}
    others: list[dict[str, Any]] = [
        {"clips": ["a", "c"]},
        # The first seconds of all clips condition the GPT.
        {"clips": ["b", "a"]},
        {"model_key": "n"},
        {"settings": Preparation(seconds=12.0).settings},
        {"settings": ConditioningSettings(chunk_seconds=4.0)},
        {"changes": {"trim": True}},
        {"changes": {"denoise": True}},
    ]
    keys = [conditioning_key(**{**usual, **other}) for other in [{}, *others]]
    assert len(set(keys)) == 1 + len(others)
    assert conditioning_key(**usual) == keys[0]


def test_a_preparation_is_chosen_over_the_api(people, api_for, make_voice, work):
    voice = make_voice(people.anna)
    client, there = api_for(people.anna), f"{VOICES}{voice.pk}/prepare/"
    assert client.post(there, {"trim": True, "seconds": 12.0}).json()["preparation"] == {"trim": True, "seconds": 12.0}
    assert work() == ["succeeded"]
    assert client.post(there).json()["preparation"] == {"trim": True, "seconds": 12.0}
    refused = client.post(there, {"seconds": 1.0})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "seconds")
    assert api_for(people.ben).post(there, {"trim": False}).status_code == 404


def test_a_voice_of_the_models_own_speaks_without_clips(people, api_for, page_for, speaking, work):
    name = studio_names(speaking)[0]
    made = api_for(people.anna).post(VOICES, {"name": "Studio", "studio": name, "language": "en"})
    assert made.status_code == 201, made.json()
    assert work() == ["succeeded"]
    voice = Voice.objects.get()
    assert (voice.state, voice.studio, voice.clips.count()) == (VoiceState.READY, name, 0)
    assert voice.speaker.consent_kind == ConsentKind.LICENCE
    assert "published with the model" in voice.speaker.consent_statement
    assert speech_make(wish=Wish(user=people.anna, voice=voice, text="Yes.", channel=Channel.API)).seconds > 0
    page = page_for(people.anna).get(reverse("voices:voice-detail", args=[voice.pk])).content.decode()
    assert f"as “{name}”" in page
    refused = api_for(people.anna).post("/api/v1/decoding-searches/", {"voice": str(voice.pk), "count": 2})
    assert refused.status_code == 400
    # Another voice of it is of the same speaker.
    form = {"name": "Again", "studio": name, "language": "en", "visibility": "private"}
    assert page_for(people.anna).post(reverse("voices:voice-add"), form).status_code == 302
    assert Speaker.objects.count() == 1


@pytest.mark.parametrize("given", ["unknown", "speaker", "checkpoint", "language"])
def test_what_does_not_go_with_a_voice_of_the_models_own_is_refused(people, speaking, given):
    fields: dict[str, Any] = {"studio": studio_names(speaking)[0], "language": "en"}
    code = "studio_mixed"
    if given == "unknown":
        fields["studio"], code = "Nobody", "studio_unknown"
    elif given == "speaker":
        fields["speaker"] = SpeakerFactory(owner=people.anna)
    elif given == "checkpoint":
        fields["checkpoint"] = make_checkpoint(people.anna, speaking)
    else:
        fields["language"], code = "", "language_missing"
    speakers = Speaker.objects.count()
    with pytest.raises(DomainError) as caught:
        voice_create(owner=people.anna, name="Studio", **fields)
    assert caught.value.code == code
    assert not Voice.objects.exists()
    assert Speaker.objects.count() == speakers
