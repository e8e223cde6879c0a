"""Sentences that are spoken for people are guarded: judged, said again, and told of, on page and API."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from tests.voices.factories import SynthesisFactory, VoiceFactory, make_checkpoint
from voices.choices import Channel
from voices.models import Synthesis, SynthesisSentence, Voice
from voices.services import guarding, speech_make, voice_create, voice_guard
from voices.services.guarding import guard_settings, voice_pace
from voices.services.wishes import Wish
from xttsproject import storage
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.guard.pace import Pace
from xttsproject.xtts.guard.retries import Mode
from xttsproject.xtts.studio import studio_names

TEXT = "The old cat sat on the mat."


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every voice is thought to speak ten times as fast as anybody can, so that all that is said is too long."""
    monkeypatch.setattr(guarding, "pace_of", lambda language, ratios: Pace(0.12, 0.06))


def speak(voice: Voice, **more: Any) -> Synthesis:
    fields = {"user": voice.owner, "voice": voice, "text": TEXT, "sampling": {"seed": 3}, "channel": Channel.API}
    return speech_make(wish=Wish(**{**fields, **more}))


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


@pytest.fixture
def hearing(settings: Any, speaking: Path, tiny_whisper_bundle: Path, tmp_path: Path) -> Iterator[None]:
    """The tiny models side by side, so that what is spoken is really heard."""
    models = tmp_path / "models"
    models.mkdir()
    for bundle in (speaking, tiny_whisper_bundle):
        (models / bundle.name).symlink_to(bundle)
    settings.MODELS_DIR = models
    settings.WHISPER_BUNDLE = tiny_whisper_bundle.name
    settings.WHISPER_THREADS = 1
    yield
    guarding.guard_listener_close()


@pytest.fixture
def clear(people: Any, hearing: None, work: Any) -> Voice:
    """A voice that the tiny transcription model understands."""
    name = studio_names(storage.bundle_dir("tiny"))[0]
    voice = voice_create(owner=people.anna, name="Clear", studio=name, language="en")
    assert work() == ["succeeded"]
    voice.refresh_from_db()
    return voice


def test_a_careful_guard_hears_which_candidate_is_worse_and_delivers_another(clear, monkeypatch):
    """The first candidate's sound is played backwards: as long, as loud, of the same codes, and no words at all."""
    from xttsproject.xtts.engine import XttsEngine

    render = XttsEngine.render
    rendered: list[Any] = []

    def backwards(engine: XttsEngine, latents: Any, *args: Any) -> Any:
        wave = render(engine, latents, *args)
        rendered.append(wave[::-1].copy() if not rendered else wave)
        return rendered[-1]

    monkeypatch.setattr(XttsEngine, "render", backwards)
    fast = speak(clear, guard={"guard": "fast", "max_retries": 0})
    rendered.clear()
    careful = speak(clear, guard={"guard": "careful", "candidates": 3, "max_retries": 0})

    # The fast guard has no ear for it.
    assert fast.sentences[0]["attempts"] == 1
    assert "misheard" not in fast.sentences[0]["faults"]
    assert careful.sentences[0]["attempts"] in (2, 3)
    delivered = read_wav(careful.audio_path).samples
    same = [len(wave) == len(delivered) and np.allclose(wave, delivered, atol=1e-3) for wave in rendered]
    assert sum(same) == 1
    assert not same[0]
    assert "misheard" not in careful.sentences[0]["faults"]


def test_who_listens_leaves_memory_when_nobody_is_listened_to(clear, settings):
    settings.SPEECH_IDLE_UNLOAD = 1
    guarding.guard_listener_close()
    speak(clear, guard={"guard": "careful", "candidates": 1, "max_retries": 0})
    listener = guarding._guards.get()
    assert listener.loaded
    ends = time.monotonic() + 20
    while listener.loaded:
        assert time.monotonic() < ends
        time.sleep(0.05)
    # And comes back.
    assert "misheard" not in speak(clear, guard={"guard": "careful", "max_retries": 0}).sentences[0]["faults"]


