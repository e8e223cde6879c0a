from __future__ import annotations

import io
import re
import uuid
import wave
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.voices.factories import (
    SegmentFactory,
    SourceFactory,
    SpeakerFactory,
    SynthesisFactory,
    VoiceFactory,
    make_checkpoint,
    speechlike,
)
from voices.engine.encoding import FORMATS, encode
from voices.models import Synthesis, Voice
from xttsproject.bundles.manifest import open_bundle

VOICES = "/api/v1/voices/"
SPEECH = "/api/v1/speech/"
SYNTHESES = "/api/v1/syntheses/"


def upload(seconds: float = 4.0, name: str = "mum.mp3", seed: int = 0) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, encode(speechlike(seconds, seed=seed), FORMATS["mp3"]))


def error_of(response: Any) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    return error


def test_files_of_any_format_become_a_voice_whose_state_can_be_followed(people, api_for, speaking, work):
    anna = api_for(people.anna)
    speaker = SpeakerFactory(owner=people.anna)
    answer = anna.post(
        VOICES,
        {"name": "Vera", "speaker": speaker.pk, "language": "en", "clips": [upload(), upload(seed=1, name="dad.mp3")]},
        format="multipart",
    )
    assert answer.status_code == 201, answer.json()
    made = answer.json()
    assert (made["name"], made["state"], made["checkpoint"], made["bundle"]) == ("Vera", "preparing", None, "tiny")
    assert [clip["name"] for clip in made["clips"]] == ["mum.mp3", "dad.mp3"]
    assert anna.get(f"/api/v1/jobs/{made['job']}/").json()["state"] == "queued"
    assert work() == ["succeeded"]
    assert anna.get(f"{VOICES}{made['id']}/").json()["state"] == "ready"
    sound = anna.get(made["clips"][0]["audio"])
    assert (sound.status_code, sound["Content-Type"]) == (200, "audio/wav")


def test_a_checkpoint_alone_becomes_a_voice(people, api_for, speaking):
    checkpoint = make_checkpoint(people.anna, speaking)
    made = api_for(people.anna).post(VOICES, {"name": "Tuned", "checkpoint": checkpoint.pk}).json()
    assert made["checkpoint"] == checkpoint.pk
    assert made["checkpoint_epoch"] == 1
    assert made["speaker"] == checkpoint.run.version.dataset.speaker_id
    assert [round(clip["seconds"]) for clip in made["clips"]] == [8, 7, 6, 5, 4]


def test_segments_become_a_voice(people, api_for, speaking):
    segment = SegmentFactory(source=SourceFactory(owner=people.anna))
    made = api_for(people.anna).post(VOICES, {"name": "Cut", "segments": [segment.pk]}).json()
    assert [clip["seconds"] for clip in made["clips"]] == [4.0]


def test_what_others_keep_to_themselves_makes_no_voice_of_mine(people, api_for, speaking):
    ben = api_for(people.ben)
    checkpoint = make_checkpoint(people.anna, speaking)
    segment = SegmentFactory(source=SourceFactory(owner=people.anna))
    speaker = SpeakerFactory(owner=people.anna)
    for field, value in (("checkpoint", checkpoint.pk), ("segments", [segment.pk]), ("speaker", speaker.pk)):
        answer = ben.post(VOICES, {"name": "Stolen", field: value})
        assert answer.status_code == 400
        assert error_of(answer)["param"].startswith(field)
    assert not Voice.objects.exists()


def test_lists_are_not_narrowed_by_what_one_may_not_see(people, api_for, speaking):
    """Somebody else's private voice, speaker or checkpoint is answered like one that does not exist."""
    theirs = VoiceFactory(owner=people.anna, checkpoint=make_checkpoint(people.anna, speaking))
    mine = VoiceFactory(owner=people.ben, checkpoint=make_checkpoint(people.ben, speaking))
    ben = api_for(people.ben)
    for path, field, hidden, own, nobodys in (
        (VOICES, "checkpoint", theirs.checkpoint_id, mine.checkpoint_id, 10**6),
        (VOICES, "speaker", theirs.speaker_id, mine.speaker_id, uuid.uuid4()),
        (SYNTHESES, "voice", theirs.pk, mine.pk, uuid.uuid4()),
    ):
        assert ben.get(path, {field: str(own)}).status_code == 200
        keys = (hidden, nobodys)
        refusals = [ben.get(path, {field: str(key)}) for key in keys]
        assert [answer.status_code for answer in refusals] == [400, 400], (path, field)
        # The same words, but for the value that each of them quotes.
        words = [answer.content.decode().split(f"'{key}'") for answer, key in zip(refusals, keys, strict=True)]
        assert len(words[0]) > 1
        assert words[0] == words[1]


