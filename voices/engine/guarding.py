"""The judge of one request's sentences: what the engine's owner asks before a sentence counts as spoken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from voices.engine.requests import Attempt, Hearing, Verdict
from xttsproject.lib.audio import Audio
from xttsproject.lib.error_rates import character_error_rate
from xttsproject.xtts.guard.pace import Pace, pace_of
from xttsproject.xtts.guard.retries import Decision, GuardSettings, Mode, Retries, retry_seed
from xttsproject.xtts.guard.verdict import Spoken, judge, misheard
from xttsproject.xtts.guard.verdict import Verdict as Finding
from xttsproject.xtts.normaliser import normalise
from xttsproject.xtts.text import shorten

Hear = Callable[[Audio, str], str]
"""What a transcription model hears in a sound, in a language."""


@dataclass(frozen=True)
class Report:
    """What became of a sentence: ``codes`` and ``finished`` are those of the attempt that was delivered, ``ratio`` its
    codes per character. ``warnings`` are sentences for people, ``faults`` the names of what is wrong with it.
    """

    codes: int
    finished: bool
    attempts: int
    faults: tuple[str, ...]
    warnings: tuple[str, ...]
    ratio: float


@dataclass
class _Sentence:
    seed: int
    retries: Retries
    said: list[tuple[Attempt, Finding]]


class Guardian:
    """Judges sentences, each with all its attempts. For the owner's thread; reports may be read when all is spoken.

    ``paces`` are those of the voices by the file of their latents and the language; ``hear`` is asked in ``careful``
    mode only, in whichever thread does the listening.
    """

    def __init__(
        self, settings: GuardSettings, paces: Mapping[tuple[Path, str], Pace] | None = None, hear: Hear | None = None
    ):
        self.settings, self._paces = settings, paces or {}
        self._hear = hear if settings.mode == Mode.CAREFUL else None
        self._sentences: dict[int, _Sentence] = {}
        self._reports: dict[int, Report] = {}

    def __call__(self, attempt: Attempt) -> Verdict | Hearing:
        """What becomes of a sentence after this attempt at it; in ``careful`` mode that is to be heard first, unless it
        has been sent already."""
        if attempt.number == 0:
            self._sentences[attempt.seed] = _Sentence(attempt.seed, Retries(self.settings, attempt.seed), [])
        verdict, hear = self._looked_at(attempt), self._hear
        if hear is None or attempt.sent:
            return self._decided(attempt, verdict, None)

        def decide(errors: float) -> Verdict:
            found = misheard(errors)
            heard = replace(verdict, findings=(*verdict.findings, found)) if found else verdict
            return self._decided(attempt, heard, errors)

        return Hearing(lambda: _errors(hear, attempt), decide)

    def _decided(self, attempt: Attempt, verdict: Finding, errors: float | None) -> Verdict:
        sentence = self._sentences.pop(attempt.seed)
        sentence.said.append((attempt, verdict))
        decision = sentence.retries.decide(
            attempt.samples, attempt.sample_rate, verdict, errors=errors, final=attempt.sent
        )
        if decision.again is not None:
            self._sentences[decision.again] = sentence
            return Verdict(again=decision.again)
        self._reports[sentence.seed] = self._report(sentence, decision)
        quote = shorten(attempt.text)
        told = tuple(f"“{quote}”: {warning}" for warning in decision.warnings)
        return Verdict(samples=None if attempt.sent else decision.samples, warnings=told)

    @property
    def chooses(self) -> bool:
        """Whether it is to have several candidates of each sentence: see :meth:`rivals`."""
        return self._hear is not None

    def rivals(self, seed: int) -> tuple[int, ...]:
        """Seeds of the candidates beside the sentence's first attempt, as they are asked for one after the other."""
        number = self.settings.candidates if self.chooses else 1
        return tuple(retry_seed(seed, place) for place in range(1, number))

    def report(self, seed: int) -> Report | None:
        """Of the sentence whose first attempt had this seed."""
        return self._reports.get(seed)

    def _looked_at(self, attempt: Attempt) -> Finding:
        piece, decoded = attempt.piece, attempt.decoded
        spoken = Spoken(
            text=attempt.text,
            samples=attempt.samples,
            sample_rate=attempt.sample_rate,
            codes=decoded.codes[: decoded.spoken_codes],
            finished=decoded.finished,
            speed=piece.sampling.speed,
        )
        pace = self._paces.get((piece.conditioning, piece.language)) or pace_of(piece.language, ())
        return judge(spoken, pace)

    @staticmethod
    def _report(sentence: _Sentence, decision: Decision) -> Report:
        attempt, verdict = sentence.said[decision.attempt]
        return Report(
            codes=attempt.decoded.spoken_codes,
            finished=attempt.decoded.finished,
            attempts=decision.attempts,
            faults=tuple(str(fault) for fault in decision.faults),
            warnings=decision.warnings,
            ratio=round(verdict.ratio, 4),
        )


def _errors(hear: Hear, attempt: Attempt) -> float:
    language = attempt.piece.language
    heard = hear(Audio(attempt.samples, attempt.sample_rate), language)
    return character_error_rate([(normalise(attempt.text, language), normalise(heard, language))])
