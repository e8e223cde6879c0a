"""What votes say: a share with its uncertainty, and an order of all from the pairs.

Plain arithmetic on counts; a tie counts as half a win for each side.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959963984540054
"""Standard normal quantile of a two-sided interval of 95 %."""

_STEPS, _CLOSE = 100, 1e-10
"""Newton's steps at most, and how small the last is, in logarithms of strengths."""

_EQUAL = 1e-9

Array = NDArray[np.float64]

T = TypeVar("T", bound=Hashable)


def wilson(wins: float, votes: int, z: float = Z_95) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927, "Probable inference, the law of succession, and statistical
    inference"): within 0..1 also for few votes and for shares of 0 and 1. No votes: everything is possible, (0, 1).
    """
    if votes < 0 or not 0 <= wins <= votes:
        raise ValueError(f"Wins are between 0 and the number of votes, got {wins} of {votes}.")
    if votes == 0:
        return 0.0, 1.0
    share = wins / votes
    weight = 1 + z * z / votes
    centre = (share + z * z / (2 * votes)) / weight
    half = z / weight * math.sqrt(share * (1 - share) / votes + z * z / (4 * votes * votes))
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class Duel(Generic[T]):
    """What was voted on one pair: ``wins`` for each side, and ties."""

    first: T
    second: T
    first_wins: int
    second_wins: int
    ties: int

    @property
    def votes(self) -> int:
        return self.first_wins + self.second_wins + self.ties

    @property
    def first_points(self) -> float:
        return self.first_wins + self.ties / 2

    @property
    def second_points(self) -> float:
        return self.second_wins + self.ties / 2


def bradley_terry(things: Sequence[T], duels: Iterable[Duel[T]]) -> dict[T, float]:
    """How likely each is to be preferred to a middling one, 0..1; the higher, the better.

    Model of Bradley and Terry (1952): a is preferred to b with probability s_a / (s_a + s_b). Each has in addition tied
    once with an imaginary opponent of strength 1, the prior that keeps who has won or lost always at a finite strength,
    joins things that were never compared, and puts what nobody voted on at one half. Returned is s / (s + 1).

    In the logarithms of the strengths the likelihood is that of a logistic regression, concave with one maximum, and is
    climbed by Newton's method, whose step is halved where it would lead downwards.
    """
    at = {thing: index for index, thing in enumerate(things)}
    counted = [duel for duel in duels if duel.votes]
    first = np.array([at[duel.first] for duel in counted], dtype=np.intp)
    second = np.array([at[duel.second] for duel in counted], dtype=np.intp)
    votes = np.array([duel.votes for duel in counted], dtype=float)
    points = np.full(len(at), 0.5)
    np.add.at(points, first, [duel.first_points for duel in counted])
    np.add.at(points, second, [duel.second_points for duel in counted])

    def likelihood(logs: Array) -> float:
        expected = votes @ np.logaddexp(logs[first], logs[second]) + np.logaddexp(logs, 0.0).sum()
        return float(points @ logs - expected)

    logs = np.zeros(len(at))
    reached = likelihood(logs)
    for _ in range(_STEPS if at else 0):
        chance, alone = _share(logs[first] - logs[second]), _share(logs)
        gradient = points - alone
        np.subtract.at(gradient, first, votes * chance)
        np.subtract.at(gradient, second, votes * (1 - chance))
        bend = votes * chance * (1 - chance)
        hessian = np.diag(alone * (1 - alone))
        for row, column, sign in ((first, first, 1), (second, second, 1), (first, second, -1), (second, first, -1)):
            np.add.at(hessian, (row, column), sign * bend)
        step = np.linalg.solve(hessian, gradient)
        # What rounding takes from sums of this size leads nowhere.
        least = reached - 1e-12 * abs(reached)
        while (found := likelihood(logs + step)) < least and np.abs(step).max() > _CLOSE:
            step /= 2
        logs, reached = logs + step, found
        if np.abs(step).max() <= _CLOSE:
            break
    return dict(zip(at, _share(logs).tolist(), strict=True))


def _share(logs: Array) -> Array:
    """s / (s + 1) of strengths given by their logarithms."""
    return np.exp(-np.logaddexp(0.0, -logs))


def places(values: Sequence[float]) -> list[int]:
    """The place of each, the highest being 1; equal ones share it, and the next is counted past them: 1, 2, 2, 4.

    Equal is what differs by less than arithmetic rounds.
    """
    order = sorted(values, reverse=True)
    heads = [0]
    for index in range(1, len(order)):
        heads.append(heads[-1] if order[index - 1] - order[index] <= _EQUAL else index)
    by_value = {value: head + 1 for value, head in zip(order, heads, strict=False)}
    return [by_value[value] for value in values]