def test_a_voice_without_a_speaker_or_clips_is_refused_with_the_field_at_fault(people, api_for, speaking):
    anna = api_for(people.anna)
    answer = anna.post(VOICES, {"name": "Vera", "language": "en", "clips": [upload()]}, format="multipart")
    assert (answer.status_code, error_of(answer)["code"]) == (400, "speaker_missing")
    speaker = SpeakerFactory(owner=people.anna)
    answer = anna.post(VOICES, {"name": "Vera", "language": "en", "speaker": speaker.pk})
    assert (answer.status_code, error_of(answer)["param"]) == (400, "clips")


def test_a_voice_is_seen_by_its_owner_and_once_shared_by_all_and_changed_by_its_owner_alone(people, api_for):
    voice = VoiceFactory(owner=people.anna)
    anna, ben = api_for(people.anna), api_for(people.ben)
    address = f"{VOICES}{voice.pk}/"
    assert [row["id"] for row in anna.get(VOICES).json()["results"]] == [str(voice.pk)]
    assert ben.get(VOICES).json()["results"] == []
    for response in (ben.get(address), ben.patch(address, {"visibility": "team"}), ben.delete(address)):
        assert response.status_code == 404
    assert anna.patch(address, {"visibility": "team"}).json()["visibility"] == "team"
    assert ben.get(address).status_code == 200
    for response in (
        ben.patch(address, {"visibility": "private"}),
        ben.delete(address),
        ben.post(f"{address}prepare/"),
    ):
        assert (response.status_code, error_of(response)["type"]) == (403, "permission_error")
    assert anna.delete(address).status_code == 204
    assert not Voice.objects.exists()


def test_whoever_may_use_a_voice_sees_the_consent_and_the_licence_that_it_stands_on(
    people, api_for, page_for, speaking, settings
):
    speaker = SpeakerFactory(owner=people.anna, consent_kind="self", consent_statement="I read this for the team.")
    voice = VoiceFactory(owner=people.anna, speaker=speaker, bundle=speaking.name, visibility="team")
    licence = open_bundle(speaking).licence
    told = api_for(people.ben).get(f"{VOICES}{voice.pk}/").json()
    assert (told["consent_kind"], told["consent_statement"]) == ("self", "I read this for the team.")
    assert told["consent_evidence"] == speaker.consent_evidence
    assert told["licence"] == licence
    page = page_for(people.ben).get(f"/voices/{voice.pk}/").content.decode()
    assert "I read this for the team." in page
    assert f"licence: {licence}" in re.sub(r"<a[^>]*>|</a>", "", page)
    # The speaker is anna's own all the same.
    assert api_for(people.ben).get(f"/api/v1/speakers/{speaker.pk}/").status_code == 404
    settings.MODELS_DIR = settings.MODELS_DIR / "gone"
    assert api_for(people.ben).get(f"{VOICES}{voice.pk}/").json()["licence"] is None


def test_the_list_takes_as_many_queries_for_many_voices_as_for_one(people, api_for, django_assert_max_num_queries):
    for _ in range(6):
        VoiceFactory(owner=people.anna)
    with django_assert_max_num_queries(3):
        assert len(api_for(people.anna).get(VOICES).json()["results"]) == 6


def test_speech_comes_back_as_a_wav_of_24_000_hertz_and_is_kept(people, api_for, make_voice):
    voice = make_voice(people.anna)
    anna = api_for(people.anna)
    answer = anna.post(SPEECH, {"voice": str(voice.pk), "text": "Good morning.", "seed": 3, "speed": 1.0})
    assert (answer.status_code, answer["Content-Type"]) == (200, "audio/wav")
    with wave.open(io.BytesIO(answer.content)) as handle:
        assert (handle.getframerate(), handle.getnchannels(), handle.getsampwidth()) == (24_000, 1, 2)
        assert handle.getnframes() / 24_000 == pytest.approx(float(answer["X-Speech-Seconds"]), abs=0.001)
    assert answer["X-Speech-Seed"] == "3"
    kept = anna.get(f"{SYNTHESES}{answer['X-Synthesis-Id']}/").json()
    assert (kept["text"], kept["language"], kept["channel"], kept["voice"]) == (
        "Good morning.",
        "en",
        "api",
        str(voice.pk),
    )
    assert kept["sampling"]["seed"] == 3
    sound = anna.get(kept["audio"])
    assert b"".join(sound.streaming_content) == answer.content
    part = anna.get(kept["audio"], HTTP_RANGE="bytes=0-43", HTTP_ACCEPT="audio/wav")
    assert (part.status_code, b"".join(part.streaming_content)) == (206, answer.content[:44])


