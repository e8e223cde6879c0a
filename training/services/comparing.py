"""Blind comparisons: which pair a person hears next, the vote, and what all votes come to."""

from __future__ import annotations

import io
import itertools
import secrets
import wave
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from training.choices import Vote
from training.engine.levels import levelled
from training.engine.ranking import Duel, bradley_terry, places, wilson
from training.models import EpochSample, Preference, TrainingRun
from training.services.contenders import Contender, contender_of, contenders_heard
from xttsproject.lib.audio import read_wav, write_wav
from xttsproject.lib.errors import DomainError

# Which sample is played first must not be foreseeable.
_random = secrets.SystemRandom()

Pair = tuple[Contender, Contender]
"""Two that speak, the earlier first."""


@dataclass(frozen=True)
class Turn:
    """What a person hears next, None when they have heard all; ``done`` of ``total`` pairs have their vote."""

    preference: Preference | None
    done: int
    total: int

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0


@dataclass(frozen=True)
class PairResult:
    """The later one against the earlier one; ``rate`` counts ties as half, ``low``..``high`` holds the true rate in
    95 of 100 cases."""

    earlier: Contender
    later: Contender
    later_wins: int
    earlier_wins: int
    ties: int
    rate: float
    low: float
    high: float

    @property
    def votes(self) -> int:
        return self.later_wins + self.earlier_wins + self.ties

    @property
    def verdict(self) -> str:
        """``later`` or ``earlier`` where the interval leaves no doubt, else empty."""
        return "later" if self.low > 0.5 else "earlier" if self.high < 0.5 else ""


@dataclass(frozen=True)
class Standing:
    """``share``: how likely the samples of this one are to be preferred to a middling one's; equal ones share a
    ``place``."""

    place: int
    contender: Contender
    share: float
    votes: int


@dataclass(frozen=True)
class Outcome:
    """What the votes on a run come to. ``pairs``: those with votes; ``standings``: the best first."""

    votes: int
    voters: int
    pairs: tuple[PairResult, ...]
    standings: tuple[Standing, ...]


def comparison_next(*, run: TrainingRun, voter: Any, among: Sequence[int] = ()) -> Turn:
    """The pair that the person is to hear: of these checkpoints the one that lies open, else one is drawn and dealt.

    A pair of others that lies open stays as it is: it may be on the screen in another window, and is voted on there.

    ``among``: keys of the checkpoints to compare (0: the base model), all by default. Of the pairs that the person
    has not judged, those with the fewest votes by anybody come first, so that any number of votes is spread over all.
    DomainErrors ``checkpoint_unknown``, ``nothing_to_compare``.
    """
    samples = _samples(run, among)
    pairs = _pairs(samples)
    if not pairs:
        raise DomainError(
            "nothing_to_compare",
            f"“{run.name}” has no two samples of the same sentence to compare"
            f"{' of these checkpoints' if among else ''} yet; wait for its first checkpoints.",
        )
    judged = {(row.earlier_id, row.later_id): row for row in Preference.objects.filter(run=run, voter=voter)}
    given = sum(1 for earlier, later in pairs if (row := judged.get((earlier.pk, later.pk))) and row.vote)
    dealt = (row for a, b in pairs if (row := judged.get((a.pk, b.pk))) and row.is_open)
    open_one = min(dealt, key=lambda row: row.dealt_at, default=None)
    if open_one is None and given < len(pairs):
        open_one = _deal(run, voter, [pair for pair in pairs if (pair[0].pk, pair[1].pk) not in judged])
    if open_one is not None:
        open_one = Preference.objects.with_samples().get(pk=open_one.pk)
    return Turn(open_one, given, len(pairs))


def comparison_vote(*, preference: Preference, voter: Any, vote: str) -> bool:
    """Give the vote "1", "2" or "0" (equal). False where this pair has its vote: the first one stands.

    DomainErrors ``vote_unknown``, ``forbidden`` (somebody else's comparison).
    """
    if preference.voter_id != voter.pk:
        raise DomainError("forbidden", "This comparison was dealt to somebody else; ask for one of your own.")
    if vote not in Vote.values:
        raise DomainError(
            "vote_unknown", f"A vote is 1 (the first), 2 (the second) or 0 (equal), not “{vote}”.", field="vote"
        )
    return preference.settle(Vote(vote))


