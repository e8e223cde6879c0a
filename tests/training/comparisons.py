"""What the tests of blind comparisons share: a run that speaks, and people who judge it."""

from __future__ import annotations

from typing import Any

from tests.training.factories import CheckpointFactory, RunFactory, SampleFactory, write_sample
from training.models import EpochSample, Preference, TrainingRun
from training.services import comparison_next, comparison_vote


def spoken_run(owner: Any) -> TrainingRun:
    run = RunFactory(owner=owner, name="Evening voice", visibility="team")
    speak(run, 2)
    return run


def speak(run: TrainingRun, epochs: int) -> None:
    for epoch in range(epochs + 1):
        checkpoint = CheckpointFactory(run=run, epoch=epoch) if epoch else None
        for index, text in enumerate(("A short line.", "Another one, longer.")):
            folder = f"epoch-{epoch:04d}" if epoch else "base"
            SampleFactory(
                run=run,
                checkpoint=checkpoint,
                epoch=epoch,
                prompt_index=index,
                text=text,
                path=f"samples/{folder}/prompt-{index}.wav",
            )


def place_of(preference: Preference, epoch: int) -> str:
    return next(place for place in ("1", "2") if preference.sample(place).epoch == epoch)


def keys(run: TrainingRun, *epochs: int) -> list[int]:
    """Of the checkpoints after these epochs; 0 is the base model."""
    return [run.checkpoints.get(epoch=epoch, kind="epoch").pk if epoch else 0 for epoch in epochs]


def judge_all(run: TrainingRun, voter: Any, likes: Any, among: Any = ()) -> int:
    """Vote on everything that is dealt; ``likes`` takes the two epochs and returns one of them, or None.

    ``among``: epochs of checkpoints.
    """
    votes, among = 0, keys(run, *among)
    while preference := comparison_next(run=run, voter=voter, among=among).preference:
        liked = likes(preference.earlier.epoch, preference.later.epoch)
        assert comparison_vote(
            preference=preference, voter=voter, vote="0" if liked is None else place_of(preference, liked)
        )
        votes += 1
    return votes


def sound_of(run: TrainingRun) -> None:
    """A different length for every sample, so that the tests can tell which one is played."""
    for number, sample in enumerate(EpochSample.objects.filter(run=run)):
        write_sample(sample, 0.5 + 0.1 * number)