@pytest.mark.parametrize("name", ["mp3", "flac", "opus", "aac", "pcm"])
def test_speech_comes_in_other_formats(people, api_for, make_voice, name):
    make_voice(people.anna)
    answer = api_for(people.anna).post(
        SPEECH, {"voice": "Vera", "text": "Good morning.", "format": name}, HTTP_ACCEPT="application/octet-stream"
    )
    assert (answer.status_code, answer["Content-Type"]) == (200, FORMATS[name].content_type)
    assert len(answer.content) > 500


@pytest.mark.parametrize(
    ("changes", "status", "code", "param"),
    [
        ({"text": ""}, 400, "text_empty", "text"),
        ({"text": "x" * 61}, 400, "text_too_long", "text"),
        ({"text": None}, 400, "invalid", "text"),
        ({"voice": "Nobody"}, 404, "voice_unknown", "voice"),
        ({"voice": "00000000-0000-4000-8000-000000000000"}, 404, "voice_unknown", "voice"),
        ({"language": "tlh"}, 400, "language_unsupported", "language"),
        ({"format": "midi"}, 400, "format_unsupported", "format"),
        ({"temperature": -1}, 400, "sampling_invalid", "temperature"),
        ({"top_k": "many"}, 400, "invalid", "top_k"),
    ],
)
def test_what_cannot_be_spoken_is_answered_with_the_field_at_fault(
    people, api_for, make_voice, settings, changes, status, code, param
):
    settings.SPEECH_MAX_CHARACTERS = 60
    make_voice(people.anna)
    answer = api_for(people.anna).post(SPEECH, {"voice": "Vera", "text": "Good morning.", **changes})
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert not Synthesis.objects.exists()


def test_a_voice_that_is_not_ready_is_a_conflict(people, api_for, speaking):
    VoiceFactory(owner=people.anna, name="Vera")
    answer = api_for(people.anna).post(SPEECH, {"voice": "Vera", "text": "Good morning."})
    assert (answer.status_code, error_of(answer)["code"]) == (409, "voice_not_ready")


def test_a_shared_voice_speaks_for_others_and_what_it_says_is_theirs_alone(people, api_for, make_voice):
    voice = make_voice(people.anna, visibility="team")
    anna, ben = api_for(people.anna), api_for(people.ben)
    answer = ben.post(SPEECH, {"voice": str(voice.pk), "text": "My secret."})
    assert answer.status_code == 200
    address = f"{SYNTHESES}{answer['X-Synthesis-Id']}/"
    assert ben.get(address).status_code == 200
    assert anna.get(SYNTHESES).json()["results"] == []
    for response in (anna.get(address), anna.get(f"{address}audio/"), anna.delete(address)):
        assert response.status_code == 404


def test_a_private_voice_of_another_speaks_for_nobody_else(people, api_for, make_voice):
    voice = make_voice(people.anna)
    answer = api_for(people.ben).post(SPEECH, {"voice": str(voice.pk), "text": "Good morning."})
    assert answer.status_code == 404


def test_a_synthesis_is_deleted_with_its_sound(people, api_for, django_capture_on_commit_callbacks):
    synthesis = SynthesisFactory(owner=people.anna)
    with django_capture_on_commit_callbacks(execute=True):
        assert api_for(people.anna).delete(f"{SYNTHESES}{synthesis.pk}/").status_code == 204
    assert not synthesis.audio_path.exists()


@pytest.mark.parametrize("address", [VOICES, SYNTHESES, "/v1/models", "/v1/audio/voices"])
def test_nothing_is_shown_to_strangers(db, client, address):
    answer = client.get(address)
    assert (answer.status_code, error_of(answer)["type"]) == (401, "authentication_error")


def test_nothing_is_spoken_for_strangers(db, client):
    assert client.post(SPEECH, {"voice": "Vera", "text": "Hello."}).status_code == 401
    assert client.post("/v1/audio/speech", {"voice": "Vera", "input": "Hello."}).status_code == 401
