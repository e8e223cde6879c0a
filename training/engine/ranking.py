"""What votes say: a share with its uncertainty, and an order of all from the pairs.

Plain arithmetic on counts; a tie counts as half a win for each side.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Z_95 = 1.959963984540054
"""Standard normal quantile of a two-sided interval of 95 %."""

_ROUNDS, _CLOSE = 10_000, 1e-10

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

    Model of Bradley and Terry (1952): a is preferred to b with probability s_a / (s_a + s_b). The strengths s are
    found by the minorisation-maximisation of Hunter (2004), "MM algorithms for generalized Bradley-Terry models". Each
    has in addition tied once with an imaginary opponent of strength 1, the prior that keeps who has won or lost always
    at a finite strength, joins things that were never compared, and puts what nobody voted on at one half. Returned is
    s / (s + 1).
    """
    counted = [duel for duel in duels if duel.votes]
    points = dict.fromkeys(things, 0.5)
    for duel in counted:
        points[duel.first] += duel.first_points
        points[duel.second] += duel.second_points
    strengths = dict.fromkeys(things, 1.0)
    for _ in range(_ROUNDS):
        shares = {thing: 1 / (strength + 1) for thing, strength in strengths.items()}
        for duel in counted:
            met = duel.votes / (strengths[duel.first] + strengths[duel.second])
            shares[duel.first] += met
            shares[duel.second] += met
        found = {thing: points[thing] / shares[thing] for thing in strengths}
        moved = max((abs(math.log(found[thing] / strengths[thing])) for thing in strengths), default=0.0)
        strengths = found
        if moved < _CLOSE:
            break
    return {thing: strength / (strength + 1) for thing, strength in strengths.items()}
