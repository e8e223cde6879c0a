"""Sentences of all requests are decoded together, and none of them knows."""

from __future__ import annotations

import dataclasses
import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.voices.engine.conftest import until
from voices.engine.owner import OwnerState
from voices.engine.requests import Attempt, ModelChoice, SpeechRequest, Verdict
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.xtts.loop import SpeechLoop
from xttsproject.xtts.types import Sampling, Speech

LONG = "The quick brown fox jumps over the lazy dog, and then it does so again. " * 6
TEXTS = (
    "This is the sentence that is listened to.",
    "Another one, which is somewhat longer than the first, and which goes on for a while.",
    "Short.",
    "Who speaks here? Somebody does. And then there is a third sentence, which is the last one of this text.",
    "Five people speak at once.",
    "The sixth has a lot to say, but says it slowly, because nothing is gained by haste in such matters.",
    "Seven.",
    "The eighth and last of them comes late.",
)


class Listening:
    """A judge that finds everything good and remembers the codes."""

    def __init__(self) -> None:
        self.codes: list[tuple[int, ...]] = []

    def __call__(self, attempt: Attempt) -> Verdict:
        self.codes.append(attempt.decoded.codes)
        return Verdict()


def assert_alike(together: Speech | None, alone: Speech | None) -> None:
    """Equal but for the rounding of a matrix library, which multiplies many rows otherwise than one: -80 dB."""
    assert together is not None
    assert alone is not None
    assert together.sentences == alone.sentences
    np.testing.assert_allclose(together.audio.samples, alone.audio.samples, atol=1e-4)


def test_eight_people_at_once_hear_what_each_hears_alone(make_owner, ask, random_bundle):
    owner, lone = make_owner(), [Listening() for _ in TEXTS]
    samplings = [Sampling(seed=number, temperature=0.6 + 0.1 * number, speed=1.25) for number in range(len(TEXTS))]

    def request(number: int, judge: Listening) -> SpeechRequest:
        made: SpeechRequest = ask(TEXTS[number], judge=judge, sampling=samplings[number])
        return made

    alone = [owner.submit(request(number, judge)).wait(60) for number, judge in enumerate(lone)]
    crowd = [Listening() for _ in TEXTS]
    answers: dict[int, Speech | None] = {}
    most = 0

    def speak(number: int) -> None:
        # One after the other they come, while the first ones speak, and leave when they are done.
        until(lambda: number == 0 or owner.status().speaking > 0 or len(answers) > 0)
        answers[number] = owner.submit(request(number, crowd[number]), f"person {number}").wait(60)

    threads = [threading.Thread(target=speak, args=(number,)) for number in range(len(TEXTS))]
    gone = owner.submit(ask(LONG, seed=99))
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.01)
        most = max(most, owner.status().sentences)
        if most >= 6:
            gone.abandon()
    assert most >= 6
    for number in range(len(TEXTS)):
        assert sorted(crowd[number].codes) == sorted(lone[number].codes)
        assert_alike(answers[number], alone[number])
    assert len({speech.audio.samples.tobytes() for speech in alone if speech is not None}) == len(TEXTS)
    with pytest.raises(Cancelled):
        gone.wait(5)


def test_a_long_text_leaves_room_for_a_short_one(make_owner, ask, random_bundle):
    owner = make_owner(batch=4)
    owner.submit(ModelChoice(random_bundle)).wait(60)
    long = owner.submit(ask(LONG), "anna")
    until(lambda: owner.status().sentences == 2)
    short = owner.submit(ask("Hello there."), "ben")
    assert short.wait(60) is not None
    assert not long.done
    assert owner.status().sentences <= 4
    long.abandon()


def test_one_person_cannot_take_all_places(make_owner, ask, random_bundle):
    owner = make_owner(together=2)
    owner.submit(ModelChoice(random_bundle)).wait(60)
    tickets = [owner.submit(ask(LONG, seed=seed), "anna") for seed in range(2)]
    until(lambda: owner.status().speaking == 1)
    assert owner.status().waiting == 1
    assert owner.submit(ask("Hello there."), "ben").wait(60) is not None
    assert not tickets[0].done
    for ticket in tickets:
        ticket.abandon()


