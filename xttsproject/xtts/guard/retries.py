"""What becomes of a sentence that was judged: it is said again, cut, or delivered with a warning."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from xttsproject.lib.audio import Samples
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.guard.verdict import Fault, Verdict, cut_off
from xttsproject.xtts.types import LONGEST_SEED

_STRIDE = 10_000_019
"""Seeds between one attempt and the next: more than a text has sentences."""
MOST_RETRIES, MOST_CANDIDATES = 5, 8
_UNDERSTOOD = 0.01
"""Character error rate at which no further candidate could be better."""
_CUT_AWAY = frozenset({Fault.BABBLE, Fault.TAIL, Fault.NO_STOP})
_SAVED_BY_CUTTING = 0.5


class Mode(StrEnum):
    """``off`` judges nothing; ``fast`` judges codes and sound; ``careful`` also asks the transcription model."""

    OFF = "off"
    FAST = "fast"
    CAREFUL = "careful"


@dataclass(frozen=True)
class GuardSettings:
    """How sentences are guarded.

    A bad one is said again up to ``max_retries`` times. ``careful`` says every sentence up to ``candidates`` times and
    takes the one that is understood best. Raises :class:`DomainError` ``guard_invalid`` with ``field`` set.
    """

    mode: Mode = Mode.FAST
    max_retries: int = 2
    candidates: int = 3

    def __post_init__(self) -> None:
        if self.mode not in set(Mode):
            raise DomainError(
                "guard_invalid",
                f"The guard is {self.mode!r}, but must be one of {', '.join(Mode)}.",
                field="guard",
            )
        object.__setattr__(self, "mode", Mode(self.mode))
        _whole("max_retries", self.max_retries, 0, MOST_RETRIES)
        _whole("candidates", self.candidates, 1, MOST_CANDIDATES)


@dataclass(frozen=True)
class Decision:
    """``again`` is the seed to say the sentence with once more; otherwise it is settled: ``samples`` is its sound,
    ``attempt`` the place of the one that it is of, ``warnings`` what is to be told, ``faults`` what is wrong with it.
    """

    again: int | None = None
    samples: Samples | None = None
    attempt: int = 0
    attempts: int = 1
    warnings: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class _Attempt:
    samples: Samples
    verdict: Verdict
    errors: float | None

    @property
    def rank(self) -> tuple[float, float]:
        """The lower, the better."""
        badness = self.verdict.badness
        return (badness * _SAVED_BY_CUTTING if self.verdict.cut is not None else badness), self.errors or 0.0


class Retries:
    """Decides over one sentence, attempt by attempt. ``seed`` is that of the first one."""

    def __init__(self, settings: GuardSettings, seed: int):
        self._settings, self._seed = settings, seed
        self._attempts: list[_Attempt] = []

    def decide(
        self, samples: Samples, rate: int, verdict: Verdict, *, errors: float | None = None, final: bool = False
    ) -> Decision:
        """What becomes of the sentence after one more attempt.

        ``errors`` is its character error rate, where it was asked for. ``final``: this sound has been heard already,
        and can only be warned of.
        """
        self._attempts.append(_Attempt(samples, verdict, errors))
        if final:
            return self._settled(len(self._attempts) - 1, samples, verdict, cut=False)
        if self._goes_on(verdict, errors):
            return Decision(again=retry_seed(self._seed, len(self._attempts)))
        best = min(range(len(self._attempts)), key=lambda place: self._attempts[place].rank)
        kept = self._attempts[best]
        sound = cut_off(kept.samples, rate, kept.verdict.cut) if kept.verdict.cut is not None else kept.samples
        decision = self._settled(best, sound, kept.verdict, cut=kept.verdict.cut is not None, rate=rate)
        # Nothing will be asked about it any more.
        self._attempts.clear()
        return decision

    def _goes_on(self, verdict: Verdict, errors: float | None) -> bool:
        said, settings = len(self._attempts), self._settings
        if settings.mode == Mode.OFF:
            return False
        good = any(attempt.verdict.good for attempt in self._attempts)
        if settings.mode == Mode.FAST or errors is None:
            return not good and said <= settings.max_retries
        if verdict.good and errors <= _UNDERSTOOD:
            return False
        return said < settings.candidates or (not good and said < settings.candidates + settings.max_retries)

    def _settled(self, place: int, samples: Samples, verdict: Verdict, *, cut: bool, rate: int = 1) -> Decision:
        left = [finding for finding in verdict.findings if not (cut and finding.fault in _CUT_AWAY)]
        warnings = [finding.message for finding in left]
        if cut:
            lost = (len(self._attempts[place].samples) - len(samples)) / rate
            warnings.insert(0, f"Its end was cut off: {lost:.1f} s that were no words of it.")
        return Decision(
            samples=samples,
            attempt=place,
            attempts=len(self._attempts),
            warnings=tuple(warnings),
            faults=tuple(finding.fault for finding in left),
        )


def retry_seed(seed: int, number: int) -> int:
    """The seed of a sentence's attempt, from that of its first (number 0)."""
    return (seed + number * _STRIDE) % (LONGEST_SEED + 1)


def _whole(field: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        name = field.replace("_", " ")
        raise DomainError(
            "guard_invalid",
            f"The {name} are {value!r}, but must be a whole number from {low} to {high}.",
            field=field,
        )