def test_a_careful_stream_is_judged_before_it_is_heard(clear, api_for, monkeypatch):
    """Of a voice whose default is careful: said again where it was bad, and nothing left to tell."""
    voice_guard(voice=clear, guard="careful")
    heard: list[str] = []
    real = guarding._listener()

    def hear(sound: Any, language: str) -> str:
        heard.append(real(sound, language))
        return heard[-1] if len(heard) > 1 else "a cow"

    monkeypatch.setattr(guarding, "_listener", lambda: hear)
    body = {"voice": "Clear", "text": TEXT, "seed": 3, "format": "pcm", "stream_format": "sse"}
    answer = api_for(clear.owner).post("/api/v1/speech/", body, format="json")
    blocks = [json.loads(block.decode().split("data: ")[1]) for block in answer.streaming_content]
    kept = Synthesis.objects.get()

    assert len(heard) >= 2
    assert kept.sentences[0]["attempts"] == len(heard)
    sound = b"".join(base64.b64decode(block["audio"]) for block in blocks[:-1])
    assert len(sound) == 2 * len(read_wav(kept.audio_path).samples)
    assert blocks[-1]["warnings"] == kept.warnings


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
    # Its babble was cut off, so nothing is wrong with it any more; it was said at that length all the same.
    cut = {**said, "codes_per_character": 9.0, "warnings": ["Its end was cut off: 1.0 s that were no words of it."]}
    spoken = SynthesisFactory(owner=people.ben, voice=tuned, sentences=[said] * 30 + [bad, other, unjudged, cut])
    for number, (taken, told) in enumerate([(1.0, []), (9.0, cut["warnings"])]):
        SynthesisSentence.objects.create(
            synthesis=spoken,
            number=number,
            voice=tuned,
            language="en",
            text=TEXT,
            seed=1,
            codes_per_character=taken,
            warnings=told,
            spoken_at=timezone.now(),
        )
    known = voice_pace(voice=tuned, language="en")

    assert known.sentences == 39
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


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v1/audio/speech", {"model": "tts-1", "input": TEXT, "response_format": "pcm"}),
        ("/api/v1/speech/", {"text": TEXT, "format": "pcm"}),
    ],
)
def test_the_closing_event_of_a_stream_carries_them(people, make_voice, api_for, hasty, path, more):
    voice = make_voice(people.anna)
    body = {"voice": str(voice.pk), "stream_format": "sse", **more}
    answer = api_for(people.anna).post(path, body, format="json")
    assert answer["Content-Type"] == "text/event-stream"
    last = json.loads(list(answer.streaming_content)[-1].decode().split("data: ")[1])

    kept = Synthesis.objects.get()
    assert last["type"] == "speech.audio.done"
    assert len(last["warnings"]) == 1
    assert "babbles" in last["warnings"][0]
    assert last["warnings"] == kept.warnings
    assert last["synthesis_id"] == str(kept.pk) == answer["X-Synthesis-Id"]
    assert last["seconds"] == pytest.approx(kept.seconds, abs=0.001)
    quiet = api_for(people.anna).post(path, {**body, "guard": "off"}, format="json")
    assert json.loads(list(quiet.streaming_content)[-1].decode().split("data: ")[1])["warnings"] == []


def test_openais_endpoint_carries_them_too(people, make_voice, api_for, hasty):
    voice = make_voice(people.anna)
    body = {"model": "tts-1", "voice": str(voice.pk), "input": TEXT, "max_retries": 0, "stream": False}
    answer = api_for(people.anna).post("/v1/audio/speech", body, format="json")

    assert answer.status_code == 200
    assert "babbles" in json.loads(answer["X-Speech-Warnings"])[0]


def test_a_text_that_is_spoken_by_a_job_tells_of_them_when_it_is_asked_after(people, make_voice, api_for, work, hasty):
    make_voice(people.anna)
    client = api_for(people.anna)
    body = {"voice": "Vera", "text": f"{TEXT}\n\n{TEXT}", "seed": 3, "max_retries": 1}
    asked = client.post("/api/v1/syntheses/", body, format="json")
    assert work() == ["succeeded"]
    told = client.get(asked["Location"]).json()
    first, second = client.get(f"{asked['Location']}sentences/").json()["results"]

    assert len(told["warnings"]) == 2
    assert all("babbles" in warning for warning in told["warnings"])
    assert [sentence["attempts"] for sentence in (first, second)] == [2, 2]
    assert first["faults"] == second["faults"] == ["babble"]


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
