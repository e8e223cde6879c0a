"""What the tests of the loop and of its recorded steps do with one."""

from __future__ import annotations

from collections.abc import Sequence

from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.graphs import Calling, Work
from xttsproject.xtts.loop import Decoded, Row, SpeechLoop, Utterance
from xttsproject.xtts.sampling import Draw
from xttsproject.xtts.steps import Steps

FOUR = (
    ("the first sentence", Draw(temperature=0.9)),
    (
        "a second one, which is quite a bit longer than the first and all the others",
        Draw(greedy=True, repetition_penalty=2.0),
    ),
    ("no", Draw(temperature=1.2, top_k=0, top_p=1.0, repetition_penalty=1.0)),
    ("does the third one end here?", Draw(temperature=0.6, top_k=5)),
)
"""Sentences that differ in length and sampling."""


class Counting(Calling):
    """Counts what is recorded, having warmed up to it as a GPU does, and what is done again."""

    def __init__(self) -> None:
        super().__init__()
        self.recorded, self.replayed = 0, 0

    def record(self, work: Work) -> Work:
        self.recorded += 1
        for _ in range(2):
            work()

        def again() -> None:
            self.replayed += 1
            work()

        return again


def steps_of(loop: SpeechLoop) -> Steps:
    assert loop._steps is not None
    return loop._steps


def utterances_of(
    engine: XttsEngine, voice: Conditioning, sentences: Sequence[tuple[str, Draw]], caps: Sequence[int]
) -> list[Utterance]:
    """Each with other luck, sampling, length and voice."""
    return [
        Utterance(tuple(engine.tokenizer.encode(text, "en")), voice.gpt_latents * (1 + 0.3 * place), cap, place, draw)
        for place, ((text, draw), cap) in enumerate(zip(sentences, caps, strict=True))
    ]


def run(loop: SpeechLoop, steps: int | None = None) -> int:
    """Steps that were done."""
    done = 0
    while loop.busy and done != steps:
        loop.step()
        done += 1
    return done


def assert_alike(rows: Sequence[Row], expected: Sequence[Decoded]) -> None:
    for row, lone in zip(rows, expected, strict=True):
        assert row.done
        said = row.result()
        assert (said.codes, said.finished) == (lone.codes, lone.finished)
        assert (said.latents - lone.latents).abs().max() < 1e-4
