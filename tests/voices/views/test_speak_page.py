from __future__ import annotations

import html
import io
import json
import re
import time
import wave
from typing import Any

import pytest
from django.urls import reverse

from tests.voices.factories import SynthesisFactory, VoiceFactory
from voices.engine.requests import ModelChoice
from voices.models import Synthesis
from voices.services import profile_copy, profile_delete, profile_find, profile_update
from voices.services.runtime import speech_owner, speech_preload
from xttsproject.lib.errors import DomainError

SPEAK = "/speak/"
HTMX = {"HX-Request": "true"}


def text_of(response: Any) -> str:
    return str(response.content.decode())


def test_the_page_offers_the_voices_that_can_speak(people, page_for):
    ready = VoiceFactory(owner=people.anna, name="Ready", state="ready")
    VoiceFactory(owner=people.anna, name="Not yet")
    VoiceFactory(owner=people.ben, name="Bens", state="ready")
    page = text_of(page_for(people.anna).get(SPEAK, {"voice": ready.pk}))
    assert f'<option value="{ready.pk}" selected>Ready</option>' in page
    assert "Not yet" not in page
    assert "Bens" not in page
    assert 'data-limit="5000"' in page


def test_without_a_voice_the_page_says_how_to_get_one(people, page_for, settings, tmp_path):
    settings.MODELS_DIR = tmp_path
    page = text_of(page_for(people.anna).get(SPEAK))
    assert reverse("voices:voice-add") in page
    assert "<textarea" not in page


def test_what_is_spoken_comes_back_as_a_player_with_a_download_and_the_models_notice(people, page_for, make_voice):
    voice = make_voice(people.anna)
    client = page_for(people.anna)
    answer = client.post(SPEAK, {"voice": voice.pk, "text": "Good morning.", "seed": 5}, headers=HTMX)
    assert answer.status_code == 200
    synthesis = Synthesis.objects.get()
    assert (synthesis.channel, synthesis.sampling["seed"], synthesis.text) == ("page", 5, "Good morning.")
    part = text_of(answer)
    audio = reverse("voices:synthesis-audio", args=[synthesis.pk])
    assert f'src="{audio}"' in part
    assert f'href="{audio}?download"' in part
    assert "synthesiser" in part
    assert 'id="history" hx-swap-oob="true"' in part
    assert "<html" not in part

    sound = b"".join(client.get(audio).streaming_content)
    with wave.open(io.BytesIO(sound)) as handle:
        assert handle.getframerate() == 24_000
    stretch = client.get(audio, headers={"Range": "bytes=-10"})
    assert (stretch.status_code, b"".join(stretch.streaming_content)) == (206, sound[-10:])
    saved = client.get(audio, {"download": ""})
    assert 'filename="vera-good-morning.wav"' in saved["Content-Disposition"]


def test_what_the_guard_doubts_can_be_spoken_again_at_once_and_the_history_says_so(people, page_for, make_voice):
    voice, client = make_voice(people.anna), page_for(people.anna)
    again = 'form="speak-form" name="seed" value=""'
    client.post(SPEAK, {"voice": voice.pk, "text": "Good morning.", "seed": 5, "guard": "off"})
    synthesis = Synthesis.objects.get()
    synthesis.sentences = [{**synthesis.sentences[0], "finished": True}]
    synthesis.save()
    outcome = f"{SPEAK}{synthesis.pk}/outcome/"
    assert again not in text_of(client.get(outcome))
    synthesis.sentences = [{**synthesis.sentences[0], "attempts": 3, "warnings": ["It babbles."]}]
    synthesis.save()
    assert again in text_of(client.get(outcome))
    history = text_of(client.get(SPEAK))
    assert "It babbles." in history
    assert again not in history
    # Unguarded it was told to listen to its end.
    synthesis.sentences = [{"text": "Good morning.", "finished": False}]
    synthesis.save()
    assert again in text_of(client.get(outcome))


