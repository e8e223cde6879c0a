"""Sentences that join and leave the speaking loop say what they say alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.xttsproject.xtts.looping import FOUR, assert_alike, run, utterances_of
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.loop import Decoded, Row, SpeechLoop, Utterance
from xttsproject.xtts.sampling import Draw

SENTENCES = (*FOUR, ("five", Draw(greedy=True)), ("the last of six sentences", Draw()))
CAPS = (90, 150, 12, 200, 1, 70)


@pytest.fixture(scope="module")
def utterances(engine: XttsEngine, voice: Conditioning) -> list[Utterance]:
    return utterances_of(engine, voice, SENTENCES, CAPS)


@pytest.fixture(scope="module")
def alone(engine: XttsEngine, utterances: list[Utterance]) -> list[Decoded]:
    return [engine.gpt.decode([utterance])[0] for utterance in utterances]


def test_sentences_may_join_at_any_step(engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded]) -> None:
    loop = SpeechLoop(engine.gpt)
    rows = []
    for utterance, steps in zip(utterances, (3, 1, 25, 7, 0, 40), strict=True):
        rows.append(loop.add(utterance))
        run(loop, steps)
    run(loop)
    assert len({decoded.codes for decoded in alone}) == len(SENTENCES)
    assert_alike(rows, alone)


def test_sentences_that_have_no_place_wait_and_take_the_first_free_one(
    engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded]
) -> None:
    loop = SpeechLoop(engine.gpt, limit=2)
    rows = [loop.add(utterance) for utterance in utterances]
    assert (loop.speaking, loop.waiting) == (0, 6)
    ends: list[Row] = []
    while loop.busy:
        ends += loop.step()
        assert loop.speaking <= 2
    assert sorted(map(rows.index, ends)) == list(range(6))
    assert_alike(rows, alone)


def test_a_sentence_that_is_dropped_leaves_the_others_as_they_are(
    engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded]
) -> None:
    loop = SpeechLoop(engine.gpt, limit=4)
    rows = [loop.add(utterance) for utterance in utterances]
    run(loop, 5)
    loop.drop(rows[0])
    loop.drop(rows[5])
    assert rows[0].done
    assert (rows[0].result().codes, rows[0].finished) == (alone[0].codes[:5], False)
    assert rows[5].done
    assert rows[5].latents().shape == (0, engine.config.gpt.width)
    run(loop)
    assert_alike(rows[1:5], alone[1:5])
    assert len(rows[0]) == 5
    # What has ended already, or twice, changes nothing.
    loop.drop(rows[0])
    loop.drop(rows[1])
    assert_alike(rows[1:2], alone[1:2])


def test_what_was_said_so_far_can_be_heard_while_the_sentence_goes_on(
    engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded]
) -> None:
    loop = SpeechLoop(engine.gpt)
    row = loop.add(utterances[1])
    run(loop, 9)
    assert (len(row), row.done) == (9, False)
    early = row.latents(4)
    assert early.shape == (5, engine.config.gpt.width)
    run(loop)
    assert torch.equal(early, row.latents(4, 9))
    assert torch.equal(torch.cat([row.latents(0, 9), row.latents(9)]), row.result().latents)


def test_the_loop_can_be_used_again_once_it_has_run_out(
    engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded]
) -> None:
    loop = SpeechLoop(engine.gpt)
    assert not loop.busy
    assert loop.step() == []
    for _ in range(2):
        rows = [loop.add(utterance) for utterance in utterances[2:4]]
        run(loop)
        assert_alike(rows, alone[2:4])


def test_a_sentence_too_long_is_refused_before_it_disturbs_anybody(
    engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded]
) -> None:
    loop = SpeechLoop(engine.gpt)
    row = loop.add(utterances[0])
    run(loop, 2)
    with pytest.raises(DomainError, match="split it"):
        loop.add(replace(utterances[0], tokens=(5,) * (engine.config.gpt.longest_text + 1)))
    run(loop)
    assert_alike([row], alone[:1])


def test_a_loop_lets_at_least_one_sentence_in(engine: XttsEngine) -> None:
    with pytest.raises(ValueError, match="at least one"):
        SpeechLoop(engine.gpt, limit=0)
