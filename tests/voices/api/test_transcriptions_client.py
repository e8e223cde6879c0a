"""What is said in a file, as OpenAI's official client asks a portal for it that listens."""

from __future__ import annotations

import io
from typing import Any

import openai
import pytest

from xttsproject.accounts.services import token_create

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_official_client_gets_every_form(people, hearing, live_server, recording):
    _row, token = token_create(user=people.anna, name="test")
    with openai.OpenAI(base_url=f"{live_server.url}/v1", api_key=token, max_retries=0) as client:

        def transcribe(**wish: Any) -> Any:
            sound = io.BytesIO(recording)
            sound.name = "said.mp3"
            return client.audio.transcriptions.create(file=sound, model="whisper-1", **wish)

        answer = transcribe(language="en", temperature=0)
        assert "morning" in answer.text.lower()
        assert answer.usage.type == "duration"

        whole = transcribe(response_format="verbose_json", timestamp_granularities=["word", "segment"])
        assert (whole.text, whole.language) == (answer.text, "english")
        assert whole.duration == pytest.approx(answer.usage.seconds, abs=1.0)
        assert whole.segments[0].start < whole.segments[0].end <= whole.duration
        assert " ".join(segment.text for segment in whole.segments) == whole.text
        words = whole.words
        assert "morning" in " ".join(word.word for word in words).lower()
        assert all(0 <= word.start <= word.end <= whole.duration for word in words)
        assert [word.start for word in words] == sorted(word.start for word in words)
        assert transcribe(response_format="verbose_json", timestamp_granularities=["word"]).segments is None
        assert transcribe(response_format="verbose_json").words is None

        events = list(transcribe(stream=True))
        assert [event.type for event in events] == [
            *["transcript.text.delta"] * len(whole.segments),
            "transcript.text.done",
        ]
        assert "".join(event.delta for event in events[:-1]) == events[-1].text == answer.text

        assert transcribe(response_format="text").strip() == answer.text
        assert transcribe(response_format="srt").startswith("1\n00:00:0")
        assert transcribe(response_format="vtt").startswith("WEBVTT\n\n00:00:0")

        # A model by its own name; the list names it as one that transcribes.
        assert [(row.id, row.to_dict()["kind"]) for row in client.models.list().data] == [(hearing.name, "whisper")]
        sound = ("said.mp3", recording, "audio/mpeg")
        assert client.audio.transcriptions.create(file=sound, model=hearing.name).text == answer.text

        with pytest.raises(openai.BadRequestError) as silent:
            client.audio.transcriptions.create(file=("said.mp3", b"no sound at all"), model="whisper-1")
        assert (silent.value.code, silent.value.param) == ("not_media", "file")
        assert "said.mp3" in silent.value.message


def test_the_official_client_gets_translations(people, hearing, live_server, recording):
    _row, token = token_create(user=people.anna, name="test")
    with openai.OpenAI(base_url=f"{live_server.url}/v1", api_key=token, max_retries=0) as client:

        def translate(**wish: Any) -> Any:
            return client.audio.translations.create(file=("said.mp3", recording), model="whisper-1", **wish)

        # The tiny model has not learnt to translate: whatever it writes comes in every form alike.
        answer = translate(temperature=0)
        assert answer.text
        whole = translate(response_format="verbose_json", extra_body={"language": "en"})
        assert (whole.text, whole.language, whole.to_dict()["task"]) == (answer.text, "english", "translate")
        assert 0 <= whole.segments[0].start < whole.segments[0].end <= whole.duration
        assert " ".join(segment.text for segment in whole.segments) == whole.text
        assert translate(response_format="text").strip() == answer.text
        # In English, whatever is spoken.
        assert translate(response_format="verbose_json", extra_body={"language": "pt"}).language == "english"
        assert translate(response_format="srt").startswith("1\n00:00:0")
        assert translate(response_format="vtt").startswith("WEBVTT\n\n00:00:0")
        with pytest.raises(openai.BadRequestError) as format_:
            translate(response_format="docx")
        assert format_.value.param == "response_format"