def test_of_two_seeds_the_buttons_counts_and_only_beside_its_form(people, page_for, make_voice, monkeypatch):
    voice, client = make_voice(people.anna), page_for(people.anna)
    monkeypatch.setattr(Synthesis, "doubtful", True)
    asked = {"voice": voice.pk, "text": "Good morning.", "seed": ["5", ""]}
    beside = text_of(client.post(SPEAK, asked, headers={**HTMX, "HX-Target": "outcome"}))
    assert "with another seed" in beside
    assert Synthesis.objects.get().sampling["seed"] != 5
    # Where a lexicon is tried there is no such form.
    assert "with another seed" not in text_of(client.post(SPEAK, asked, headers={**HTMX, "HX-Target": "try-outcome"}))


def test_without_scripts_the_whole_page_comes_back(people, page_for, make_voice):
    voice = make_voice(people.anna)
    page = text_of(page_for(people.anna).post(SPEAK, {"voice": voice.pk, "text": "Good morning."}))
    assert "<html" in page
    assert f'data-spoken="{Synthesis.objects.get().pk}"' in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": "  "}, "Text: "),
        ({"text": "x" * 41}, "41 characters, but 40"),
        ({"text": "♪♪♪"}, "no letters"),
        ({"speed": "9"}, "Speed: "),
        ({"language": "tlh"}, "Language: "),
    ],
)
def test_what_cannot_be_spoken_is_said_where_the_speech_would_stand(
    people, page_for, make_voice, settings, changes, said
):
    settings.SPEECH_MAX_CHARACTERS = 40
    voice = make_voice(people.anna)
    answer = page_for(people.anna).post(SPEAK, {"voice": voice.pk, "text": "Good morning.", **changes}, headers=HTMX)
    assert answer.status_code == 400
    assert said in text_of(answer)
    assert not Synthesis.objects.exists()


def test_a_voice_of_another_does_not_speak(people, page_for):
    voice = VoiceFactory(owner=people.anna, state="ready")
    answer = page_for(people.ben).post(SPEAK, {"voice": voice.pk, "text": "Good morning."}, headers=HTMX)
    assert answer.status_code == 400
    assert "Voice: " in text_of(answer)


def test_the_history_is_ones_own_even_for_an_administrator(people, page_for):
    mine = SynthesisFactory(owner=people.anna, text="What I said.")
    theirs = SynthesisFactory(owner=people.ben, text="What ben said.")
    page = text_of(page_for(people.anna).get(SPEAK))
    assert "What I said." in page
    assert "What ben said." not in page
    assert "What I said." not in text_of(page_for(people.root).get(SPEAK))
    anna = page_for(people.anna)
    assert anna.get(reverse("voices:synthesis-audio", args=[mine.pk])).status_code == 200
    for address in (
        reverse("voices:synthesis-audio", args=[theirs.pk]),
        reverse("voices:synthesis-delete", args=[theirs.pk]),
    ):
        assert anna.get(address).status_code in (404, 405)
        assert anna.post(address).status_code in (404, 405)
    assert Synthesis.objects.filter(pk=theirs.pk).exists()


def test_a_synthesis_is_deleted_with_its_sound(people, page_for, django_capture_on_commit_callbacks):
    synthesis = SynthesisFactory(owner=people.anna)
    with django_capture_on_commit_callbacks(execute=True):
        page_for(people.anna).post(reverse("voices:synthesis-delete", args=[synthesis.pk]))
    assert not Synthesis.objects.exists()
    assert not synthesis.audio_path.exists()


def test_the_history_takes_as_many_queries_for_many_as_for_one(people, page_for, django_assert_max_num_queries):
    for _ in range(9):
        SynthesisFactory(owner=people.anna)
    client = page_for(people.anna)
    with django_assert_max_num_queries(8):
        client.get(SPEAK)


