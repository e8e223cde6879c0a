"""What is said in a file, as OpenAI's official client asks for it: spoken by the portal, heard by the portal."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from datasets.pipeline.dictation import dictating
from datasets.pipeline.transcribe import Transcriber
from voices.engine.encoding import FORMATS, encode
from voices.engine.listener import Listener, ListenerSettings
from voices.services import transcription
from voices.services.transcription import listener
from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError

WHERE = "/v1/audio/transcriptions"
IN_ENGLISH = "/v1/audio/translations"
SPOKEN = "Good morning, everybody. The weather is fine today."


def post(api: Any, content: bytes, name: str = "said.mp3", **fields: Any) -> Any:
    data = {"file": SimpleUploadedFile(name, content), "model": "whisper-1", **fields}
    return api.post(WHERE, data, format="multipart")


def test_silence_is_an_empty_text(people, api_for, hearing):
    quiet = encode(Audio(np.zeros(24_000, np.float32), 24_000), FORMATS["wav"])
    answer = post(api_for(people.anna), quiet, "quiet.wav", response_format="verbose_json")
    assert answer.status_code == 200, answer.json()
    assert (answer.json()["text"], answer.json()["segments"]) == ("", [])


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"language": "tlh"}, 400, "language_unsupported", "language"),
        ({"response_format": "docx"}, 400, "invalid", "response_format"),
        ({"temperature": 1.5}, 400, "temperature_invalid", "temperature"),
        ({"timestamp_granularities[]": "word"}, 400, "format_mismatch", "timestamp_granularities"),
        ({"timestamp_granularities[]": "letter"}, 400, "invalid", "timestamp_granularities.0"),
        ({"stream": "true", "response_format": "srt"}, 400, "stream_unsupported", "stream"),
        ({"stream": "true", "language": "tlh"}, 400, "language_unsupported", "language"),
        ({"model": ""}, 400, "invalid", "model"),
    ],
)
def test_what_cannot_be_done_names_the_field(people, api_for, hearing, recording, fields, status, code, param):
    answer = post(api_for(people.anna), recording, **fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)


def test_a_wrong_choice_is_told_what_there_is(people, api_for, hearing, recording):
    answer = post(api_for(people.anna), recording, response_format="docx")
    message = answer.json()["error"]["message"]
    assert message == "response_format: 'docx' is not a valid choice; choose one of json, text, srt, verbose_json, vtt."


@pytest.mark.parametrize("language", ["English", "en_GB", "EN"])
def test_a_language_may_be_named_as_the_answer_names_it(people, api_for, hearing, recording, language):
    answer = post(api_for(people.anna), recording, language=language, response_format="verbose_json")
    assert (answer.status_code, answer.json()["language"]) == (200, "english")


def test_a_client_that_leaves_a_streamed_transcription_gives_its_turn_on(people, api_for, hearing, recording):
    anna = api_for(people.anna)
    for read in (0, 1):
        answer = post(anna, recording, stream="true")
        assert answer.streaming
        for _ in range(read):
            next(iter(answer.streaming_content))
        answer.close()
        assert post(anna, recording).status_code == 200


def test_what_breaks_in_a_streamed_transcription_is_an_event(people, api_for, hearing, recording, monkeypatch):
    def breaking(*args: Any) -> Any:
        yield next(dictating(*args))
        raise DomainError("device_lost", "The device is gone.")

    monkeypatch.setattr(transcription, "dictating", breaking)
    blocks = list(post(api_for(people.anna), recording, stream="true").streaming_content)
    assert blocks[0].startswith(b"event: transcript.text.delta\n")
    assert json.loads(blocks[-1].split(b"data: ")[1])["error"]["code"] == "device_lost"


def test_the_limits_are_named(people, api_for, hearing, recording, settings):
    anna = api_for(people.anna)
    settings.TRANSCRIPTION_MAX_SECONDS = 1
    long = post(anna, recording)
    assert (long.status_code, long.json()["error"]["code"], long.json()["error"]["param"]) == (
        400,
        "media_too_long",
        "file",
    )
    settings.TRANSCRIPTION_MAX_BYTES = 1000
    large = post(anna, recording)
    assert (large.status_code, large.json()["error"]["code"]) == (413, "too_large")
    assert "1000" in large.json()["error"]["message"].replace("\xa0", " ")


def test_a_model_that_speaks_does_not_transcribe(people, api_for, hearing, recording, tiny_bundle, settings):
    settings.MODELS_DIR = tiny_bundle.parent
    answer = post(api_for(people.anna), recording, model=tiny_bundle.name)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "model_mismatch")
    missing = post(api_for(people.anna), recording)
    assert (missing.status_code, missing.json()["error"]["code"]) == (503, "model_missing")


@pytest.mark.parametrize("where", [WHERE, IN_ENGLISH])
def test_nothing_is_transcribed_for_strangers(client, db, recording, where):
    answer = client.post(where, {"file": SimpleUploadedFile("said.mp3", recording), "model": "whisper-1"})
    assert answer.status_code == 401


@pytest.mark.parametrize(("where", "task"), [(WHERE, "transcribe"), (IN_ENGLISH, "translate")])
def test_the_model_is_told_what_to_do(people, api_for, hearing, recording, monkeypatch, where, task):
    prompts: list[list[int]] = []
    with listener().turn(hearing) as transcriber:
        whisper = transcriber.whisper
    generate = type(whisper.model).generate

    def noted(model: Any, sound: Any, asked: list[list[int]], **options: Any) -> Any:
        prompts.extend(asked)
        return generate(model, sound, asked, **options)

    monkeypatch.setattr(type(whisper.model), "generate", noted)
    data = {"file": SimpleUploadedFile("said.mp3", recording), "model": "whisper-1", "language": "pt"}
    assert api_for(people.anna).post(where, data, format="multipart").status_code == 200
    wanted = [whisper.hf_tokenizer.token_to_id(f"<|{word}|>") for word in ("startoftranscript", "pt", task)]
    assert prompts
    assert all(prompt[: len(wanted)] == wanted for prompt in prompts)


@pytest.mark.parametrize("stream", ["false", "true"])
def test_a_model_that_knows_english_alone_translates_nothing(people, api_for, hearing, recording, monkeypatch, stream):
    monkeypatch.setattr(Transcriber, "languages", property(lambda _self: ("en",)))
    data = {"file": SimpleUploadedFile("said.mp3", recording), "model": "whisper-1", "stream": stream}
    answer = api_for(people.anna).post(IN_ENGLISH, data, format="multipart")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "translation_unsupported", "model")


def test_a_translation_is_streamed_too(people, api_for, hearing, recording):
    data = {"file": SimpleUploadedFile("said.mp3", recording), "model": "whisper-1", "stream": "true"}
    blocks = list(api_for(people.anna).post(IN_ENGLISH, data, format="multipart").streaming_content)
    assert json.loads(blocks[-1].split(b"data: ")[1])["type"] == "transcript.text.done"


def test_too_many_at_once_are_told_when_to_come_again(people, api_for, hearing, recording, settings):
    settings.TRANSCRIPTION_QUEUE = 1
    let_go = threading.Event()
    begun = threading.Event()

    def hold() -> None:
        with listener().turn(hearing):
            begun.set()
            let_go.wait(60)

    def queue() -> None:
        with listener().turn(hearing):
            pass

    first, second = threading.Thread(target=hold), threading.Thread(target=queue)
    first.start()
    assert begun.wait(60)
    second.start()
    while len(listener()._line) < 2:
        pass
    try:
        answer = post(api_for(people.anna), recording)
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "busy")
        assert int(answer["Retry-After"]) >= 1
    finally:
        let_go.set()
        first.join(60)
        second.join(60)
    assert post(api_for(people.anna), recording).status_code == 200


def test_the_model_leaves_memory_when_nobody_asks(hearing):
    mine = Listener(ListenerSettings(device="cpu", threads=1, idle_seconds=0.2))
    with mine.turn(hearing):
        assert mine.loaded
    gone = threading.Event()
    for _ in range(100):
        if not mine.loaded:
            break
        gone.wait(0.1)
    assert not mine.loaded
    with mine.turn(hearing) as transcriber:
        assert transcriber.languages
    mine.close()


def test_a_client_that_hangs_up_leaves_the_line(hearing):
    from xttsproject.lib.errors import Cancelled

    mine = Listener(ListenerSettings(device="cpu", threads=1, queue_limit=1))
    with mine.turn(hearing):
        with pytest.raises(Cancelled), mine.turn(hearing, lambda: True):
            pass
        # Its place is free: the next one waits instead of being refused.
        with pytest.raises(Cancelled), mine.turn(hearing, lambda: True):
            pass
    mine.close()


def test_a_folder_without_a_model_holds_up_nobody(tmp_path, hearing):
    mine = Listener(ListenerSettings(device="cpu", threads=1))
    with pytest.raises(DomainError, match="no Whisper model"), mine.turn(tmp_path):
        pass
    with mine.turn(hearing):
        pass
    mine.close()
