"""Blind comparisons: what is dealt, what a vote does, what all of them come to, and at which level they play."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests.training.comparisons import judge_all, keys, speak, spoken_run
from tests.training.factories import CheckpointFactory, RunFactory, SampleFactory
from training.choices import Vote
from training.engine.levels import LEVEL_DBFS, frame_levels, levelled
from training.models import Checkpoint, Preference, TrainingRun
from training.services import comparison_next, comparison_outcome, comparison_vote
from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(people: Any) -> TrainingRun:
    """A shared run of tom's: the base model and two epochs, each saying two sentences; no sound on the disk."""
    return spoken_run(people.tom)


# --- dealing ------------------------------------------------------------------------------------------------------


def test_a_person_is_dealt_every_pair_of_the_same_sentence_once(people: Any, run: TrainingRun) -> None:
    assert judge_all(run, people.anna, lambda earlier, later: later) == 6
    rows = Preference.objects.filter(voter=people.anna)
    assert {(row.earlier.epoch, row.later.epoch, row.text) for row in rows} == {
        (*pair, text)
        for pair in itertools.combinations(range(3), 2)
        for text in ("A short line.", "Another one, longer.")
    }
    assert all(row.earlier.text == row.later.text for row in rows)
    turn = comparison_next(run=run, voter=people.anna)
    assert (turn.preference, turn.done, turn.total, turn.percent) == (None, 6, 6, 100)
    # Somebody else begins anew.
    assert comparison_next(run=run, voter=people.ben).done == 0


def test_the_same_pair_stays_until_it_has_its_vote(people: Any, run: TrainingRun) -> None:
    pairs = {comparison_next(run=run, voter=people.anna).preference.pk for _ in range(5)}  # type: ignore[union-attr]
    assert len(pairs) == 1
    assert Preference.objects.count() == 1


def test_which_is_played_first_is_left_to_chance(people: Any) -> None:
    run = RunFactory(owner=people.tom)
    speak(run, 8)
    judge_all(run, people.tom, lambda earlier, later: None)
    first = Counter(Preference.objects.values_list("later_first", flat=True))
    assert first.total() == 72
    # Fewer than 18 of 72 would be chance once in 80 000 times.
    assert min(first[True], first[False]) >= 18


def test_pairs_with_the_fewest_votes_come_first(people: Any, run: TrainingRun) -> None:
    judge_all(run, people.anna, lambda earlier, later: later, among=(0, 1))
    turn = comparison_next(run=run, voter=people.ben)
    assert turn.preference is not None
    assert (turn.preference.earlier.epoch, turn.preference.later.epoch) != (0, 1)


def test_only_the_epochs_that_are_asked_for_are_compared(people: Any, run: TrainingRun) -> None:
    comparison_next(run=run, voter=people.anna)
    assert judge_all(run, people.anna, lambda earlier, later: None, among=(0, 2)) == 2
    rows = Preference.objects.filter(voter=people.anna).given()
    assert {(row.earlier.epoch, row.later.epoch) for row in rows} == {(0, 2)}
    turn = comparison_next(run=run, voter=people.anna)
    assert (turn.done, turn.total) == (2, 6)


def test_two_windows_that_compare_others_each_keep_their_pair(people: Any, run: TrainingRun, page_for: Any) -> None:
    page = page_for(people.anna)
    key = keys(run, 2)[0]
    here = page.get(f"/runs/{run.pk}/compare/?among=0&among={keys(run, 1)[0]}").context["turn"].preference
    there = page.get(f"/runs/{run.pk}/compare/?among=0&among={key}").context["turn"].preference
    assert here != there
    assert page.get(f"/runs/comparisons/{there.pk}/vote/").status_code == 405
    for preference, vote in ((here, "1"), (there, "2")):
        answer = page.post(f"/runs/comparisons/{preference.pk}/vote/", {"vote": vote, "among": ["0", key]}, follow=True)
        assert answer.status_code == 200
        preference.refresh_from_db()
        assert preference.vote == vote
    # What is left open in one window is what a third, which compares all, goes on with.
    left = answer.context["turn"].preference
    assert page.get(f"/runs/{run.pk}/compare/").context["turn"].preference == left
    assert Preference.objects.waiting().count() == 1