def test_whoever_deletes_or_pins_comes_back_to_where_they_were(people, page_for):
    spoken = [SynthesisFactory(owner=people.anna, text=f"Said {number}.") for number in range(12)]
    anna, place = page_for(people.anna), {"q": "Said", "page": "2"}
    page = anna.get(SPEAK, {**place, "evil": "https://example.org"}).content.decode()
    [kept, *_] = (html.unescape(value) for value in re.findall(r'name="history" value="([^"]*)"', page))
    for name in ("voices:synthesis-pin", "voices:synthesis-delete"):
        answer = anna.post(reverse(name, args=[spoken[0].pk]), {"history": kept, "pinned": "1"})
        assert answer["Location"] == f"{SPEAK}?q=Said&page=2#history"
    elsewhere = anna.post(reverse("voices:synthesis-delete", args=[spoken[1].pk]), {"history": "//evil?x=1"})
    assert elsewhere["Location"] == f"{SPEAK}#history"


def test_the_history_names_all_who_speak(people, page_for):
    said = [{"text": "One.", "voice": "Vera"}, {"text": "Two.", "voice": "Zé"}, {"text": "Three.", "voice": "Vera"}]
    SynthesisFactory(owner=people.anna, sentences=said)
    assert "Vera, Zé · en" in text_of(page_for(people.anna).get(SPEAK))


def test_strangers_are_asked_to_sign_in(db, client):
    for address in (SPEAK, reverse("voices:voice-list"), reverse("voices:voice-add")):
        assert client.get(address).status_code == 302
        assert "login" in client.get(address).url


def test_readyz_tells_staff_what_is_loaded(people, page_for, speaking):
    answer = page_for(people.root).get("/readyz")
    assert answer.status_code == 200
    assert (answer.json()["ready"], answer.json()["speech"]["state"]) == (True, "unloaded")


def test_readyz_tells_others_only_whether_it_can_speak(people, client, page_for, speaking, settings, tmp_path):
    for someone in (client, page_for(people.anna)):
        assert (someone.get("/readyz").status_code, someone.get("/readyz").json()) == (200, {"ready": True})
    settings.MODELS_DIR = tmp_path
    assert (client.get("/readyz").status_code, client.get("/readyz").json()) == (503, {"ready": False})


def test_readyz_says_no_without_a_model_and_keeps_paths_to_itself(people, page_for, settings, tmp_path):
    settings.MODELS_DIR = tmp_path
    answer = page_for(people.root).get("/readyz")
    assert (answer.status_code, answer.json()["speech"]["error"]) == (503, "model_missing")
    assert str(tmp_path) not in json.dumps(answer.json())


def test_a_preloaded_model_is_waited_for_and_then_stays_ready_even_when_it_left_memory(
    people, page_for, settings, speaking
):
    client = page_for(people.root)
    settings.SPEECH_PRELOAD, settings.SPEECH_IDLE_UNLOAD = True, 0.5
    speech_preload()
    assert client.get("/readyz").status_code == 503
    # The same line: what is asked for next comes after the loading.
    speech_owner().submit(ModelChoice(speaking)).wait(60)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["speech"]["models"]) == (200, 1)
    assert answer.json()["speech"]["graphs"]["recorded"] is False
    ends = time.monotonic() + 20
    while speech_owner().status().models and time.monotonic() < ends:
        time.sleep(0.05)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["speech"]["state"]) == (200, "unloaded")


def test_preloaded_with_little_memory_it_is_ready_once_it_could_be_loaded_and_says_that_it_left(
    people, page_for, settings, speaking
):
    client = page_for(people.root)
    settings.SPEECH_PRELOAD = settings.SPEECH_LOW_MEMORY = True
    speech_preload()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["speech"]["preload"]) == (503, "loading")
    ends = time.monotonic() + 60
    while client.get("/readyz").status_code != 200 and time.monotonic() < ends:
        time.sleep(0.05)
    while speech_owner().status().models and time.monotonic() < ends:
        time.sleep(0.05)
    answer = client.get("/readyz")
    told = answer.json()["speech"]
    assert answer.status_code == 200
    assert (told["state"], told["models"], told["preload"], told["low_memory"]) == ("unloaded", 0, "loaded", True)


