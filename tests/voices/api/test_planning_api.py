"""What will be spoken, over the API; and scripts where speech is asked for."""

from __future__ import annotations

import io
import wave
from typing import Any

import pytest

from tests.voices.factories import SynthesisFactory, VoiceFactory
from voices.models import Synthesis
from voices.services import lexicon_add

PLAN = "/api/v1/speech/plan/"


def planned(client: Any, **fields: Any) -> dict[str, Any]:
    answer = client.post(PLAN, fields)
    assert answer.status_code == 200, answer.json()
    body: dict[str, Any] = answer.json()
    return body


def test_a_plan_shows_voices_languages_pauses_words_and_sizes(people, api_for, random_bundle, settings):
    # The tiny model speaks English alone.
    settings.MODELS_DIR = random_bundle.parent
    vera = VoiceFactory(owner=people.anna, name="Vera")
    lexicon_add(owner=people.anna, written="SQL", spoken="sequel")
    text = "I paid $5 for SQL.[pause 500ms] [voice: Vera]\n\nOnde fica a estação de trem mais próxima daqui? [pause]"
    body = planned(api_for(people.anna), voice="vera", text=text, language="auto", paragraph_pause=2)
    first, second = body["parts"]
    assert first["stretches"] == [
        {"written": "I paid $5 for ", "spoken": None},
        {"written": "SQL", "spoken": "sequel"},
        {"written": ".", "spoken": None},
    ]
    assert (first["voice"], first["voice_name"]) == (str(vera.pk), "Vera")
    assert (first["spoken"], first["language"], first["detected"]) == ("I paid five dollars for sequel.", "en", True)
    assert (second["language"], second["pause"], second["paragraph"]) == ("pt", 0.5, 1)
    (sentence,) = first["sentences"]
    # Without the final full stop, which is not read; the language's tag is a token too.
    assert (sentence["characters"], sentence["character_limit"], sentence["token_limit"]) == (30, 250, 400)
    assert 1 < sentence["tokens"] <= 31
    assert body["pause_after"] == 2.0
    assert body["seconds"] == pytest.approx(first["seconds"] + second["seconds"] + 2.0)
    assert not Synthesis.objects.exists()


def test_the_length_is_judged_by_what_the_person_had_this_voice_say(people, api_for, speaking):
    vera = VoiceFactory(owner=people.anna, name="Vera")
    client = api_for(people.anna)
    fields = {"voice": "Vera", "text": "A sentence of thirty-one letters"}
    usual = planned(client, **fields)["seconds"]
    told = {"text": "x" * 250, "start": 1.0, "end": 11.0, "codes": 215, "finished": True}
    SynthesisFactory(owner=people.ben, voice=vera, sentences=[told])
    assert planned(client, **fields)["seconds"] == usual
    SynthesisFactory(owner=people.anna, voice=vera, sentences=[told], sampling={"seed": 1, "speed": 2.0})
    assert planned(client, **fields)["seconds"] == pytest.approx(32 * 20 / 250)
    assert planned(client, **fields, speed=2)["seconds"] == pytest.approx(32 * 10 / 250)


@pytest.mark.parametrize(
    ("fields", "status", "param", "code"),
    [
        ({"text": " "}, 400, "text", "text_empty"),
        ({"text": "[pause 99s] x"}, 400, "text", "script_invalid"),
        ({"text": "[voice: Bens] x"}, 404, "text", "voice_unknown"),
        ({"voice": "Bens"}, 404, "voice", "voice_unknown"),
        ({"language": "xx"}, 400, "language", "language_unsupported"),
        ({"sentence_pause": 11}, 400, "sentence_pause", "sampling_invalid"),
        ({"speed": 0}, 400, "speed", "invalid"),
        ({"text": "x" * 300}, 400, "text", "text_unspeakable"),
        # As speaking would refuse it.
        ({"text": "One. [lang: de] Zwei."}, 400, "language", "language_unsupported"),
        ({"text": "One.\n\n日本語のテスト。"}, 400, "text", "text_unspeakable"),
    ],
)
def test_a_plan_that_cannot_be_made_names_the_field(people, api_for, speaking, fields, status, param, code):
    VoiceFactory(owner=people.anna, name="Vera")
    VoiceFactory(owner=people.ben, name="Bens")
    answer = api_for(people.anna).post(PLAN, {"voice": "Vera", "text": "Hello.", **fields})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (status, param, code), error


def test_signs_that_the_model_does_not_know_are_told(people, api_for, page_for, speaking):
    vera = VoiceFactory(owner=people.anna, name="Vera", state="ready")
    text = "We met at 東京駅 and 東京 again.\n\nThat is all."
    first, second = planned(api_for(people.anna), voice="Vera", text=text)["parts"]
    assert (first["unread"], second["unread"]) == ("東京駅", "")
    page = page_for(people.anna).post("/speak/plan/", {"voice": vera.pk, "text": text}).content.decode()
    assert "The model does not know 東京駅 and says nothing for it." in page


def test_nobody_plans_without_signing_in(client, db):
    assert client.post(PLAN, {"voice": "Vera", "text": "Hello."}).status_code == 401


def test_speech_follows_the_pauses_of_a_script_here_and_for_openais_clients(people, api_for, make_voice):
    make_voice(people.anna)
    client = api_for(people.anna)
    words = "A sentence that is long enough to stand alone."
    for path, fields in (
        ("/api/v1/speech/", {"voice": "Vera", "text": f"{words}\n\n{words}[pause 1s]", "seed": 3}),
        (
            "/v1/audio/speech",
            {"voice": "Vera", "input": f"{words}\n\n{words}[pause 1s]", "seed": 3, "model": "xtts"}
            | {"response_format": "wav", "stream": False},
        ),
    ):
        answer = client.post(path, {**fields, "paragraph_pause": 1.5, "language": "auto"}, format="json")
        assert answer.status_code == 200, answer.content
        first, second = Synthesis.objects.latest("created_at").sentences
        assert second["start"] - first["end"] == pytest.approx(1.5, abs=0.001)
        with wave.open(io.BytesIO(answer.content)) as sound:
            assert sound.getnframes() / 24_000 == pytest.approx(second["end"] + 1.0, abs=0.001)
