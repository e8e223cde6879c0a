"""Shares with their uncertainty, and the order that pairs amount to."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.engine.ranking import Duel, bradley_terry, places, wilson


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


def solved(found: dict[Any, float], duels: list[Duel[Any]]) -> bool:
    """Whether what each has won is what it is expected to win: the model's score equations, true at the maximum."""
    strength = {name: share / (1 - share) for name, share in found.items()}
    won = dict.fromkeys(found, 0.5)
    expected = dict(found)
    for duel in duels:
        chance = strength[duel.first] / (strength[duel.first] + strength[duel.second])
        won[duel.first] += duel.first_points
        won[duel.second] += duel.second_points
        expected[duel.first] += duel.votes * chance
        expected[duel.second] += duel.votes * (1 - chance)
    return all(won[name] == pytest.approx(expected[name], rel=1e-6) for name in found)


def test_the_strengths_solve_the_likelihoods_equations() -> None:
    duels = [Duel("a", "b", 6, 2, 2), Duel("b", "c", 3, 5, 1), Duel("a", "c", 4, 4, 0), Duel("c", "d", 7, 0, 0)]
    assert solved(bradley_terry("abcd", duels), duels)


@given(
    st.lists(
        st.tuples(*(st.integers(0, 2),) * 2, *(st.sampled_from([0, 1, 3, 100]),) * 3).filter(
            lambda row: row[0] != row[1]
        ),
        max_size=8,
    )
)
def test_they_do_so_however_lopsided_the_votes_are(rows: list[tuple[int, int, int, int, int]]) -> None:
    duels = [Duel(*row) for row in rows]
    assert solved(bradley_terry(range(3), duels), duels)


def test_votes_on_hundreds_of_pairs_are_added_up_at_once() -> None:
    """Each compared with the next only, which is where climbing along one strength at a time hardly gets on."""
    duels = [Duel(each, each + 1, 4 + each % 3, 5, 1) for each in range(199)]
    # The first call prepares libraries.
    bradley_terry("ab", [Duel("a", "b", 1, 0, 0)])
    began = time.process_time()
    found = bradley_terry(range(200), duels)
    # It takes a fiftieth of that.
    assert time.process_time() - began < 0.5
    assert solved(found, duels)


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


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, 0.5, 0.5], [1, 1, 1]),
        ([0.9, 0.4, 0.4, 0.1], [1, 2, 2, 4]),
        ([0.1, 0.3, 0.3 + 1e-12], [3, 1, 1]),
        ([], []),
    ],
)
def test_equal_ones_share_a_place(values: list[float], expected: list[int]) -> None:
    assert places(values) == expected
