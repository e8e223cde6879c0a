"""A recorder that counts, and what the tests of recorded steps do with a loop."""

from __future__ import annotations

from collections.abc import Sequence

from xttsproject.xtts.graphs import Calling, Work
from xttsproject.xtts.loop import Decoded, Row, SpeechLoop
from xttsproject.xtts.steps import Steps


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
