"""What the guard finds of planted faults, and of what it complains without reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from voices.engine.planted.faults import PLANTS, RATE, Workbench
from voices.engine.planted.material import Said
from xttsproject.xtts.guard.pace import Pace, pace_of
from xttsproject.xtts.guard.verdict import Fault, Spoken, Verdict, judge

Log = Callable[[str], None]

LANGUAGE = "en"

RULES: Mapping[str, frozenset[Fault]] = {
    "babble": frozenset({Fault.BABBLE, Fault.TAIL}),
    "truncation": frozenset({Fault.TRUNCATED}),
    "loop": frozenset({Fault.LOOP}),
    "silence": frozenset({Fault.SILENCE}),
    "clipping": frozenset({Fault.CLIPPING}),
    "no_stop": frozenset({Fault.NO_STOP}),
    "tail": frozenset({Fault.TAIL, Fault.BABBLE}),
}
"""The findings that name each fault."""


@dataclass(frozen=True)
class Figures:
    """``recall``: share of the ``planted`` faults that were found as such; ``false_alarms``: share of the ``clean``
    sentences in which the same was found.
    """

    recall: float
    false_alarms: float
    planted: int
    clean: int


class Bench:
    """Measures sentences of ``measured`` with the paces of their voices, known from ``known``."""

    def __init__(self, measured: Sequence[Said], known: Sequence[Said]):
        self._measured = measured
        self._paces = {voice: pace_from(voice, known) for voice in {said.voice for said in measured}}
        self._clean = [self._judge(said) for said in measured]

    def run(self, bench: Workbench, log: Log, rounds: int = 1) -> dict[str, Figures]:
        """``rounds`` faults of each kind are planted in each sentence."""
        found = {}
        for name, plant in PLANTS.items():
            log(f"planting {name}")
            verdicts = [
                self._judge(plant(said, _random(name, said, number), bench))
                for said in self._measured
                for number in range(rounds)
            ]
            found[name] = Figures(
                recall=_share(name, verdicts),
                false_alarms=_share(name, self._clean),
                planted=len(verdicts),
                clean=len(self._clean),
            )
        return found

    def any_alarm(self) -> float:
        """Share of the clean sentences of which anything is complained."""
        return round(sum(not verdict.good for verdict in self._clean) / max(len(self._clean), 1), 4)

    def alarm_unheard(self) -> float:
        """The same of voices of which nothing is known yet."""
        nothing = pace_of(LANGUAGE, ())
        alarms = sum(not judge(_spoken(said), nothing).good for said in self._measured)
        return round(alarms / max(len(self._measured), 1), 4)

    def _judge(self, said: Said) -> Verdict:
        return judge(_spoken(said), self._paces[said.voice])


def pace_from(voice: str, known: Sequence[Said]) -> Pace:
    """As a portal learns it: from what the voice has said before."""
    nothing = pace_of(LANGUAGE, ())
    return pace_of(LANGUAGE, [judge(_spoken(said), nothing).ratio for said in known if said.voice == voice])


def _spoken(said: Said) -> Spoken:
    return Spoken(said.text, said.samples, RATE, said.codes, said.finished)


def table(figures: Mapping[str, Figures]) -> str:
    """A line for each fault, as a Markdown table."""
    lines = ["| fault | recall | false alarms | planted | clean |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, each in figures.items():
        lines.append(f"| {name} | {each.recall:.3f} | {each.false_alarms:.3f} | {each.planted} | {each.clean} |")
    return "\n".join(lines)


def _share(name: str, verdicts: Sequence[Verdict]) -> float:
    return round(sum(bool(verdict.faults & RULES[name]) for verdict in verdicts) / max(len(verdicts), 1), 4)


def _random(name: str, said: Said, number: int) -> np.random.Generator:
    """The same for the same fault and sentence, whatever else is measured."""
    return np.random.default_rng([*name.encode(), *said.voice.encode(), *said.text.encode(), number])
