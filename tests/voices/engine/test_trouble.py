"""What the owner does when things break that should not: whoever waits is told, the next one is served, and nothing of
a request stays in memory."""

from __future__ import annotations

import dataclasses
import gc
import shutil
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.voices.engine.conftest import until
from voices.engine import residents
from voices.engine.owner import OwnerState
from voices.engine.requests import Attempt, ModelChoice, SpeechRequest, Verdict
from voices.engine.sessions import Session
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.loop import SpeechLoop

TEXT = "The first sentence is spoken here. The second one, which is longer, follows it. And a third one ends it."


def test_a_device_that_breaks_while_memory_is_given_back_does_not_end_speech(make_owner, ask, monkeypatch):
    owner = make_owner(idle_seconds=0.1)
    assert owner.submit(ask("Hello there.")).wait(60) is not None

    def broken() -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with monkeypatch.context() as device:
        device.setattr(residents, "give_back_memory", broken)
        until(lambda: owner.status().state == OwnerState.UNLOADED)
        # Whoever asks meanwhile is told at once, and not after half an hour that it took too long.
        with pytest.raises(RuntimeError, match="illegal memory access"):
            owner.submit(ask("Hello there.")).wait(20)
    assert owner.submit(ask("Hello there.")).wait(20) is not None


def test_whoever_waits_is_told_though_what_is_computed_for_them_cannot_be_stopped(make_owner, ask, monkeypatch):
    owner = make_owner()

    def drop(loop: SpeechLoop, row: Any) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    def judge(attempt: Attempt) -> Verdict:
        # The other sentences are in the loop by then.
        raise ZeroDivisionError

    monkeypatch.setattr(SpeechLoop, "drop", drop)
    broken = owner.submit(ask(TEXT * 6, judge=judge))
    with pytest.raises((ZeroDivisionError, RuntimeError)):
        broken.wait(20)
    assert owner.submit(ask("Hello there.")).wait(20) is not None


def memory_for(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that has no more of it: with more sentences in a loop it says what a full GPU says."""
    step = SpeechLoop.step

    def short(loop: SpeechLoop) -> Any:
        if len(loop._rows) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return step(loop)

    monkeypatch.setattr(SpeechLoop, "step", short)


@pytest.mark.parametrize("streamed", [False, True])
def test_sentences_of_one_text_that_do_not_fit_together_are_spoken_one_at_a_time(
    make_owner, ask, monkeypatch, streamed
):
    owner, text = make_owner(), TEXT * 5
    alone = owner.submit(ask(text)).wait(60)
    memory_for(1, monkeypatch)
    spoken = owner.submit(ask(text), streamed=streamed).wait(60)
    assert [each.codes for each in spoken.sentences] == [each.codes for each in alone.sentences]
    assert len(alone.sentences) > 1
    assert abs(spoken.audio.samples - alone.audio.samples).max() < 1e-3
    assert owner.status().last_error == ""


def test_that_memory_ran_out_is_said_in_words_and_what_can_be_given_back_is(make_owner, ask, monkeypatch):
    owner, given_back = make_owner(batch=6), []
    owner.submit(ask("Hello there.")).wait(60)
    with monkeypatch.context() as full:
        memory_for(0, full)
        full.setattr(residents, "give_back_memory", lambda: given_back.append(owner.status().sentences))
        with pytest.raises(DomainError, match=r"Memory ran out .* up to 6 sentences together.* SPEECH_BATCH") as told:
            owner.submit(ask("Hello there.")).wait(20)
        until(lambda: given_back == [0])
    assert told.value.code == "memory_full"
    assert not told.value.permanent
    # Nothing keeps the frames of the step that broke, and with them what lies on the device.
    assert told.value.__cause__ is None
    assert told.value.__context__ is None
    assert owner.status().last_error == told.value.message
    assert owner.submit(ask("Hello there.")).wait(20) is not None


def test_a_request_that_begins_loads_no_library_while_others_wait_for_the_line() -> None:
    """The first one's import takes seconds, in which neither /readyz nor another request would get an answer."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from voices.engine.ear import Ear\n"
        "from voices.engine.requests import ModelChoice\n"
        "from voices.engine.sessions import Session\n"
        "from voices.engine.tickets import Ticket\n"
        "Session(Ticket(ModelChoice(Path('model'))), Ear(lambda: None))\n"
        "print(sorted({'torch', 'TTS', 'transformers'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("streamed", [False, True])
def test_nothing_of_an_answered_request_waits_for_the_garbage_collector(
    make_owner, ask, monkeypatch, no_collector, streamed
):
    """Its sound would, and the collector comes seldom in a process that has loaded much."""
    made: list[weakref.ref[Any]] = []
    begin = Session.__init__

    def remembered(session: Session, *given: Any) -> None:
        begin(session, *given)
        made.append(weakref.ref(session))

    monkeypatch.setattr(Session, "__init__", remembered)
    owner = make_owner()
    ticket = owner.submit(ask(TEXT), streamed=streamed)
    assert ticket.wait(60) is not None
    until(lambda: owner.status().speaking == 0 and made[0]() is None, 5)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_model_that_has_said_its_part_of_a_speech_is_gone_before_the_next_is_loaded(
    make_owner, ask, random_bundle, tmp_path, monkeypatch, streamed
):
    from xttsproject.xtts.engine import XttsEngine

    second = tmp_path / "second"
    shutil.copytree(random_bundle, second)
    loaded: list[weakref.ref[Any]] = []
    beside: list[int] = []
    load: Any = vars(XttsEngine)["load"].__func__

    def counted(cls: Any, *given: Any, **more: Any) -> Any:
        beside.append(sum(each() is not None for each in loaded))
        engine = load(cls, *given, **more)
        loaded.append(weakref.ref(engine))
        return engine

    monkeypatch.setattr(XttsEngine, "load", classmethod(counted))
    one, other = ask("Hello there.").pieces[0], ask("And so on.", model=ModelChoice(second)).pieces[0]
    owner = make_owner()
    both = dataclasses.replace(SpeechRequest((one, other, one)), settled=True)
    assert owner.submit(both, streamed=streamed).wait(60) is not None
    assert beside == [0, 0]