def test_a_preload_that_failed_is_not_ready(db, client, settings, speaking):
    settings.SPEECH_PRELOAD, settings.DEVICE = True, "no-such-device"
    speech_preload()
    with pytest.raises(DomainError):
        speech_owner().submit(ModelChoice(speaking)).wait(60)
    assert client.get("/readyz").status_code == 503


def test_nothing_is_loaded_ahead_unless_asked_for(settings, speaking):
    settings.SPEECH_PRELOAD = False
    speech_preload()
    assert speech_owner().status().waiting == 0
    assert speech_owner().status().state == "unloaded"


def test_what_will_be_spoken_is_shown_without_speaking(people, page_for, speaking):
    voice = VoiceFactory(owner=people.anna, name="Vera", state="ready")
    client = page_for(people.anna)
    there = reverse("voices:speech-plan")
    fields = {"voice": voice.pk, "text": "It costs $5. [pause 2s]\n\nDr. Smith paid. [pause 250ms] So."}
    part = text_of(client.post(there, fields, headers=HTMX))
    assert "<html" not in part
    assert "It costs five dollars." in part
    assert "pause 2 s" in part
    assert "pause 0.25 s" in part
    assert "/250 characters" in part
    whole = text_of(client.post(there, fields))
    assert "<html" in whole
    assert "It costs five dollars." in whole
    assert "It costs $5." in whole
    assert not Synthesis.objects.exists()


def test_a_script_that_cannot_be_followed_says_why_before_it_is_spoken(people, page_for, speaking):
    voice = VoiceFactory(owner=people.anna, state="ready")
    VoiceFactory(owner=people.ben, name="Bens", state="ready")
    client = page_for(people.anna)
    there = reverse("voices:speech-plan")
    for text, said in (
        ("[voice: Bens] Hello", "There is no voice “Bens”"),
        (" ", "Text: "),
        ("a [pause 1h]", "no pause"),
    ):
        answer = client.post(there, {"voice": voice.pk, "text": text}, headers=HTMX)
        # htmx shows good answers only, and this one is for the person who types.
        assert answer.status_code == 200
        assert said in text_of(answer)
        assert client.post(there, {"voice": voice.pk, "text": text}).status_code == 400


def test_a_form_asks_for_pauses_and_the_language_of_the_text(people, page_for, make_voice):
    voice = make_voice(people.anna)
    fields = {"voice": voice.pk, "text": "One sentence stands here.\n\nAnd another one stands there."}
    client = page_for(people.anna)
    client.post("/speak/", {**fields, "seed": 5, "paragraph_pause": "3", "language": "auto"}, headers=HTMX)
    first, second = Synthesis.objects.get().sentences
    assert second["start"] - first["end"] == pytest.approx(3.0, abs=0.001)
    refused = client.post("/speak/", {**fields, "paragraph_pause": "11"}, headers=HTMX)
    assert "Paragraph pause: " in text_of(refused)


STREAM = "/speak/stream/"


def test_the_page_hears_speech_while_it_is_spoken_and_then_shows_it(people, page_for, make_voice):
    voice, client = make_voice(people.anna), page_for(people.anna)
    page = text_of(client.get(SPEAK))
    assert f'data-stream="{STREAM}"' in page
    assert 'data-rate="24000"' in page
    answer = client.post(STREAM, {"voice": voice.pk, "text": "Good morning. And a good day.", "seed": 5})
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (200, "audio/pcm", "no-store")
    blocks = list(answer.streaming_content)
    synthesis = Synthesis.objects.get()
    assert str(synthesis.pk) == answer["X-Synthesis-Id"]
    assert len(b"".join(blocks)) == round(synthesis.seconds * 24_000) * 2
    assert synthesis.channel == "page"
    outcome = f"{SPEAK}{synthesis.pk}/outcome/"
    part = text_of(client.get(outcome))
    assert f'data-spoken="{synthesis.pk}"' in part
    assert 'id="history" hx-swap-oob="true"' in part
    assert "<html" not in part
    assert page_for(people.ben).get(outcome).status_code == 404


