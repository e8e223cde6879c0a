"""What was spoken comes in any format, at any rate and loudness, with subtitles, and is found again."""

from __future__ import annotations

import io
from typing import Any

import av
import pytest

from tests.voices.factories import SynthesisFactory
from voices.engine.encoding import FORMATS
from voices.engine.loudness import loudness_of
from xttsproject.lib.audio import read_wav

SYNTHESES = "/api/v1/syntheses/"
SENTENCES = [
    {"text": "What was said.", "start": 0.0, "end": 0.5, "voice": "Vera"},
    {"text": "And then?", "start": 0.75, "end": 1.0, "voice": "Zé"},
]


def comment(content: bytes) -> str:
    with av.open(io.BytesIO(content)) as container:
        tags = {**container.metadata, **container.streams.audio[0].metadata}
    return str(tags["comment"])


def test_speech_is_made_at_a_rate_and_loudness_and_says_what_it_is(people, api_for, make_voice):
    make_voice(people.anna)
    anna = api_for(people.anna)
    answer = anna.post(
        "/api/v1/speech/",
        {"voice": "Vera", "text": "Good morning, everybody.", "sample_rate": 16_000, "loudness": -20, "seed": 1},
    )
    sound = read_wav(io.BytesIO(answer.content))
    assert sound.sample_rate == 16_000
    assert loudness_of(sound) == pytest.approx(-20, abs=0.3)
    said = "Synthetic speech, not a recording of a person: spoken by the XTTS model tiny with the voice “Vera”."
    assert comment(answer.content) == said
    # What is kept says it too.
    kept = anna.get(f"{SYNTHESES}{answer['X-Synthesis-Id']}/audio/")
    assert comment(b"".join(kept.streaming_content)) == said
    openai = {"model": "tts-1", "voice": "Vera", "input": "Good morning.", "sample_rate": 11_000}
    refused = anna.post("/v1/audio/speech", openai)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "sample_rate")


@pytest.mark.parametrize("name", list(FORMATS))
def test_history_comes_in_every_format(people, api_for, page_for, name):
    synthesis = SynthesisFactory(owner=people.anna, sentences=SENTENCES)
    answer = api_for(people.anna).get(f"{SYNTHESES}{synthesis.pk}/audio/", {"format": name, "sample_rate": 16_000})
    assert (answer.status_code, answer["Content-Type"]) == (200, FORMATS[name].content_type)
    if name != "pcm":
        assert "with the voice “Vera”, “Zé”" in comment(answer.content)
    page = page_for(people.anna).get(f"/speak/{synthesis.pk}/audio/", {"download": "", "format": name})
    assert page.status_code == 200
    assert f".{name}" in page["Content-Disposition"]


def test_subtitles_follow_the_sentences(people, api_for, page_for):
    synthesis = SynthesisFactory(owner=people.anna, sentences=SENTENCES)
    where = f"{SYNTHESES}{synthesis.pk}/subtitles/"
    anna = api_for(people.anna)
    assert anna.get(where).content.decode().startswith("WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nWhat was said.\n\n")
    assert "2\n00:00:00,750 --> 00:00:01,000\nAnd then?" in anna.get(where, {"format": "srt"}).content.decode()
    bad = anna.get(where, {"format": "ass"})
    assert (bad.status_code, bad.json()["error"]["param"]) == (400, "format")
    page = page_for(people.anna).get(f"/speak/{synthesis.pk}/subtitles/", {"format": "srt"})
    assert page["Content-Disposition"].endswith('.srt"')


def test_strangers_get_none_of_it(people, api_for, page_for):
    synthesis = SynthesisFactory(owner=people.anna, sentences=SENTENCES)
    for what in ("audio/?format=mp3", "subtitles/"):
        assert api_for(people.ben).get(f"{SYNTHESES}{synthesis.pk}/{what}").status_code == 404
        assert page_for(people.ben).get(f"/speak/{synthesis.pk}/{what}").status_code == 404


def test_what_is_gone_or_unknown_is_not_found(people, api_for, page_for):
    synthesis = SynthesisFactory(owner=people.anna)
    synthesis.audio_path.unlink()
    assert api_for(people.anna).get(f"{SYNTHESES}{synthesis.pk}/audio/?format=mp3").status_code == 404
    assert page_for(people.anna).get(f"/speak/{synthesis.pk}/audio/?format=mp3").status_code == 404
    assert page_for(people.anna).get(f"/speak/{synthesis.pk}/audio/?format=midi").status_code == 404
    assert page_for(people.anna).get(f"/speak/{synthesis.pk}/subtitles/?format=ass").status_code == 404


def test_history_is_searched_by_words_of_the_text_or_the_voice(people, api_for, page_for):
    tea = SynthesisFactory(owner=people.anna, text="A cup of TEA, please.", voice_name="Vera")
    coffee = SynthesisFactory(owner=people.anna, text="Coffee for me.", voice_name="Zoe")
    SynthesisFactory(owner=people.ben, text="Tea for Ben.")

    def found(query: str) -> list[Any]:
        rows = api_for(people.anna).get(SYNTHESES, {"search": query}).json()["results"]
        return [row["id"] for row in rows]

    assert found("tea vera") == [str(tea.pk)]
    assert found("zoe") == [str(coffee.pk)]
    assert found("tea zoe") == []
    russian = SynthesisFactory(owner=people.anna, text="ПРИВЕТ, Ágnes.", voice_name="Łucja (deep)")
    for words in ("привет", "ÁGNES", "łucja (deep)"):
        assert found(words) == [str(russian.pk)]
    assert found("приветик") == []
    page = page_for(people.anna)
    assert page.get("/speak/", {"q": "\x00"}).status_code == 200
    shown = page.get("/speak/", {"q": "tea"}).content.decode()
    assert (str(tea.pk) in shown, str(coffee.pk) in shown) == (True, False)
    assert "Nothing that you have had spoken has “milk”" in page.get("/speak/", {"q": "milk"}).content.decode()