def test_a_request_that_breaks_the_loop_fails_alone(make_owner, ask, random_bundle, monkeypatch):
    owner = make_owner()
    fine = [ask(text, seed=seed) for seed, text in enumerate(TEXTS[:4])]
    alone = [owner.submit(request).wait(60) for request in fine]
    step = SpeechLoop.step

    def breaking(loop: SpeechLoop) -> Any:
        if any(row.utterance.seed == 666 and len(row) > 5 for row in loop._rows):
            raise RuntimeError("out of memory")
        return step(loop)

    monkeypatch.setattr(SpeechLoop, "step", breaking)
    streamed = owner.submit(fine[3], streamed=True)
    tickets = [owner.submit(request) for request in fine[:3]]
    poison = owner.submit(ask("This one breaks everything.", seed=666))
    with pytest.raises(RuntimeError, match="out of memory"):
        poison.wait(60)
    for ticket, expected in zip((*tickets, streamed), alone, strict=True):
        assert_alike(ticket.wait(60), expected)
    assert "RuntimeError" in owner.status().last_error
    assert owner.submit(ask("Still alive.")).wait(60) is not None


def test_a_judge_has_a_sentence_spoken_again_with_other_luck(make_owner, ask):
    owner, seen = make_owner(), []

    def judge(attempt: Attempt) -> Verdict:
        seen.append((attempt.number, attempt.seed, attempt.sent))
        if attempt.number < 2:
            return Verdict(again=500 + attempt.number, warnings=("not this one",))
        return Verdict(samples=attempt.samples[:2400], warnings=("was cut",))

    ticket = owner.submit(ask("Hello there.", seed=7, judge=judge))
    assert len(ticket.wait(60).audio.samples) == 2400
    assert seen == [(0, 7, False), (1, 500, False), (2, 501, False)]
    assert ticket.warnings == ("was cut",)
    # What has been sent cannot be spoken again, only remarked upon.
    seen.clear()
    streamed = owner.submit(ask("Hello there.", seed=7, judge=judge), streamed=True)
    assert len(streamed.wait(60).audio.samples) > 2400
    assert seen == [(0, 7, True)]
    assert streamed.warnings == ("not this one",)


def test_rivals_of_a_sentence_are_decoded_beside_it_and_leave_when_one_is_taken(make_owner, ask, random_bundle):
    owner, heard = make_owner(), []
    owner.submit(ModelChoice(random_bundle)).wait(60)

    def judge(attempt: Attempt) -> Verdict:
        heard.append((attempt.number, attempt.seed, owner.status().sentences))
        if attempt.number < taken:
            return Verdict(again=500 + attempt.number + 1)
        return Verdict(samples=attempt.samples, warnings=(f"took {attempt.number}",))

    def request() -> SpeechRequest:
        made: SpeechRequest = ask(TEXTS[1], seed=7, judge=judge)
        return dataclasses.replace(made, rivals=lambda seed: (501, 502, 503))

    alone = {seed: owner.submit(ask(TEXTS[1], seed=seed)).wait(60) for seed in (7, 501, 503, 504)}
    for taken, seed in ((0, 7), (1, 501), (3, 503)):
        heard.clear()
        ticket = owner.submit(request())
        until(lambda: owner.status().sentences == 4)
        np.testing.assert_allclose(ticket.wait(60).audio.samples, alone[seed].audio.samples, atol=1e-4)
        assert ticket.warnings == (f"took {taken}",)
        # Heard in their order, whichever ended first, and none beyond the one that was taken.
        assert [each[:2] for each in heard] == [(0, 7), (1, 501), (2, 502), (3, 503)][: taken + 1]
        until(lambda: owner.status().sentences == 0)
        assert all(not core.rows and not core.loop.busy for core in owner._residents.cores)
    # Beyond its rivals a sentence is said again one by one.
    taken = 4
    np.testing.assert_allclose(owner.submit(request()).wait(60).audio.samples, alone[504].audio.samples, atol=1e-4)


def test_what_has_rivals_and_breaks_the_loop_still_answers(make_owner, ask, random_bundle, monkeypatch):
    owner, step = make_owner(), SpeechLoop.step
    broken: list[SpeechLoop] = []

    def breaking(loop: SpeechLoop) -> Any:
        if not broken and any(len(row) > 5 for row in loop._rows):
            broken.append(loop)
            raise RuntimeError("out of memory")
        return step(loop)

    def judge(attempt: Attempt) -> Verdict:
        return Verdict(again=attempt.seed + 1) if attempt.number < 2 else Verdict()

    alone = [owner.submit(ask(text, seed=seed)).wait(60) for seed, text in ((9, TEXTS[0]), (3, TEXTS[1]))]
    monkeypatch.setattr(SpeechLoop, "step", breaking)
    rivals = dataclasses.replace(ask(TEXTS[0], seed=7, judge=judge), rivals=lambda seed: (8, 9))
    tickets = [owner.submit(rivals), owner.submit(ask(TEXTS[1], seed=3))]
    until(lambda: bool(broken))
    for ticket, expected in zip(tickets, alone, strict=True):
        np.testing.assert_allclose(ticket.wait(60).audio.samples, expected.audio.samples, atol=1e-4)