def test_what_cannot_be_compared_is_refused(people: Any, run: TrainingRun) -> None:
    for among, code in (([0, 10**9], "checkpoint_unknown"), (keys(run, 1), "nothing_to_compare")):
        with pytest.raises(DomainError) as caught:
            comparison_next(run=run, voter=people.anna, among=among)
        assert caught.value.code == code
        assert "nothing" not in code or "of these checkpoints" in caught.value.message


def test_samples_of_other_seeds_or_sentences_are_no_pair(people: Any) -> None:
    run = RunFactory(owner=people.tom)
    SampleFactory(checkpoint=CheckpointFactory(run=run, epoch=1), text="One.")
    SampleFactory(checkpoint=CheckpointFactory(run=run, epoch=2), text="Two.")
    SampleFactory(checkpoint=CheckpointFactory(run=run, epoch=3), text="One.", seed=2)
    with pytest.raises(DomainError, match="no two samples of the same sentence"):
        comparison_next(run=run, voter=people.tom)


def average_of(run: TrainingRun, *epochs: int) -> Checkpoint:
    """A checkpoint beside those of the epochs, which says the same sentences; it stands under its last epoch."""
    made: Checkpoint = CheckpointFactory(
        run=run,
        kind="average",
        averaged=list(epochs),
        epoch=epochs[-1],
        path=f"checkpoints/average-{'-'.join(f'{epoch:04d}' for epoch in epochs)}",
    )
    for index, text in enumerate(("A short line.", "Another one, longer.")):
        path = f"samples/{made.folder.name}/prompt-{index}.wav"
        SampleFactory(checkpoint=made, prompt_index=index, text=text, path=path)
    return made


def test_an_average_is_compared_like_the_others_and_votes_given_before_stay(
    people: Any, run: TrainingRun, page_for: Any
) -> None:
    assert judge_all(run, people.anna, lambda earlier, later: later) == 6
    made = average_of(run, 1, 2)
    # Two sentences against each of the three that were there.
    turn = comparison_next(run=run, voter=people.anna)
    assert (turn.done, turn.total) == (6, 12)
    while preference := comparison_next(run=run, voter=people.anna).preference:
        assert preference.later.checkpoint == made
        place = next(place for place in "12" if preference.sample(place) == preference.later)
        comparison_vote(preference=preference, voter=people.anna, vote=place)
    outcome = comparison_outcome(run=run)
    assert (outcome.votes, len(outcome.pairs)) == (12, 6)
    told = {(pair.earlier.label, pair.later.label): pair.later_wins for pair in outcome.pairs}
    assert told["epoch 2", "average of epochs 1, 2"] == told["epoch 1", "epoch 2"] == 2
    assert [standing.contender.key for standing in outcome.standings] == [made.pk, *keys(run, 2, 1, 0)]
    page = page_for(people.ben)
    html = " ".join(page.get(f"/runs/{run.pk}/compare/outcome/").content.decode().split())
    assert "Average of epochs 1, 2 against the base model" in html
    html = page.get(f"/runs/{run.pk}/compare/?among=0&among={made.pk}").content.decode()
    assert "0 of 2 pairs judged" in html
    assert f'name="among" value="{made.pk}" checked> Average of epochs 1, 2' in html


# --- voting -------------------------------------------------------------------------------------------------------


def test_the_first_vote_stands(people: Any, run: TrainingRun) -> None:
    preference = comparison_next(run=run, voter=people.anna).preference
    assert preference is not None
    stale = Preference.objects.get(pk=preference.pk)
    assert comparison_vote(preference=preference, voter=people.anna, vote="1")
    assert not comparison_vote(preference=stale, voter=people.anna, vote="2")
    assert Preference.objects.get().vote == Vote.FIRST
    assert stale.vote == Vote.FIRST


def test_a_vote_that_is_none_and_somebody_elses_pair_are_refused(people: Any, run: TrainingRun) -> None:
    preference = comparison_next(run=run, voter=people.anna).preference
    assert preference is not None
    for voter, vote, code in ((people.anna, "3", "vote_unknown"), (people.ben, "1", "forbidden")):
        with pytest.raises(DomainError) as caught:
            comparison_vote(preference=preference, voter=voter, vote=vote)
        assert caught.value.code == code
    assert Preference.objects.get().is_open