def test_what_cannot_be_streamed_is_said_as_what_cannot_be_spoken(people, page_for, make_voice):
    voice = make_voice(people.anna)
    for person, fields in ((people.anna, {"text": " "}), (people.anna, {"text": "♪♪♪"}), (people.ben, {"text": "Hi."})):
        answer = page_for(person).post(STREAM, {"voice": voice.pk, **fields})
        assert answer.status_code == 400
        assert "alert-danger" in text_of(answer)
    assert not Synthesis.objects.exists()


def test_a_model_that_cannot_be_loaded_is_an_error_until_its_files_change(
    people, page_for, settings, speaking, tmp_path
):
    import shutil

    settings.MODELS_DIR = tmp_path
    broken = tmp_path / speaking.name
    shutil.copytree(speaking, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(bytes(weights.stat().st_size))
    with pytest.raises(DomainError):
        speech_owner().submit(ModelChoice(broken)).wait(60)
    answer = page_for(people.root).get("/readyz")
    assert (answer.status_code, answer.json()["speech"]["state"]) == (503, "error")
    shutil.copyfile(speaking / "model.safetensors", weights)
    (broken / "manifest.json").touch()
    assert page_for(people.root).get("/readyz").status_code == 200


def test_what_was_spoken_before_can_be_spoken_again_with_all_its_values(people, page_for, make_voice):
    voice, client = make_voice(people.anna), page_for(people.anna)
    fields = {"voice": voice.pk, "text": "It costs <5> pounds.", "language": "en", "seed": 7, "speed": 1.5}
    fields |= {"guard": "fast", "max_retries": 1, "sentence_pause": 0.4, "paragraph_pause": 1.2}
    client.post(SPEAK, fields, headers=HTMX)
    spoken = Synthesis.objects.get()
    assert f'href="{SPEAK}?again={spoken.pk}"' in text_of(client.get(SPEAK))
    form = client.get(SPEAK, {"again": spoken.pk}).context["form"]
    filled = {name: form[name].value() for name in (*fields, "temperature")}
    assert filled == {**fields, "temperature": None}
    page = text_of(client.get(SPEAK, {"again": spoken.pk}))
    assert "It costs &lt;5&gt; pounds.</textarea>" in page
    # Nobody else's, and no nonsense.
    assert page_for(people.root).get(SPEAK, {"again": spoken.pk}).context["form"]["text"].value() == ""
    assert client.get(SPEAK, {"again": "x"}).status_code == 200


def test_what_was_spoken_with_a_profile_is_spoken_again_with_it_by_name(people, page_for, make_voice):
    voice, client = make_voice(people.anna), page_for(people.anna)
    stable = profile_find(user=people.anna, given="stable")
    mine = profile_copy(owner=people.anna, profile=stable, name="Mine", temperature=0.6)
    fields = {"voice": voice.pk, "text": "It costs five pounds.", "profile": mine.pk, "top_k": 40, "seed": 7}
    client.post(SPEAK, fields, headers=HTMX)
    spoken = Synthesis.objects.get()

    def filled() -> dict[str, Any]:
        form = client.get(SPEAK, {"again": spoken.pk}).context["form"]
        return {name: form[name].value() for name in ("profile", "temperature", "top_k", "top_p", "guard", "seed")}

    kept = {"top_k": 40, "seed": 7}
    nothing = {"temperature": None, "top_p": None, "guard": None}
    assert filled() == {"profile": mine.pk, **nothing, **kept}
    # The profile sets something else by now: that of then is said beside its name.
    profile_update(profile=mine, temperature=0.9)
    assert filled() == {"profile": mine.pk, **nothing, **kept, "temperature": 0.6}
    profile_delete(profile=mine)
    assert filled() == {"profile": None, "temperature": 0.6, "top_p": stable.top_p, "guard": "fast", **kept}


def test_the_address_of_a_plan_leads_back_to_the_page(people, page_for):
    answer = page_for(people.anna).get(reverse("voices:speech-plan"), {"page": 2})
    assert (answer.status_code, answer["Location"]) == (302, "/speak/?page=2")