def test_a_voice_that_is_no_number_fails_alone_and_says_which_model(make_owner, ask, voice, random_bundle, tmp_path):
    import torch

    from xttsproject.xtts.conditioning import Conditioning

    owner, sick = make_owner(), Conditioning.load(voice)
    owner.submit(ModelChoice(random_bundle)).wait(60)
    alone = owner.submit(ask(TEXTS[1], seed=3)).wait(60)
    Conditioning(torch.full_like(sick.gpt_latents, torch.nan), sick.speaker_embedding).save(tmp_path / "sick")
    tickets = [
        owner.submit(ask(TEXTS[1], seed=3)),
        # Several sentences, all of which end in the same step.
        owner.submit(ask(TEXTS[3], conditioning=tmp_path / "sick")),
        owner.submit(ask(TEXTS[0], conditioning=tmp_path / "sick"), streamed=True),
    ]
    for lost in tickets[1:]:
        with pytest.raises(
            DomainError, match="“tiny” came to values that are no finite numbers, after 0 codes"
        ) as told:
            lost.wait(60)
        assert told.value.code == "model_not_finite"
    assert_alike(tickets[0].wait(60), alone)
    assert "models verify tiny" in owner.status().last_error
    # Nothing of it is left in the places that it had: shorter sentences come there, beside one that reaches further.
    later = [owner.submit(ask(text, seed=3)) for text in (TEXTS[1], TEXTS[2], TEXTS[4])]
    assert_alike(later[0].wait(60), alone)
    for ticket, text in zip(later[1:], (TEXTS[2], TEXTS[4]), strict=True):
        assert_alike(ticket.wait(60), make_owner().submit(ask(text, seed=3)).wait(60))
    until(lambda: owner.status().speaking == 0)
    assert all(not core.rows and not core.loop.busy for core in owner._residents.cores)


def test_a_weight_that_is_no_number_is_told_and_leaves_the_owner_alive(make_owner, ask, random_bundle, tmp_path):
    import torch
    from safetensors.torch import save_file

    from xttsproject.xtts.weights import model_key, read_state

    folder = tmp_path / "sick"
    folder.mkdir()
    state = {name: value.clone() for name, value in read_state(random_bundle, "gpt").items()}
    state["gpt.h.1.mlp.c_fc.weight"][3, 5] = torch.nan
    save_file(state, folder / "gpt.safetensors")
    model, owner = ModelChoice(random_bundle, folder), make_owner()
    sick = owner.submit(ask("Hello there.", model=model, model_key=model_key(model.bundle, model.adapter)))
    fine = owner.submit(ask("Hello there."))
    with pytest.raises(DomainError, match="no finite numbers"):
        sick.wait(60)
    assert fine.wait(60) is not None


def test_a_judge_that_breaks_hurts_its_own_request_only(make_owner, ask):
    def judge(attempt: Attempt) -> Verdict:
        raise ZeroDivisionError

    owner = make_owner()
    broken, fine = owner.submit(ask("Hello there.", judge=judge)), owner.submit(ask("Hello there."))
    with pytest.raises(ZeroDivisionError):
        broken.wait(60)
    assert fine.wait(60) is not None


@pytest.fixture
def tuned(random_bundle: Path, tmp_path: Path) -> list[ModelChoice]:
    """Three models fine-tuned upon the small one."""
    from safetensors.torch import save_file

    from xttsproject.xtts.weights import read_state

    state, made = read_state(random_bundle, "gpt"), []
    for number in range(3):
        folder = tmp_path / f"tuned-{number}"
        folder.mkdir()
        save_file({name: value * (1 + 0.01 * number) for name, value in state.items()}, folder / "gpt.safetensors")
        made.append(ModelChoice(random_bundle, folder))
    return made


def _asks(ask: Callable[..., SpeechRequest], models: list[ModelChoice], text: str) -> list[SpeechRequest]:
    from xttsproject.xtts.weights import model_key

    return [ask(text, model=model, model_key=model_key(model.bundle, model.adapter)) for model in models]


