"""Shares with their uncertainty, and the order that pairs amount to."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.engine.ranking import Duel, bradley_terry, wilson


@pytest.mark.parametrize(
    ("wins", "votes", "low", "high"),
    [
        # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_that_of_published_tables(wins: int, votes: int, low: float, high: float) -> None:
    assert list(wilson(wins, votes)) == pytest.approx([low, high], abs=5e-5)


def test_no_votes_leave_everything_possible() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("wins", "votes"), [(-1, 3), (4, 3), (0, -1)])
def test_counts_that_cannot_be_are_refused(wins: int, votes: int) -> None:
    with pytest.raises(ValueError, match="between 0 and the number of votes"):
        wilson(wins, votes)


@given(st.integers(1, 400).flatmap(lambda votes: st.tuples(st.integers(0, votes), st.just(votes))))
def test_the_share_lies_in_its_interval(counts: tuple[int, int]) -> None:
    wins, votes = counts
    low, high = wilson(wins, votes)
    assert 0 <= low <= wins / votes + 1e-12
    assert wins / votes - 1e-12 <= high <= 1


def test_two_with_many_votes_have_their_share_as_odds() -> None:
    found = bradley_terry(["a", "b"], [Duel("a", "b", 750, 250, 0)])
    strength = {name: share / (1 - share) for name, share in found.items()}
    assert strength["a"] / (strength["a"] + strength["b"]) == pytest.approx(0.75, abs=0.01)


def test_the_strengths_solve_the_likelihoods_equations() -> None:
    """At the maximum, what each has won is what it is expected to win (the model's score equations)."""
    duels = [Duel("a", "b", 6, 2, 2), Duel("b", "c", 3, 5, 1), Duel("a", "c", 4, 4, 0), Duel("c", "d", 7, 0, 0)]
    found = bradley_terry("abcd", duels)
    strength = {name: share / (1 - share) for name, share in found.items()}
    for name in "abcd":
        won = 0.5 + sum(
            duel.first_points if duel.first == name else duel.second_points
            for duel in duels
            if name in (duel.first, duel.second)
        )
        expected = found[name] + sum(
            duel.votes * strength[name] / (strength[duel.first] + strength[duel.second])
            for duel in duels
            if name in (duel.first, duel.second)
        )
        assert won == pytest.approx(expected, rel=1e-6)


def test_who_always_wins_is_first_and_finite() -> None:
    found = bradley_terry(["low", "high", "unheard"], [Duel("low", "high", 0, 9, 0)])
    assert sorted(found, key=lambda name: -found[name]) == ["high", "unheard", "low"]
    assert all(0 < share < 1 for share in found.values())
    assert found["unheard"] == pytest.approx(0.5)


def test_ties_alone_leave_all_equal() -> None:
    found = bradley_terry(["a", "b", "c"], [Duel("a", "b", 0, 0, 5), Duel("b", "c", 0, 0, 2)])
    assert all(math.isclose(share, 0.5, abs_tol=1e-9) for share in found.values())


def test_an_order_is_found_through_a_third() -> None:
    found = bradley_terry(["a", "b", "c"], [Duel("a", "b", 8, 2, 0), Duel("b", "c", 8, 2, 0)])
    assert found["a"] > found["b"] > found["c"]


def test_nothing_to_order_is_no_order() -> None:
    assert bradley_terry([], []) == {}