def test_the_winner_is_what_was_played_in_that_place(people: Any, run: TrainingRun) -> None:
    preference = comparison_next(run=run, voter=people.anna).preference
    assert preference is not None
    for later_first, vote, winner in itertools.product((True, False), "12", ("later", "earlier")):
        preference.later_first, preference.vote = later_first, vote
        assert (preference.winner == getattr(preference, winner)) == (
            (winner == "later") == (later_first == (vote == "1"))
        )
    preference.vote = "0"
    assert preference.winner is None


# --- what they come to --------------------------------------------------------------------------------------------


def test_the_votes_of_several_people_make_rates_and_an_order(people: Any, run: TrainingRun) -> None:
    # Epoch 1 is liked best; anna finds it equal to epoch 2.
    def likes(earlier: int, later: int) -> int:
        return 1 if 1 in (earlier, later) else later

    judge_all(run, people.anna, lambda a, b: None if (a, b) == (1, 2) else likes(a, b))
    judge_all(run, people.ben, likes)
    judge_all(run, people.tom, likes)
    outcome = comparison_outcome(run=run)
    assert (outcome.votes, outcome.voters) == (18, 3)
    told = {(pair.earlier.epoch, pair.later.epoch): pair for pair in outcome.pairs}
    assert (told[0, 1].later_wins, told[0, 1].ties, told[0, 1].earlier_wins) == (6, 0, 0)
    assert told[0, 1].verdict == "later"
    assert (told[1, 2].later_wins, told[1, 2].ties, told[1, 2].earlier_wins) == (0, 2, 4)
    assert told[1, 2].rate == pytest.approx(1 / 6)
    # Wilson's interval of 1 in 6: 0.0301 to 0.5635, so no difference is shown yet.
    assert [told[1, 2].low, told[1, 2].high] == pytest.approx([0.0301, 0.5635], abs=1e-4)
    assert told[1, 2].verdict == ""
    assert [standing.contender.epoch for standing in outcome.standings] == [1, 2, 0]
    assert [standing.votes for standing in outcome.standings] == [12, 12, 12]


def test_those_who_are_liked_equally_share_a_place(people: Any, run: TrainingRun, page_for: Any, api_for: Any) -> None:
    # Epoch 2 is liked best, and the two others equally.
    judge_all(run, people.anna, lambda earlier, later: 2 if later == 2 else None)
    outcome = comparison_outcome(run=run)
    assert [(row.place, row.contender.epoch) for row in outcome.standings] == [(1, 2), (2, 0), (2, 1)]
    html = " ".join(page_for(people.ben).get(f"/runs/{run.pk}/compare/outcome/").content.decode().split())
    for place, title in ((1, "Epoch 2"), (2, "Base model"), (2, "Epoch 1")):
        assert f'<td class="number">{place}</td> <th scope="row">{title}</th>' in html
    told = api_for(people.ben).get(f"/api/v1/training-runs/{run.pk}/preferences/").json()
    assert [row["place"] for row in told["standings"]] == [1, 2, 2]


def test_open_pairs_do_not_count(people: Any, run: TrainingRun) -> None:
    comparison_next(run=run, voter=people.anna)
    outcome = comparison_outcome(run=run)
    assert (outcome.votes, outcome.pairs, outcome.standings) == (0, (), ())


# --- the sound ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [0.01, 0.3])
def test_samples_are_played_at_one_level(gain: float) -> None:
    time = np.arange(48_000) / 24_000
    sound = np.where(time < 1, np.sin(2 * np.pi * 300 * time), 0.0)
    levels = frame_levels(levelled(Audio((gain * sound).astype(np.float32), 24_000)))
    assert levels[:49].mean() == pytest.approx(LEVEL_DBFS, abs=0.1)


def test_levelling_clips_nothing_and_leaves_silence_alone() -> None:
    clicks = np.full(24_000, 1e-3, dtype=np.float32)
    clicks[100] = 0.9
    assert np.abs(levelled(Audio(clicks, 24_000)).samples).max() < 1
    silence = Audio(np.zeros(2400, dtype=np.float32), 24_000)
    assert not levelled(silence).samples.any()
