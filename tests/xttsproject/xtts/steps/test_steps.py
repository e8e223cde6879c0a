"""Recorded steps say what the ordinary ones say, whoever joins and leaves; here they are "replayed" by calling them."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.xttsproject.xtts.looping import Counting, assert_alike, run, steps_of
from xttsproject.xtts.adapters import Adapter
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.graphs import Calling, Work
from xttsproject.xtts.loop import Decoded, SpeechLoop, Utterance


def test_sentences_that_join_and_leave_at_any_step_say_what_they_say_alone(
    engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded], recorder: Counting
) -> None:
    loop, rows, done = SpeechLoop(engine.gpt, recorder=recorder), [], 0
    for utterance, steps in zip(utterances, (3, 1, 20, 7, 0), strict=True):
        rows.append(loop.add(utterance))
        done += run(loop, steps)
    done += run(loop)
    assert len({decoded.codes for decoded in alone}) == len(utterances)
    assert_alike(rows, alone)
    # All but the very first step, which has only a beginning.
    assert recorder.replayed == done - 1
    assert recorder.off == ""


def test_few_steps_are_recorded_and_serve_all(
    engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded], recorder: Counting
) -> None:
    loop = SpeechLoop(engine.gpt, recorder=recorder)
    run_through = []
    for _ in range(2):
        rows = [loop.add(utterances[1]), loop.add(utterances[4])]
        run(loop)
        assert_alike(rows, [alone[1], alone[4]])
        run_through.append(recorder.recorded)
    assert 2 <= run_through[0] <= 6
    assert recorder.replayed > 20 * recorder.recorded
    # The same again finds everything recorded.
    assert run_through[1] == run_through[0]


def test_a_cache_that_grows_makes_what_was_recorded_unusable(
    engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded], recorder: Counting
) -> None:
    loop = SpeechLoop(engine.gpt, recorder=recorder)
    first = loop.add(utterances[0])
    run(loop, 5)
    assert len(steps_of(loop)) == 1
    generation = loop._cache.generation
    # Longer, and one more: other addresses.
    second = loop.add(utterances[1])
    run(loop, 1)
    assert loop._cache.generation > generation
    run(loop, 1)
    assert len(steps_of(loop)) == 1
    assert recorder.recorded == 2
    run(loop)
    assert_alike([first, second], alone[:2])


def test_parked_slots_leave_the_sentences_that_come_into_them_as_they_are(
    engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded], recorder: Counting
) -> None:
    loop = SpeechLoop(engine.gpt, limit=4, recorder=recorder)
    rows = [loop.add(utterance) for utterance in (utterances[0], utterances[3], utterances[2])]
    run(loop, 4)
    # Three in four slots: the fourth is parked, then had by somebody, then by somebody else.
    late = loop.add(utterances[4])
    run(loop, 3)
    loop.drop(late)
    run(loop, 3)
    again = loop.add(utterances[4])
    run(loop)
    assert_alike([*rows, again], [alone[0], alone[3], alone[2], alone[4]])
    assert late.result().codes == alone[4].codes[:3]


def test_a_limit_that_is_no_power_of_two_is_kept(
    engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded], recorder: Counting
) -> None:
    loop = SpeechLoop(engine.gpt, limit=3, recorder=recorder)
    rows = [loop.add(utterance) for utterance in utterances]
    run(loop)
    assert_alike(rows, alone)


def test_a_sentence_that_loses_itself_does_not_reach_the_others(
    engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded], recorder: Counting
) -> None:
    loop = SpeechLoop(engine.gpt, recorder=recorder)
    rows = [loop.add(utterance) for utterance in (utterances[4], utterances[0], utterances[3])]
    run(loop, 6)
    # Its keys are no numbers from here on, as those of a step that overflows are.
    with torch.inference_mode():
        for layer in loop._cache._keys:
            layer[0, :, 3] = torch.nan
    [lost] = loop.step()
    assert lost is rows[0]
    assert lost.lost
    # And somebody else has its slot, and the one that was left, next.
    late = loop.add(utterances[2])
    run(loop)
    assert_alike([*rows[1:], late], [alone[0], alone[3], alone[2]])


def test_adapters_are_recorded_too_and_come_and_go(
    engine: XttsEngine, utterances: list[Utterance], adapters: list[Adapter], recorder: Counting
) -> None:
    wanted = [
        replace(utterance, adapter=adapter, max_codes=min(utterance.max_codes, 50))
        for utterance, adapter in zip(
            utterances, (adapters[0], None, adapters[1], adapters[2], adapters[1]), strict=True
        )
    ]
    expected = [engine.gpt.decode([utterance])[0] for utterance in wanted]
    loop, rows, done = SpeechLoop(engine.gpt, recorder=recorder), [], 0
    for utterance, steps in zip(wanted, (4, 3, 3, 5, 0), strict=True):
        rows.append(loop.add(utterance))
        done += run(loop, steps)
    done += run(loop)
    assert_alike(rows, expected)
    assert recorder.replayed == done - 1
    plain = engine.gpt.decode([replace(wanted[0], adapter=None)])[0]
    assert (plain.latents[0] - expected[0].latents[0]).abs().max() > 1e-2


def test_a_damaged_adapter_is_no_matter_of_the_others(
    engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded], adapters: list[Adapter], recorder: Counting
) -> None:
    name = next(iter(adapters[1].factors))
    first, second = adapters[1].factors[name]
    damaged = Adapter({**adapters[1].factors, name: (torch.full_like(first, torch.inf), second)})
    loop = SpeechLoop(engine.gpt, recorder=recorder)
    rows = [loop.add(replace(utterances[0], adapter=damaged)), loop.add(utterances[3])]
    run(loop)
    assert rows[0].lost
    assert_alike(rows[1:], alone[3:4])


def test_what_came_to_other_values_is_not_used_and_said_once(
    engine: XttsEngine, utterances: list[Utterance], alone: list[Decoded], caplog: pytest.LogCaptureFixture
) -> None:
    class Stale(Counting):
        """From the second recording on it does nothing, as one would that reads and writes at old addresses."""

        def record(self, work: Work) -> Work:
            again = super().record(work)
            return again if self.recorded < 2 else (lambda: None)

    recorder = Stale()
    loop = SpeechLoop(engine.gpt, recorder=recorder)
    first = loop.add(utterances[0])
    run(loop, 5)
    with caplog.at_level(logging.WARNING):
        second = loop.add(utterances[1])
        run(loop)
    assert_alike([first, second], alone[:2])
    assert "other values" in recorder.off
    assert [record.message.count("without recorded steps") for record in caplog.records] == [1]
    # What was recorded before is gone too.
    assert recorder.recorded == 2
    assert loop._steps is None
    # Of another loop either.
    row = (other := SpeechLoop(engine.gpt, recorder=recorder)).add(utterances[2])
    run(other)
    assert_alike([row], alone[2:3])
    assert recorder.recorded == 2


@pytest.mark.parametrize("begun", [False, True])
def test_what_cannot_be_recorded_is_done_in_the_ordinary_way(
    engine: XttsEngine,
    utterances: list[Utterance],
    alone: list[Decoded],
    caplog: pytest.LogCaptureFixture,
    begun: bool,
) -> None:
    class Failing(Calling):
        def record(self, work: Work) -> Work:
            if begun:
                work()
            raise RuntimeError("operation not permitted when stream is capturing")

    recorder = Failing()
    with caplog.at_level(logging.WARNING):
        loop = SpeechLoop(engine.gpt, recorder=recorder)
        rows = [loop.add(utterance) for utterance in utterances]
        run(loop)
    assert_alike(rows, alone)
    assert len(caplog.records) == 1
    assert "operation not permitted" in caplog.records[0].message


def test_of_the_recorded_steps_the_last_used_are_kept(
    engine: XttsEngine,
    utterances: list[Utterance],
    alone: list[Decoded],
    recorder: Counting,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xttsproject.xtts.steps._MOST", 2)
    loop = SpeechLoop(engine.gpt, recorder=recorder)
    rows = [loop.add(utterance) for utterance in utterances]
    while loop.busy:
        loop.step()
        assert len(steps_of(loop)) <= 2
    assert_alike(rows, alone)
    assert recorder.recorded > 2


def test_in_shrunk_weights_the_codes_are_the_same_too(
    random_bundle: Path, utterances: list[Utterance], recorder: Counting
) -> None:
    engine = XttsEngine.load(random_bundle, precision="bf16")
    expected = [engine.gpt.decode([utterance])[0] for utterance in (utterances[2], utterances[4])]
    loop = SpeechLoop(engine.gpt, recorder=recorder)
    rows = [loop.add(utterances[2]), loop.add(utterances[4])]
    run(loop)
    assert_alike(rows, expected)


def test_a_processor_has_no_graphs_and_speaks_in_the_ordinary_way(random_bundle: Path, engine: XttsEngine) -> None:
    assert XttsEngine.load(random_bundle, graphs=True).gpt.recorder is None
    assert SpeechLoop(engine.gpt)._steps is None
