"""Where the device can record steps, the owner's models do, unless they are told not to."""

from __future__ import annotations

import pytest
import torch

from tests.voices.engine.test_batching import assert_alike
from tests.xttsproject.xtts.looping import Counting
from voices.engine.state import Graphs
from xttsproject.xtts import engine as engines
from xttsproject.xtts.graphs import Recorder

TEXTS = ("This is the first of three.", "Another one, which is somewhat longer than the first.", "Short.")


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Counting:
    """What a GPU would have, in the processor's place."""
    recorder = Counting()

    def of(device: torch.device) -> Recorder:
        return recorder

    monkeypatch.setattr(engines, "recorder_for", of)
    return recorder


def test_requests_hear_the_same_from_recorded_steps(make_owner, ask, recorder):
    ordinary = make_owner(graphs=False)
    expected = [ordinary.submit(ask(text, seed)).wait(60) for seed, text in enumerate(TEXTS)]
    assert recorder.recorded == 0
    owner = make_owner()
    tickets = [owner.submit(ask(text, seed), f"person {seed}") for seed, text in enumerate(TEXTS)]
    for ticket, alone in zip(tickets, expected, strict=True):
        assert_alike(ticket.wait(60), alone)
    first = recorder.recorded
    assert recorder.replayed > 10 * first > 0
    # The next request finds recorded what it needs: the loop stays.
    assert_alike(owner.submit(ask(TEXTS[0], 0)).wait(60), expected[0])
    assert recorder.recorded <= first + 1
    assert recorder.off == ""


def test_whether_steps_are_recorded_is_told(make_owner, ask, recorder):
    owner, ordinary = make_owner(), make_owner(graphs=False)
    assert owner.status().graphs is None
    for each in (owner, ordinary):
        each.submit(ask(TEXTS[2])).wait(60)
    assert owner.status().graphs == Graphs(True)
    recorder.give_up("the driver is too old")
    assert owner.status().graphs == Graphs(False, "the driver is too old")
    told = ordinary.status().graphs
    assert told is not None
    assert (told.recorded, "SPEECH_GRAPHS is off" in told.reason) == (False, True)
