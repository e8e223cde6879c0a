"""Warm-up rises, decay falls, and no step is spent on a rate of nothing."""

from __future__ import annotations

import pytest

from training.engine.schedule import Schedule
from training.engine.spec import SCHEDULES


def rates(kind: str, warmup: float = 0.1, steps: int = 100) -> list[float]:
    schedule = Schedule(kind, 0.01, steps, warmup)
    return [schedule.rate(step) for step in range(1, steps + 1)]


@pytest.mark.parametrize("kind", SCHEDULES)
def test_the_first_tenth_rises_evenly_to_the_peak(kind: str) -> None:
    assert rates(kind)[:10] == pytest.approx([0.001 * step for step in range(1, 11)])


@pytest.mark.parametrize("kind", ["cosine", "linear"])
def test_after_the_warm_up_the_rate_falls_and_ends_near_nothing(kind: str) -> None:
    after = rates(kind)[10:]
    assert after[0] == pytest.approx(0.01)
    assert all(later < earlier for earlier, later in zip(after, after[1:], strict=False))
    assert 0 < after[-1] < 0.01 * 0.02


def test_cosine_is_halfway_in_the_middle() -> None:
    assert Schedule("cosine", 0.01, 101, 0.0).rate(51) == pytest.approx(0.005, rel=0.05)


def test_constant_stays_at_the_peak() -> None:
    assert set(rates("constant")[10:]) == {0.01}


@pytest.mark.parametrize("kind", SCHEDULES)
def test_without_warm_up_the_first_step_has_the_peak(kind: str) -> None:
    assert rates(kind, warmup=0.0)[0] == 0.01


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_run_of_one_step_trains(kind: str) -> None:
    assert rates(kind, warmup=0.9, steps=1) == [0.01]
