"""``/v1/audio/speech`` sends the sound as it grows without being asked to, as OpenAI's does, and what it sends is what
would have come whole."""

from __future__ import annotations

import io
import threading
from typing import Any

import av
import numpy as np
import openai
import pytest

from tests.voices.api.test_streaming_api import LONG, until
from voices.engine.encoding import FORMATS
from voices.engine.guarding import Guardian
from voices.models import Synthesis
from voices.services import guarding
from voices.services.runtime import speech_owner
from xttsproject.accounts.services import token_create
from xttsproject.lib.audio import read_wav
from xttsproject.xtts.guard.pace import Pace

pytestmark = pytest.mark.django_db(transaction=True)

SPEECH = "/v1/audio/speech"
TEXT = "One sentence that is long enough to stand alone. And then another one follows it, as long as the first."


def decoded(data: bytes) -> Any:
    with av.open(io.BytesIO(data), mode="r") as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    samples: Any = np.concatenate(frames)
    return samples / 32768 if samples.dtype == np.int16 else samples


def asked(**more: Any) -> dict[str, Any]:
    return {"model": "tts-1", "voice": "Vera", "input": TEXT, "seed": 3, **more}


def test_the_client_hears_the_first_sentence_before_the_last_is_settled(people, make_voice, live_server, monkeypatch):
    make_voice(people.anna)
    judge, heard, judged = Guardian.__call__, threading.Event(), []

    def patient(guardian: Guardian, attempt: Any) -> Any:
        judged.append(attempt)
        # Nothing but the first sentence's bytes lets the others go on.
        assert len(judged) == 1 or heard.wait(60)
        return judge(guardian, attempt)

    monkeypatch.setattr(Guardian, "__call__", patient)
    _row, token = token_create(user=people.anna, name="test")
    client = openai.OpenAI(base_url=f"{live_server.url}/v1", api_key=token, max_retries=0, timeout=30)
    with (
        client,
        client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="Vera", input=TEXT, response_format="pcm", extra_body={"max_retries": 0}
        ) as answer,
    ):
        blocks = answer.iter_bytes()
        first = next(blocks)
        assert not Synthesis.objects.exists()
        heard.set()
        rest = b"".join(blocks)
        key = answer.headers["x-synthesis-id"]
    assert len(judged) == 2
    kept = read_wav(Synthesis.objects.get(pk=key).audio_path).samples
    assert len(first + rest) == 2 * len(kept)


def test_it_is_what_would_have_come_whole_in_every_format(people, api_for, make_voice):
    make_voice(people.anna)
    for name in FORMATS:
        check_that_it_is_what_would_have_come_whole(people.anna, api_for(people.anna), name)


def check_that_it_is_what_would_have_come_whole(person: Any, anna: Any, name: str) -> None:
    answer = anna.post(SPEECH, asked(response_format=name), format="json")
    assert (answer.status_code, answer.streaming) == (200, True)
    sent = b"".join(answer.streaming_content)
    kept = Synthesis.objects.get(pk=answer["X-Synthesis-Id"])
    assert (kept.channel, kept.owner, kept.sampling["seed"]) == ("openai", person, 3)
    whole = anna.post(SPEECH, asked(response_format=name, stream=False), format="json")
    assert whole.streaming is False
    assert float(whole["X-Speech-Seconds"]) == pytest.approx(kept.seconds, abs=0.001)
    if name == "pcm":
        grown, at_once = (np.frombuffer(data, dtype="<i2") / 32768 for data in (sent, whole.content))
    else:
        grown, at_once = decoded(sent), decoded(whole.content)
    if name in ("wav", "flac", "pcm"):
        np.testing.assert_allclose(grown, at_once, rtol=0, atol=1e-4)
    else:
        # Encoders pad; without an index at the head nobody knows by how much.
        assert len(grown) == pytest.approx(len(at_once), abs=3000)


def test_a_bad_sentence_is_said_again_before_it_is_sent(people, api_for, make_voice, monkeypatch):
    monkeypatch.setattr(guarding, "pace_of", lambda language, ratios: Pace(0.12, 0.06))
    make_voice(people.anna)
    answer = api_for(people.anna).post(SPEECH, asked(response_format="pcm", max_retries=1), format="json")
    sent = np.frombuffer(b"".join(answer.streaming_content), dtype="<i2")
    kept = Synthesis.objects.get()
    assert [sentence["attempts"] for sentence in kept.sentences] == [2, 2]
    assert len(kept.warnings) == 2
    np.testing.assert_allclose(sent / 32768, read_wav(kept.audio_path).samples, rtol=0, atol=1e-4)


def test_unguarded_it_comes_while_a_sentence_is_still_spoken(people, api_for, make_voice):
    make_voice(people.anna)
    answer = api_for(people.anna).post(SPEECH, asked(response_format="pcm", guard="off"), format="json")
    assert len(list(answer.streaming_content)) > len(Synthesis.objects.get().sentences) + 2


def test_what_needs_the_whole_comes_whole(people, api_for, make_voice):
    make_voice(people.anna)
    anna = api_for(people.anna)
    loud = anna.post(SPEECH, asked(response_format="wav", loudness=-16), format="json")
    keyed, again = (
        anna.post(SPEECH, asked(response_format="wav"), format="json", headers={"Idempotency-Key": "once"})
        for _ in range(2)
    )
    for answer in (loud, keyed, again):
        assert (answer.status_code, answer.streaming) == (200, False)
        # A length that is known.
        assert read_wav(io.BytesIO(answer.content)).seconds == pytest.approx(
            float(answer["X-Speech-Seconds"]), abs=0.01
        )
    assert again["Idempotent-Replayed"] == "true"
    assert again.content == keyed.content


def test_what_is_wrong_is_an_ordinary_error(people, api_for, make_voice, settings):
    make_voice(people.anna)
    settings.WHISPER_BUNDLE = "nobody"
    anna = api_for(people.anna)
    for changes, code in (
        ({"input": " "}, "text_empty"),
        ({"language": "de"}, "language_unsupported"),
        ({"input": "x" * 10_000}, "text_too_long"),
        ({"temperature": 9}, "sampling_invalid"),
        ({"guard": "careful"}, "guard_deaf"),
        ({"sample_rate": 11}, "rate_unsupported"),
        # A single word that no piece can hold: known when the text is planned, in the engine's thread.
        ({"input": "x" * 2000}, "text_unspeakable"),
    ):
        answer = anna.post(SPEECH, asked(**changes), format="json")
        assert answer.status_code == 400, (changes, answer)
        assert answer.json()["error"]["code"] == code
    assert not Synthesis.objects.exists()


def test_a_client_that_leaves_stops_the_work_and_nothing_is_kept(people, api_for, make_voice):
    make_voice(people.anna)
    answer = api_for(people.anna).post(SPEECH, asked(input=LONG * 2, response_format="mp3"), format="json")
    next(iter(answer.streaming_content))
    assert speech_owner().status().speaking == 1
    answer.close()
    until(lambda: speech_owner().status().speaking == 0)
    assert not Synthesis.objects.exists()
