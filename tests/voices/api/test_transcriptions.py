"""What is said in a file, as OpenAI's official client asks for it: spoken by the portal, heard by the portal."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from voices.engine.encoding import FORMATS, encode
from voices.engine.listener import Listener, ListenerSettings
from voices.services.transcription import listener, listener_close
from xttsproject.accounts.services import token_create
from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.types import Sampling

WHERE = "/v1/audio/transcriptions"
SPOKEN = "Good morning, everybody. The weather is fine today."


@pytest.fixture(scope="module")
def recording(tiny_bundle: Path) -> bytes:
    """Something said, as MP3: by the tiny model, which the tiny Whisper understands."""
    from xttsproject.xtts.engine import XttsEngine

    engine = XttsEngine.load(tiny_bundle, device="cpu")
    speaker = next(iter(engine.builtin_speakers().values()))
    return encode(engine.speak(SPOKEN, "en", speaker, Sampling(seed=1)).audio, FORMATS["mp3"])


@pytest.fixture
def hearing(settings: Any, tiny_whisper_bundle: Path) -> Iterator[Path]:
    settings.MODELS_DIR = tiny_whisper_bundle.parent
    settings.WHISPER_BUNDLE = tiny_whisper_bundle.name
    settings.DEVICE = "cpu"
    settings.WHISPER_THREADS = 1
    yield tiny_whisper_bundle
    listener_close()


def post(api: Any, content: bytes, name: str = "said.mp3", **fields: Any) -> Any:
    data = {"file": SimpleUploadedFile(name, content), "model": "whisper-1", **fields}
    return api.post(WHERE, data, format="multipart")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
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
        ({"stream": "true"}, 400, "stream_unsupported", "stream"),
        ({"model": ""}, 400, "invalid", "model"),
    ],
)
def test_what_cannot_be_done_names_the_field(people, api_for, hearing, recording, fields, status, code, param):
    answer = post(api_for(people.anna), recording, **fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)


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


def test_nothing_is_transcribed_for_strangers(client, db, recording):
    answer = client.post(WHERE, {"file": SimpleUploadedFile("said.mp3", recording), "model": "whisper-1"})
    assert answer.status_code == 401


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
