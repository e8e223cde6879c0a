from __future__ import annotations

import numpy as np
import pytest

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.guard.retries import Decision, GuardSettings, Mode, Retries, retry_seed
from xttsproject.xtts.guard.verdict import Fault, Finding, Verdict
from xttsproject.xtts.types import LONGEST_SEED

RATE = 100


def sound(mark: float) -> np.ndarray:
    return np.full(1000, mark, np.float32)


def bad(*faults: Fault, cut: float | None = None) -> Verdict:
    return Verdict(tuple(Finding(fault, 1.0, 0.0, f"It has {fault}.") for fault in faults), cut)


GOOD = Verdict()


def test_a_good_sentence_is_taken_at_once() -> None:
    decision = Retries(GuardSettings(), seed=5).decide(sound(1), RATE, GOOD)

    assert decision.again is None
    assert decision.samples is not None
    assert decision.warnings == ()
    assert decision.attempts == 1


def test_a_bad_one_is_said_again_with_other_seeds_but_not_for_ever() -> None:
    retries = Retries(GuardSettings(max_retries=2), seed=5)
    first = retries.decide(sound(1), RATE, bad(Fault.LOOP))
    second = retries.decide(sound(2), RATE, bad(Fault.TAIL))
    third = retries.decide(sound(3), RATE, bad(Fault.SILENCE))

    assert first.again == retry_seed(5, 1)
    assert second.again == retry_seed(5, 2)
    assert len({5, first.again, second.again}) == 3
    # The least bad of the three is delivered, with what is wrong with it.
    assert third.again is None
    assert third.samples is not None
    assert third.samples[0] == 2
    assert (third.attempt, third.attempts) == (1, 3)
    assert third.warnings == ("It has tail.",)
    assert third.faults == (Fault.TAIL,)


def test_what_follows_the_end_is_cut_off_where_saying_it_again_did_not_help() -> None:
    decision = Retries(GuardSettings(max_retries=0), seed=1).decide(sound(1), RATE, bad(Fault.BABBLE, cut=4.0))

    assert decision.samples is not None
    assert len(decision.samples) == 406
    assert decision.warnings == ("Its end was cut off: 5.9 s that were no words of it.",)
    assert decision.faults == ()


def test_a_second_attempt_that_is_good_needs_no_warning() -> None:
    retries = Retries(GuardSettings(), seed=1)
    retries.decide(sound(1), RATE, bad(Fault.NO_STOP))

    assert retries.decide(sound(2), RATE, GOOD).warnings == ()


def test_sound_that_was_sent_can_only_be_warned_of() -> None:
    decision = Retries(GuardSettings(), seed=1).decide(sound(1), RATE, bad(Fault.BABBLE, cut=4.0), final=True)

    assert decision.again is None
    assert decision.warnings == ("It has babble.",)
    assert decision.samples is not None
    assert len(decision.samples) == 1000


def test_careful_takes_the_candidate_that_is_understood_best() -> None:
    retries = Retries(GuardSettings(Mode.CAREFUL, candidates=3), seed=1)
    assert retries.decide(sound(1), RATE, GOOD, errors=0.2).again is not None
    assert retries.decide(sound(2), RATE, GOOD, errors=0.1).again is not None
    chosen = retries.decide(sound(3), RATE, bad(Fault.LOOP), errors=0.0)

    assert chosen.samples is not None
    assert chosen.samples[0] == 2


def test_careful_stops_at_a_candidate_that_could_not_be_better() -> None:
    assert Retries(GuardSettings(Mode.CAREFUL), seed=1).decide(sound(1), RATE, GOOD, errors=0.0).again is None


def test_careful_retries_beyond_its_candidates_where_all_are_bad() -> None:
    retries = Retries(GuardSettings(Mode.CAREFUL, candidates=2, max_retries=1), seed=1)
    decisions = [retries.decide(sound(1), RATE, bad(Fault.MISHEARD), errors=0.9) for _ in range(3)]

    assert [decision.again is not None for decision in decisions] == [True, True, False]


def test_without_a_guard_everything_is_taken() -> None:
    assert Retries(GuardSettings(Mode.OFF), seed=1).decide(sound(1), RATE, bad(Fault.LOOP)).again is None


def test_seeds_stay_within_their_bounds() -> None:
    assert 0 <= retry_seed(LONGEST_SEED, 3) <= LONGEST_SEED


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"mode": "eager"}, "guard"),
        ({"max_retries": 6}, "max_retries"),
        ({"max_retries": 1.5}, "max_retries"),
        ({"candidates": 0}, "candidates"),
        ({"candidates": True}, "candidates"),
    ],
)
def test_wrong_settings_name_their_field(values: dict[str, object], field: str) -> None:
    with pytest.raises(DomainError) as caught:
        GuardSettings(**values)  # type: ignore[arg-type]

    assert caught.value.field == field
    assert Decision().again is None