def test_several_models_speak_in_turns_and_those_without_a_place_wait_for_one(make_owner, ask, tuned):
    owner = make_owner(adapters=2)
    alone = [owner.submit(request).wait(60) for request in _asks(ask, tuned, TEXTS[0])]
    assert owner.status().models == 2
    tickets = [owner.submit(request) for request in _asks(ask, [*tuned, *tuned[:1]], TEXTS[0])]
    together = False
    while not all(ticket.done for ticket in tickets):
        time.sleep(0.01)
        together = together or (tickets[0].fraction > 0 and tickets[1].fraction > 0)
        assert owner.status().models <= 2
    assert together
    for ticket, expected in zip(tickets, [*alone, alone[0]], strict=True):
        assert_alike(ticket.wait(60), expected)


@pytest.fixture
def lora(random_bundle: Path, tmp_path: Path) -> list[ModelChoice]:
    """Two LoRA adapters upon the small model."""
    import torch
    from safetensors.torch import save_file

    from xttsproject.xtts.weights import read_state

    width, made = read_state(random_bundle, "gpt")["gpt.h.0.attn.c_attn.weight"].shape[0], []
    for number in range(2):
        folder = tmp_path / f"lora-{number}"
        folder.mkdir()
        draw = torch.Generator().manual_seed(number)
        name = "base_model.model.gpt.h.{}.attn.c_attn.lora_{}.weight"
        tensors = {
            name.format(layer, factor): 0.1 * torch.randn(*sizes, generator=draw)
            for layer in range(4)
            for factor, sizes in (("A", (4, width)), ("B", (3 * width, 4)))
        }
        save_file(tensors, folder / "adapter_model.safetensors")
        settings = {"peft_type": "LORA", "lora_alpha": 4, "r": 4, "fan_in_fan_out": True, "bias": "none"}
        (folder / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")
        made.append(ModelChoice(random_bundle, folder))
    return made


def test_adapters_of_one_model_share_its_weights_and_its_loop(make_owner, ask, lora, random_bundle, voice):
    from xttsproject.xtts.conditioning import Conditioning
    from xttsproject.xtts.engine import XttsEngine

    owner = make_owner(adapters=1)
    models = [*lora, ModelChoice(random_bundle)]
    tickets = [owner.submit(request) for request in _asks(ask, models, TEXTS[0])]
    speeches = [ticket.wait(60) for ticket in tickets]
    assert owner.status().models == 3
    assert len(owner._residents.cores) == 1
    for model, speech in zip(models, speeches, strict=True):
        merged = XttsEngine.load(model.bundle, adapter=model.adapter)
        assert_alike(speech, merged.speak(TEXTS[0], "en", Conditioning.load(voice), Sampling(seed=1)))
    assert len({speech.audio.samples.tobytes() for speech in speeches}) == 3


def test_one_speech_may_need_more_models_than_there_is_room_for(make_owner, ask, tuned):
    owner = make_owner(adapters=1)
    requests = _asks(ask, tuned, "Hello there.")
    alone = [owner.submit(request).wait(60) for request in requests]
    script = SpeechRequest(tuple(request.pieces[0] for request in requests))
    both = [owner.submit(script), owner.submit(script, streamed=True)]
    for ticket in both:
        speech = ticket.wait(60)
        assert [sentence.piece for sentence in speech.sentences] == [0, 1, 2]
        assert len(speech.audio.samples) == sum(len(each.audio.samples) for each in alone)


def test_with_little_memory_one_model_is_there_while_it_speaks(make_owner, ask, tuned):
    owner = make_owner(low_memory=True)
    requests = _asks(ask, tuned[:2], "Hello there.")
    tickets = [owner.submit(request) for request in requests]
    while not all(ticket.done for ticket in tickets):
        time.sleep(0.01)
        assert owner.status().models <= 1
    assert all(ticket.wait(5) is not None for ticket in tickets)
    until(lambda: owner.status().state == OwnerState.UNLOADED)


def test_a_model_that_cannot_be_loaded_is_known_until_its_files_change(make_owner, ask, random_bundle, tmp_path):
    broken, owner = tmp_path / "broken", make_owner()
    shutil.copytree(random_bundle, broken)
    weights = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(weights[:1000])
    choice = ModelChoice(broken)
    ticket = owner.submit(choice)
    with pytest.raises(Exception, match="damaged|cannot be read"):
        ticket.wait(60)
    assert owner.status().failed == (choice,)
    assert owner.submit(ask("Others speak.")).wait(60) is not None
    assert owner.status().failed == (choice,)
    shutil.rmtree(broken)
    shutil.copytree(random_bundle, broken)
    (broken / "manifest.json").touch()
    assert owner.status().failed == ()
