"""What each figure should be. Loads no ML library."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Comparator = Literal["≤", "≥", "<"]

_COMPARE = {"≤": operator.le, "≥": operator.ge, "<": operator.lt}


@dataclass(frozen=True)
class Goal:
    """``figure`` is the key in what is measured, ``unit`` one of "%" (of a share), "ms", "s", "" (a plain number)."""

    figure: str
    meaning: str
    comparator: Comparator
    bound: float
    unit: Literal["%", "ms", "s", ""]

    def reached(self, value: float) -> bool:
        return math.isfinite(value) and bool(_COMPARE[self.comparator](value, self.bound))

    def shown(self, value: float) -> str:
        """A value in this goal's unit: ``7.9 %``, ``61 ms``, ``0.052``."""
        if not math.isfinite(value):
            return "none"
        match self.unit:
            case "%":
                return f"{100 * value:.1f} %"
            case "ms":
                return f"{value:.0f} ms"
            case "s":
                return f"{value:.2f} s"
            case _:
                return f"{value:.0f}" if float(value).is_integer() and abs(value) >= 1 else f"{value:+.3f}"

    @property
    def wanted(self) -> str:
        return f"{self.comparator} {self.shown(self.bound).lstrip('+') if self.bound else 0}"


GOALS = (
    Goal("whisper_cer_clean", "character error rate of the tiny Whisper on clean speech", "≤", 0.08, "%"),
    Goal("whisper_cer_noise", "the same with noise 15 dB below the speech", "≤", 0.20, "%"),
    Goal("word_time_error_ms", "median error of word times", "≤", 80, "ms"),
    Goal("speech_cer_seen", "character error rate of speech in voices trained on, as the tiny Whisper hears it",
         "≤", 0.20, "%"),
    Goal("speech_cer_cloned", "the same in voices cloned from unseen ones", "≤", 0.30, "%"),
    Goal("retrieval_50", "cloned speech is nearest to its own text's rendering among 50", "≥", 0.95, "%"),
    Goal("retrieval_one_word", "the same among 10 texts that differ in one word", "≥", 0.75, "%"),
    Goal("duration_ok", "cloned speech lasts 0.85 to 1.15 times the true rendering", "≥", 0.95, "%"),
    Goal("pitch_within_1_5_semitones", "median pitch of cloned speech against its reference", "≥", 0.80, "%"),
    Goal("speaker_identification", "the speaker encoder tells 10 unseen voices apart", "≥", 0.90, "%"),
    Goal("clone_nearest", "cloned speech is nearest to its own reference among 10 voices", "≥", 0.70, "%"),
    Goal("finetune_similarity_gain", "fine-tuning on 3 minutes of an unseen voice: gain of the cosine similarity to "
         "held-out clips", "≥", 0.05, ""),
    Goal("finetune_pitch_change", "fine-tuning: change of the pitch error, in semitones", "<", 0.0, ""),
    Goal("finetune_cer_change", "fine-tuning: change of the character error rate", "≤", 0.0, ""),
    Goal("stop_missed", "sentences of 200 without an end of their own", "≤", 0, ""),
    Goal("load_s", "loading both bundles, imports aside", "<", 2.0, "s"),
)  # fmt: skip


def table(figures: Mapping[str, float]) -> str:
    """A Markdown table of every goal: what it is, its bound, what was reached, and whether that is enough."""
    lines = ["| figure | what | goal | reached | |", "| --- | --- | --- | --- | --- |"]
    for goal in GOALS:
        value = figures.get(goal.figure)
        reached, verdict = ("not measured", "") if value is None else (goal.shown(value), _verdict(goal, value))
        lines.append(f"| `{goal.figure}` | {goal.meaning} | {goal.wanted} | {reached} | {verdict} |")
    return "\n".join(lines)


def missed(figures: Mapping[str, float], *, leave_out: str | None = None) -> list[str]:
    """The goals that are not reached; one that was not measured, or had no value, is none that was reached.

    ``leave_out``: goals that begin so were not to be measured.
    """
    return [
        goal.figure
        for goal in GOALS
        if not goal.reached(figures.get(goal.figure, math.nan))
        and not (leave_out and goal.figure.startswith(leave_out))
    ]


def _verdict(goal: Goal, value: float) -> str:
    return "yes" if goal.reached(value) else "**no**"