def comparison_outcome(*, run: TrainingRun, among: Sequence[int] = ()) -> Outcome:
    """What all people's votes on a run come to, over all sentences."""
    # Not the runs of their samples: each vote would bring the whole spec and all facts along, three times.
    rows = Preference.objects.filter(run=run).given().select_related("earlier__checkpoint", "later__checkpoint")
    duels: dict[Pair, Counter[str]] = {}
    voters = set()
    votes = 0
    for row in rows:
        pair = contender_of(row.earlier.checkpoint), contender_of(row.later.checkpoint)
        if among and not {contender.key for contender in pair} <= set(among):
            continue
        winner = row.winner
        side = "tie" if winner is None else "later" if winner.pk == row.later_id else "earlier"
        duels.setdefault(pair, Counter())[side] += 1
        voters.add(row.voter_id)
        votes += 1
    results = tuple(
        _result(pair, duels[pair]) for pair in sorted(duels, key=lambda pair: (pair[0].place, pair[1].place))
    )
    return Outcome(votes, len(voters), results, _standings(contenders_heard(run=run), results))


def _samples(run: TrainingRun, among: Sequence[int]) -> list[EpochSample]:
    """Sentence by sentence, each by the contenders in their order."""
    found = EpochSample.objects.filter(run=run).select_related("checkpoint")
    samples = sorted(found, key=lambda sample: (sample.prompt_index, contender_of(sample.checkpoint).place))
    if not among:
        return samples
    known = {contender.key: contender for contender in contenders_heard(run=run)}
    for key in among:
        if key not in known:
            there = ", ".join(f"{contender.label} ({contender.key})" for contender in known.values())
            raise DomainError(
                "checkpoint_unknown",
                f"“{run.name}” has no samples of a checkpoint {key}; it has those of {there or 'none'}.",
                field="among",
            )
    return [sample for sample in samples if (sample.checkpoint_id or 0) in set(among)]


def _pairs(samples: Iterable[EpochSample]) -> list[tuple[EpochSample, EpochSample]]:
    """Any two samples of the same sentence and seed, the earlier contender's first."""
    alike: dict[tuple[int, str, int], list[EpochSample]] = {}
    for sample in samples:
        alike.setdefault((sample.prompt_index, sample.text, sample.seed), []).append(sample)
    return [pair for group in alike.values() for pair in itertools.combinations(group, 2)]


def _deal(run: TrainingRun, voter: Any, free: list[tuple[EpochSample, EpochSample]]) -> Preference:
    given = Preference.objects.filter(run=run).given()
    heard: Counter[Any] = Counter(given.values_list("earlier__checkpoint", "later__checkpoint"))
    fewest = min(heard[earlier.checkpoint_id, later.checkpoint_id] for earlier, later in free)
    least = [pair for pair in free if heard[pair[0].checkpoint_id, pair[1].checkpoint_id] == fewest]
    earlier, later = _random.choice(least)
    try:
        with transaction.atomic():
            return Preference.objects.create(
                run=run, voter=voter, earlier=earlier, later=later, later_first=_random.random() < 0.5
            )
    except IntegrityError:
        # The person's other window was faster: both show the same pair.
        return Preference.objects.get(voter=voter, earlier=earlier, later=later)


def _result(pair: Pair, counts: Counter[str]) -> PairResult:
    votes = counts.total()
    points = counts["later"] + counts["tie"] / 2
    low, high = wilson(points, votes)
    return PairResult(
        earlier=pair[0],
        later=pair[1],
        later_wins=counts["later"],
        earlier_wins=counts["earlier"],
        ties=counts["tie"],
        rate=points / votes,
        low=low,
        high=high,
    )


def _standings(contenders: Sequence[Contender], results: Sequence[PairResult]) -> tuple[Standing, ...]:
    """Only what was voted on has a place."""
    votes: Counter[Contender] = Counter()
    for result in results:
        votes[result.earlier] += result.votes
        votes[result.later] += result.votes
    duels = [
        Duel(result.earlier, result.later, result.earlier_wins, result.later_wins, result.ties) for result in results
    ]
    shares = bradley_terry([contender for contender in contenders if votes[contender]], duels)
    order = sorted(shares, key=lambda contender: (-shares[contender], contender.place))
    ranked = zip(order, places([shares[contender] for contender in order]), strict=True)
    return tuple(Standing(place, contender, shares[contender], votes[contender]) for contender, place in ranked)


def comparison_wav(*, preference: Preference, place: str) -> bytes:
    """What is played as "1" or "2", at the level at which all samples are compared. DomainError ``sample_gone``."""
    try:
        audio = read_wav(preference.sample(place).audio_path)
    except (OSError, EOFError, wave.Error) as error:
        raise DomainError(
            "sample_gone", f"A sample of “{preference.run}” is no longer on the disk, so it cannot be heard."
        ) from error
    buffer = io.BytesIO()
    write_wav(buffer, levelled(audio))
    return buffer.getvalue()
