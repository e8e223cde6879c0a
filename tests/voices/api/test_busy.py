"""What is asked for while too many wait is turned away at once, and told when to come again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from voices.api.answers import LONGEST_RETRY
from voices.services.runtime import speech_owner

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "The quick brown fox jumps over the lazy dog, and then it does so again. " * 20


class Crowd:
    """Requests over the API, each in a thread of its own as in the portal; what they are answered."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self._threads: list[threading.Thread] = []

    def ask(self, api: Any, path: str, body: dict[str, Any]) -> None:
        def post() -> None:
            try:
                self.answers.append(api.post(path, body))
            finally:
                connection.close()

        self._threads.append(threading.Thread(target=post))
        self._threads[-1].start()

    def wait(self) -> None:
        for thread in self._threads:
            thread.join(120)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    made = Crowd()
    yield made
    made.wait()


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.01)


def line(waiting: int) -> Callable[[], bool]:
    def reached() -> bool:
        status = speech_owner().status()
        return status.speaking == 1 and status.waiting == waiting

    return reached


def test_a_full_line_is_answered_429_with_the_time_to_come_again(people, api_for, make_voice, settings, crowd):
    settings.SPEECH_TOGETHER, settings.SPEECH_QUEUE = 1, 2
    voice = make_voice(people.anna, visibility="team")
    body = {"voice": str(voice.pk), "text": LONG}
    for waiting, person in enumerate((people.anna, people.anna, people.ben)):
        crowd.ask(api_for(person), "/api/v1/speech/", body)
        until(line(waiting))
    refused = api_for(people.cora).post("/api/v1/speech/", body)
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= LONGEST_RETRY
    assert refused.json()["error"]["code"] == "busy"
    openai = api_for(people.cora).post("/v1/audio/speech", {"model": "tts-1", "voice": str(voice.pk), "input": LONG})
    assert openai.status_code == 429
    assert 1 <= int(openai["Retry-After"]) <= LONGEST_RETRY
    crowd.wait()
    assert [answer.status_code for answer in crowd.answers] == [200, 200, 200]


def test_one_person_does_not_fill_the_line(people, api_for, make_voice, settings, crowd):
    settings.SPEECH_TOGETHER, settings.SPEECH_QUEUE = 1, 8
    voice = make_voice(people.anna, visibility="team")
    long, short = ({"voice": str(voice.pk), "text": text} for text in (LONG, "Hello there."))
    crowd.ask(api_for(people.anna), "/api/v1/speech/", long)
    until(line(0))
    for waiting in range(1, 5):
        crowd.ask(api_for(people.anna), "/api/v1/speech/", short)
        until(line(waiting))
    refused = api_for(people.anna).post("/api/v1/speech/", short)
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= LONGEST_RETRY
    assert "your own" in refused.json()["error"]["message"]
    crowd.ask(api_for(people.ben), "/api/v1/speech/", short)
    until(line(5))
    crowd.wait()
    assert [answer.status_code for answer in crowd.answers] == [200] * 6


def test_the_line_is_shorter_than_the_web_server_has_threads(settings):
    from xttsproject import gunicorn

    # Each request holds a thread until it is answered, and pages want some too.
    transcriptions = settings.TRANSCRIPTION_QUEUE + 1
    assert gunicorn.threads >= settings.SPEECH_TOGETHER + settings.SPEECH_QUEUE + transcriptions + 4


def test_the_time_to_come_again_follows_from_what_the_line_took(monkeypatch):
    from voices.services import pace

    monkeypatch.setattr(pace, "_seconds", None)
    assert pace.speech_turn_seconds() == 10.0
    # Two were ahead of it: a third of its time for each.
    pace.speech_turn_note(elapsed=90.0, ahead=2)
    assert pace.speech_turn_seconds() == 30.0
    for _ in range(30):
        pace.speech_turn_note(elapsed=4.0, ahead=1)
    assert pace.speech_turn_seconds() == pytest.approx(2.0, abs=0.01)
