"""While a judge listens to one request's sentence, everybody else is spoken for."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.voices.engine.conftest import until
from voices.engine.guarding import Guardian
from voices.engine.owner import SpeechOwner
from voices.engine.requests import Attempt, Hearing, ModelChoice, SpeechRequest, Verdict
from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.xtts.guard.retries import GuardSettings, Mode

TEXT = (
    "The first sentence is long enough to be spoken by itself. The second one, which follows it, is as long as that. "
    "And so is the third one, with which everything comes to an end."
)


class Held:
    """Who listens for real, and then waits until somebody lets go."""

    def __init__(self, hear: Callable[[Audio, str], str]):
        self._hear = hear
        self.began, self.let_go = threading.Event(), threading.Event()
        self.heard: list[str] = []

    def __call__(self, sound: Audio, language: str) -> str:
        self.heard.append(self._hear(sound, language))
        self.began.set()
        assert self.let_go.wait(60)
        return self.heard[-1]


@pytest.fixture
def held() -> Any:
    made = Held(lambda sound, language: "something else")
    yield made
    made.let_go.set()


def careful(request: SpeechRequest, judge: Any, seeds: tuple[int, ...] = ()) -> SpeechRequest:
    return dataclasses.replace(request, judge=judge, rivals=lambda seed: seeds)


def guardian(hear: Any, candidates: int = 2) -> Guardian:
    return Guardian(GuardSettings(Mode.CAREFUL, max_retries=1, candidates=candidates), hear=hear)


def test_a_stream_goes_on_while_a_real_whisper_listens_for_another(make_owner, ask, tiny_whisper_bundle: Path):
    from datasets.pipeline.transcribe import Transcriber

    transcriber = Transcriber.load(tiny_whisper_bundle, device="cpu", threads=1)
    hear = Held(lambda sound, language: transcriber.transcribe(sound, language).text)
    owner, judge = make_owner(), guardian(hear)
    slow = owner.submit(dataclasses.replace(ask(TEXT), judge=judge, rivals=judge.rivals))
    assert hear.began.wait(60)
    stream = owner.submit(ask(TEXT, seed=3), streamed=True)
    chunks = list(stream.stream(60))
    assert sum(len(chunk.samples) for chunk in chunks) == len(stream.wait(5).audio.samples)
    assert not slow.done
    assert owner.submit(ask("Whole, as well.")).wait(60) is not None
    assert len(hear.heard) == 1
    hear.let_go.set()
    speech = slow.wait(60)
    assert speech is not None
    # Of each sentence one candidate at least, one after the other.
    assert len(hear.heard) >= len(speech.sentences) > 1
    assert all(judge.report(1 + place) for place in range(len(speech.sentences)))


def test_what_comes_is_what_would_have_come_had_the_judge_listened_on_the_spot(make_owner, ask):
    """The same sentences, of the same attempts, in the same order, whatever else is spoken meanwhile."""
    owner = make_owner(batch=4)

    def hear(sound: Audio, language: str) -> str:
        # Different for every sound, and nothing but the sound decides.
        return "spoken" if len(sound.samples) % 3 else TEXT

    def at_once(judge: Guardian) -> Callable[[Attempt], Verdict]:
        def decide(attempt: Attempt) -> Verdict:
            answer = judge(attempt)
            assert isinstance(answer, Hearing)
            return answer.decide(answer.listen())

        return decide

    here, there = guardian(hear, candidates=3), guardian(hear, candidates=3)
    expected = owner.submit(dataclasses.replace(ask(TEXT), judge=at_once(here), rivals=here.rivals)).wait(60)
    others = [owner.submit(ask(TEXT, seed=seed), streamed=seed % 2 > 0) for seed in (7, 8)]
    ticket = owner.submit(dataclasses.replace(ask(TEXT), judge=there, rivals=there.rivals))
    speech = ticket.wait(60)
    assert [there.report(seed) for seed in (1, 2, 3)] == [here.report(seed) for seed in (1, 2, 3)]
    assert here.report(3) is not None
    assert speech.sentences == expected.sentences
    np.testing.assert_allclose(speech.audio.samples, expected.audio.samples, atol=1e-4)
    for other in others:
        other.wait(60)


def test_two_who_are_listened_to_take_turns(make_owner, ask):
    owner, order, second_is_sound = make_owner(), [], threading.Event()

    def judge(name: str) -> Callable[[Attempt], Hearing]:
        def listen() -> None:
            order.append(name)
            assert second_is_sound.wait(60)

        def ask_to_listen(attempt: Attempt) -> Hearing:
            if name == "second":
                second_is_sound.set()
            return Hearing(listen, lambda heard: Verdict())

        return ask_to_listen

    first = owner.submit(careful(ask(TEXT * 2), judge("first")))
    until(lambda: bool(order))
    second = owner.submit(careful(ask("A short one."), judge("second")))
    assert second.wait(60) is not None
    assert len(first.wait(60).sentences) == order.count("first") > 3
    # Two of the first one's were with the ear, and no third went before it.
    assert order.index("second") <= 2


def test_who_leaves_while_listened_to_holds_nobody_up(make_owner, ask, held):
    owner = make_owner()
    ticket = owner.submit(careful(ask(TEXT), guardian(held), (90,)))
    assert held.began.wait(60)
    ticket.abandon()
    with pytest.raises(Cancelled):
        ticket.wait(10)
    until(lambda: owner.status().speaking == owner.status().sentences == 0)
    assert owner.submit(ask("Hello there.")).wait(60) is not None
    held.let_go.set()
    # The next who is listened to is heard; what was cancelled before its turn is not.
    fresh = Held(lambda sound, language: "Hello there.")
    fresh.let_go.set()
    assert owner.submit(careful(ask("Hello there."), guardian(fresh))).wait(60) is not None
    assert len(held.heard) == 1


def test_models_leave_memory_and_come_back_between_two_who_are_listened_to(make_owner, ask, held):
    owner = make_owner(idle_seconds=0.2)
    ticket = owner.submit(careful(ask("Hello there."), guardian(held)))
    assert held.began.wait(60)
    # Longer than the idle time: whoever waits for a verdict still needs the model.
    time.sleep(0.5)
    assert owner.status().models == 1
    held.let_go.set()
    assert ticket.wait(60) is not None
    until(lambda: owner.status().models == 0)
    assert owner.submit(careful(ask("Hello there."), guardian(held))).wait(60) is not None


def test_an_owner_that_is_closed_waits_for_no_ear(make_owner, ask, held):
    owner: SpeechOwner = make_owner()
    ticket = owner.submit(careful(ask(TEXT), guardian(held)))
    assert held.began.wait(60)
    begun = time.monotonic()
    owner.close()
    assert time.monotonic() - begun < 10
    with pytest.raises(DomainError, match="stopped"):
        ticket.wait(5)


def test_what_goes_wrong_while_listening_is_told_to_who_asked_and_nobody_else(make_owner, ask, random_bundle):
    owner = make_owner()
    owner.submit(ModelChoice(random_bundle)).wait(60)

    def broken(sound: Audio, language: str) -> str:
        raise DomainError("model_damaged", "The ear is broken.")

    bad = owner.submit(careful(ask(TEXT), guardian(broken)))
    good = owner.submit(ask(TEXT))
    with pytest.raises(DomainError, match="ear is broken"):
        bad.wait(60)
    assert good.wait(60) is not None


def test_waiting_for_an_ear_takes_no_time_of_the_processor(make_owner, ask, held):
    owner = make_owner()
    ticket = owner.submit(careful(ask("Hello there."), guardian(held)))
    assert held.began.wait(60)
    time.sleep(0.2)
    before = time.process_time()
    time.sleep(1.0)
    assert time.process_time() - before < 0.3
    held.let_go.set()
    assert ticket.wait(60) is not None
