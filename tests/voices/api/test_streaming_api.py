"""Speech that is answered while it is spoken."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import av
import pytest

from voices.engine.tickets import Ticket
from voices.models import Synthesis
from voices.services.runtime import speech_owner
from xttsproject.lib.audio import read_wav
from xttsproject.lib.errors import DomainError

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "The quick brown fox jumps over the lazy dog, and then it does so again. It is not tired. " * 6
STREAM = "/api/v1/speech/"


def until(condition: Any, seconds: float = 30.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.01)


def seconds_of(data: bytes) -> float:
    with av.open(io.BytesIO(data), mode="r") as container:
        return float(sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0)))


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "opus", "aac"])
def test_every_format_comes_in_pieces_and_is_kept_whole(people, api_for, make_voice, name):
    voice = make_voice(people.anna)
    body = {"voice": str(voice.pk), "text": "One sentence. And then another one follows it.", "seed": 3}
    answer = api_for(people.anna).post(STREAM, {**body, "format": name, "stream": True}, format="json")
    assert (answer.status_code, answer.streaming) == (200, True)
    assert not Synthesis.objects.exists()
    blocks = list(answer.streaming_content)
    assert len(blocks) > 2
    synthesis = Synthesis.objects.get(pk=answer["X-Synthesis-Id"])
    assert (synthesis.owner, synthesis.channel, synthesis.sampling["seed"]) == (people.anna, "api", 3)
    assert seconds_of(b"".join(blocks)) == pytest.approx(synthesis.seconds, abs=0.1)
    assert read_wav(synthesis.audio_path).seconds == pytest.approx(synthesis.seconds)
    with av.open(io.BytesIO(b"".join(blocks)), mode="r") as container:
        told = {**container.metadata, **container.streams.audio[0].metadata}
    assert "Synthetic speech" in told["comment"]


def test_what_is_wrong_is_an_ordinary_error_before_the_first_sound(people, api_for, make_voice):
    voice = make_voice(people.anna)
    anna = api_for(people.anna)
    for changes, code in (
        ({"text": " "}, "text_empty"),
        ({"text": "Hallo.", "language": "de"}, "language_unsupported"),
        ({"format": "midi"}, "format_unsupported"),
        ({"voice": "nobody"}, "voice_unknown"),
    ):
        answer = anna.post(STREAM, {"voice": str(voice.pk), "text": "Hello.", "stream": True, **changes}, format="json")
        assert answer.json()["error"]["code"] == code
    stranger = api_for(people.ben).post(STREAM, {"voice": str(voice.pk), "text": "Hello.", "stream": True})
    assert stranger.status_code == 404
    assert not Synthesis.objects.exists()


def test_a_stream_comes_at_the_rate_that_was_asked_for(people, api_for, make_voice):
    voice = make_voice(people.anna)
    body = {"voice": str(voice.pk), "text": "One sentence.", "seed": 3, "stream": True, "sample_rate": 8000}
    answer = api_for(people.anna).post(STREAM, body, format="json")
    sound = b"".join(answer.streaming_content)
    with av.open(io.BytesIO(sound), mode="r") as container:
        assert container.streams.audio[0].rate == 8000
    assert seconds_of(sound) == pytest.approx(Synthesis.objects.get().seconds, abs=0.01)


def test_what_only_a_whole_speech_can_have_is_refused(people, api_for, make_voice):
    voice = make_voice(people.anna)
    anna = api_for(people.anna)
    body = {"voice": str(voice.pk), "text": "One sentence.", "stream": True}
    louder = anna.post(STREAM, {**body, "loudness": -16}, format="json")
    keyed = anna.post(STREAM, body, format="json", headers={"Idempotency-Key": "once"})
    for answer in (louder, keyed):
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "stream_unsupported")


def test_a_client_that_leaves_stops_the_work_and_nothing_is_kept(people, api_for, make_voice, monkeypatch):
    left, abandon = [], Ticket.abandon

    def abandoned(ticket: Ticket) -> None:
        left.append(ticket)
        abandon(ticket)

    monkeypatch.setattr(Ticket, "abandon", abandoned)
    voice = make_voice(people.anna)
    body = {"voice": str(voice.pk), "text": LONG, "format": "pcm", "stream": True}
    for read in (0, 2):
        answer = api_for(people.anna).post(STREAM, body, format="json")
        blocks = iter(answer.streaming_content)
        for _ in range(read):
            next(blocks)
        assert speech_owner().status().sentences > 0
        answer.close()
        # Told at once, and not because it has been spoken to its end meanwhile.
        assert left.pop().abandoned
        until(lambda: speech_owner().status().sentences == 0)
    assert not Synthesis.objects.exists()


def test_what_breaks_on_the_way_is_an_event_with_its_reason(people, api_for, make_voice, monkeypatch):
    from xttsproject.xtts.streaming import GrowingSound

    voice, extend, calls = make_voice(people.anna), GrowingSound.extend, []

    def breaking(sound: GrowingSound, *args: Any, **options: Any) -> Any:
        calls.append(sound)
        if len(calls) > 2:
            raise DomainError("device_lost", "The device is gone.")
        return extend(sound, *args, **options)

    monkeypatch.setattr(GrowingSound, "extend", breaking)
    body = {"model": "tts-1", "voice": str(voice.pk), "input": LONG, "response_format": "pcm"}
    answer = api_for(people.anna).post("/v1/audio/speech", {**body, "stream_format": "sse"}, format="json")
    blocks = list(answer.streaming_content)
    assert blocks[0].startswith(b"event: speech.audio.delta\n")
    kind, data = blocks[-1].decode().strip().split("\n")
    assert kind == "event: error"
    assert json.loads(data.removeprefix("data: "))["error"]["code"] == "device_lost"
    calls.clear()
    answer = api_for(people.anna).post("/v1/audio/speech", {**body, "stream_format": "audio"}, format="json")
    with pytest.raises(DomainError):
        list(answer.streaming_content)
    assert not Synthesis.objects.exists()
