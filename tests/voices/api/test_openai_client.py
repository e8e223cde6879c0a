"""The official client of OpenAI against the running portal, knowing its address and a token and nothing else."""

from __future__ import annotations

import base64
import io
import json
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest

from datasets.pipeline.media import decode_audio
from voices.models import Synthesis
from xttsproject.accounts.services import token_create

LONG = "The quick brown fox jumps over the lazy dog, and then it does so again. It is not tired. " * 3

pytestmark = pytest.mark.django_db(transaction=True)


def samples_of(wav: bytes) -> Any:
    """What is in the data chunk, which lasts to the end where its size is not known."""
    start = wav.index(b"data") + 8
    size = int.from_bytes(wav[start - 4 : start], "little")
    return np.frombuffer(wav[start:] if size == 0xFFFFFFFF else wav[start : start + size], dtype="<i2") / 32768


@pytest.fixture
def client_of(live_server: Any) -> Iterator[Callable[[Any], openai.OpenAI]]:
    made: list[openai.OpenAI] = []

    def make(user: Any) -> openai.OpenAI:
        _row, token = token_create(user=user, name="test")
        made.append(openai.OpenAI(base_url=f"{live_server.url}/v1", api_key=token, max_retries=0))
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_the_client_speaks_lists_models_and_is_told_what_is_wrong(people, make_voice, client_of, tmp_path: Path):
    voice = make_voice(people.anna)
    client = client_of(people.anna)

    # By name, in the format that OpenAI's API has by default.
    spoken = client.audio.speech.create(model="tiny", voice="Vera", input="Good morning, everybody.")
    mp3 = tmp_path / "spoken.mp3"
    spoken.write_to_file(mp3)
    assert spoken.response.headers["content-type"] == "audio/mpeg"
    assert decode_audio(mp3, 24_000).seconds > 0.2

    # By id, as WAV, with what the portal adds.
    spoken = client.audio.speech.create(
        model="tts-1",
        voice=str(voice.pk),
        input="Good evening.",
        response_format="wav",
        speed=1.25,
        instructions="Cheerfully.",
        extra_body={"language": "en-GB", "seed": 11},
    )
    with wave.open(io.BytesIO(spoken.content)) as handle:
        assert handle.getframerate() == 24_000
    kept = Synthesis.objects.get(pk=spoken.response.headers["x-synthesis-id"])
    assert (kept.language, kept.channel, kept.owner) == ("en", "openai", people.anna)
    assert (kept.sampling["seed"], kept.sampling["speed"]) == (11, 1.25)

    with pytest.raises(openai.BadRequestError, match="does not speak German; it speaks English"):
        client.audio.speech.create(model="tiny", voice="Vera", input="Guten Tag.", extra_body={"language": "de"})

    # Read in pieces, as players do, while it is spoken. What has been heard cannot be said again: nothing is guarded.
    with client.audio.speech.with_streaming_response.create(
        model="tiny",
        voice="Vera",
        input=LONG,
        response_format="wav",
        stream_format="audio",
        extra_body={"seed": 4, "guard": "off"},
    ) as stream:
        blocks = list(stream.iter_bytes())
        kept_id = stream.headers["x-synthesis-id"]
    assert len(blocks) > 2
    whole = client.audio.speech.create(
        model="tiny", voice="Vera", input=LONG, response_format="wav", extra_body={"seed": 4, "guard": "off"}
    ).content
    streamed = samples_of(b"".join(blocks))
    np.testing.assert_allclose(streamed, samples_of(whole), atol=0.02)
    assert Synthesis.objects.get(pk=kept_id).seconds == pytest.approx(len(streamed) / 24_000)

    # As the server-sent events of OpenAI's API.
    with client.audio.speech.with_streaming_response.create(
        model="tiny", voice="Vera", input=LONG, response_format="mp3", stream_format="sse", extra_body={"seed": 4}
    ) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line.startswith("data: ")]
    assert [event["type"] for event in events] == [*["speech.audio.delta"] * (len(events) - 1), "speech.audio.done"]
    mp3.write_bytes(b"".join(base64.b64decode(event["audio"]) for event in events[:-1]))
    assert decode_audio(mp3, 24_000).seconds == pytest.approx(len(streamed) / 24_000, abs=0.2)
    usage = events[-1]["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert min(usage.values()) > 10

    # At once, and read in pieces.
    with client.audio.speech.with_streaming_response.create(
        model="tiny", voice="Vera", input="Good morning.", response_format="pcm"
    ) as stream:
        assert len(b"".join(stream.iter_bytes())) > 1000

    models = client.models.list().data
    assert [(model.id, model.object) for model in models] == [("tiny", "model")]
    assert client.models.retrieve("tiny").created > 1_500_000_000
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("large")
    voices = client.get("/audio/voices", cast_to=dict[str, Any])
    assert [(row["id"], row["name"]) for row in voices["voices"] if not row["studio"]] == [(str(voice.pk), "Vera")]


NULLS = dict.fromkeys(("model", "response_format", "speed", "instructions", "stream_format", "seed", "language_code"))


@pytest.mark.parametrize("unsaid", [{}, NULLS])
def test_what_other_clients_leave_out_or_send_as_null_is_as_usual(people, make_voice, api_for, unsaid):
    make_voice(people.anna)
    body = {"voice": "Vera", "input": "Good morning.", "stream": False, **unsaid}
    answer = api_for(people.anna).post("/v1/audio/speech", body, format="json")
    assert (answer.status_code, answer["Content-Type"]) == (200, "audio/mpeg")


def test_errors_arrive_as_the_clients_own_exceptions(people, make_voice, client_of, settings):
    settings.SPEECH_MAX_CHARACTERS = 40
    make_voice(people.anna)
    client, stranger = client_of(people.anna), client_of(people.ben)
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.speech.create(model="tiny", voice="Vera", input="x" * 41)
    assert (caught.value.code, caught.value.param) == ("text_too_long", "input")
    assert "41" in caught.value.message
    with pytest.raises(openai.NotFoundError) as missing:
        stranger.audio.speech.create(model="tiny", voice="Vera", input="Hello.")
    assert (missing.value.code, missing.value.param) == ("voice_unknown", "voice")
    with pytest.raises(openai.BadRequestError) as format_:
        client.audio.speech.create(model="tiny", voice="Vera", input="Hello.", response_format="midi")  # type: ignore[arg-type]
    assert format_.value.param == "response_format"
    with pytest.raises(openai.BadRequestError) as streamed:
        client.audio.speech.create(model="tiny", voice="Vera", input="Hello.", stream_format="midi")  # type: ignore[arg-type]
    assert streamed.value.code == "stream_format_unsupported"
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="not-a-token").audio.speech.create(model="tiny", voice="Vera", input="Hello.")


def test_two_clients_at_once_get_their_own_speech(people, make_voice, client_of):
    from concurrent.futures import ThreadPoolExecutor

    make_voice(people.anna, visibility="team")
    clients = {name: client_of(getattr(people, name)) for name in ("anna", "ben")}
    texts = {"anna": "The weather is fine today.", "ben": "Nobody knows the trouble I have seen."}

    def speak(name: str) -> bytes:
        answer = clients[name].audio.speech.create(
            model="tiny", voice="Vera", input=texts[name], response_format="wav", extra_body={"seed": 4}
        )
        content: bytes = answer.content
        return content

    alone = {name: speak(name) for name in texts}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(speak, ["anna", "ben"] * 2))
    for answer, name in zip(answers, ["anna", "ben"] * 2, strict=True):
        # Decoded beside another's sentence, the last bits of a number may be rounded otherwise.
        np.testing.assert_allclose(samples_of(answer), samples_of(alone[name]), atol=1e-3)
    assert alone["anna"] != alone["ben"]
    assert Synthesis.objects.filter(owner=people.ben).values_list("text", flat=True).distinct().get() == texts["ben"]
