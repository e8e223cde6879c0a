"""An epoch is one full pass, its chance depends on seed and place alone, and references fit their clips."""

from __future__ import annotations

import pytest

from training.engine.batches import draw_references, epoch_batches, fixed_references, sequential_batches
from training.engine.seeds import derive, generator

LENGTHS = [1000 + 37 * (index * 7919 % 211) for index in range(101)]


@pytest.mark.parametrize("size", [1, 4, 7])
@pytest.mark.parametrize("epoch", [1, 2, 50])
def test_every_clip_is_in_exactly_one_batch_of_an_epoch(size: int, epoch: int) -> None:
    batches = epoch_batches(LENGTHS, size, 1, epoch)
    assert sorted(index for batch in batches for index in batch) == list(range(101))
    assert len(batches) == -(-101 // size)


def test_the_order_depends_on_seed_and_epoch_and_on_nothing_else() -> None:
    assert epoch_batches(LENGTHS, 4, 1, 3) == epoch_batches(LENGTHS, 4, 1, 3)
    assert epoch_batches(LENGTHS, 4, 1, 3) != epoch_batches(LENGTHS, 4, 1, 4)
    assert epoch_batches(LENGTHS, 4, 1, 3) != epoch_batches(LENGTHS, 4, 2, 3)


def test_clips_of_a_batch_are_alike_in_length() -> None:
    def padding(batches: list[list[int]]) -> int:
        return sum(max(LENGTHS[i] for i in batch) * len(batch) - sum(LENGTHS[i] for i in batch) for batch in batches)

    unsorted = [list(range(first, min(first + 8, 101))) for first in range(0, 101, 8)]
    assert padding(epoch_batches(LENGTHS, 8, 1, 1)) < 0.5 * padding(unsorted)


def test_a_batch_meets_other_clips_in_another_epoch() -> None:
    def together(epoch: int) -> set[frozenset[int]]:
        return {frozenset(batch) for batch in epoch_batches(LENGTHS, 4, 1, epoch)}

    assert len(together(1) & together(2)) < 5


def test_validation_goes_by_length_and_leaves_nothing_out() -> None:
    batches = sequential_batches([30, 10, 20], 2)
    assert batches == [[1, 2], [0]]


@pytest.mark.parametrize("epoch", range(20))
def test_references_of_a_batch_have_one_length_and_lie_within_their_clips(epoch: int) -> None:
    frames = [60, 90, 400, 700, 1000]
    references = draw_references([0, 2, 4], frames, ["a"] * 5, {"a": range(5)}, 86.13, generator(1, epoch))
    assert len({reference.frames for reference in references}) == 1
    for row, reference in zip([0, 2, 4], references, strict=True):
        assert 0 <= reference.start <= frames[reference.index] - reference.frames
        own = reference.index == row
        assert own == (frames[row] >= 2 * reference.frames)


def test_a_short_clip_hears_another_of_its_own_speaker() -> None:
    frames = [60, 1000, 1000]
    for epoch in range(20):
        references = draw_references([0], frames, ["a", "a", "b"], {"a": [0, 1], "b": [2]}, 86.13, generator(1, epoch))
        assert references[0].index == 1


def test_a_lone_short_clip_gives_half_of_itself() -> None:
    references = draw_references([0], [61], ["a"], {"a": [0]}, 86.13, generator(1))
    assert (references[0].index, references[0].frames) == (0, 30)


def heard(batch: list[int], frames: list[int], speakers: str, held_out: int) -> list[tuple[int, int, int]]:
    references = fixed_references(batch, frames, speakers, held_out, 86.13)
    return [(ref.index, ref.start, ref.frames) for ref in references]


def test_a_validation_clip_hears_another_one_of_its_speaker() -> None:
    # 4.5 seconds are 388 frames; the fourth clip is another speaker's, the fifth and sixth are training clips.
    frames, speakers = [500, 600, 700, 900, 800, 900], "aaabaa"
    found = heard([0, 1, 2], frames, speakers, 4)
    assert [length for _, _, length in found] == [388, 388, 388]
    assert all(source != row and source in (0, 1, 2) for row, (source, _, _) in enumerate(found))
    assert found == heard([0, 1, 2], frames, speakers, 4)
    # In a batch of its own it hears the same.
    assert heard([1], frames, speakers, 4) == found[1:2]


def test_a_training_clip_lends_its_sound_where_no_held_out_one_is_long_enough() -> None:
    assert heard([0, 1], [500, 300, 800, 900], "aaab", 2)[0] == (2, 0, 388)
    assert heard([0], [200, 250, 100], "aaa", 2) == [(1, 0, 250)]


def test_a_validation_clip_without_another_of_its_speaker_hears_half_of_itself() -> None:
    assert heard([1, 0], [100, 900, 900], "abc", 2) == [(1, 0, 50), (0, 0, 50)]


def test_of_the_altered_recordings_and_the_clip_itself_each_is_heard_as_often() -> None:
    times = [0] * 5
    for epoch in range(400):
        (reference,) = draw_references([0], [900], ["a"], {"a": [0]}, 86.13, generator(1, epoch), 4)
        times[reference.variant] += 1
    assert min(times) > 50
    (plain,) = draw_references([0], [900], ["a"], {"a": [0]}, 86.13, generator(1, 7))
    (altered,) = draw_references([0], [900], ["a"], {"a": [0]}, 86.13, generator(1, 7), 4)
    # What is altered is the sound alone: the stretch is the one that would have been heard.
    assert (plain.start, plain.frames) == (altered.start, altered.frames)


def test_seeds_are_the_same_on_every_machine() -> None:
    assert derive(1, "order", 2) == 1493370279577090964
    assert derive(1, "order", 2) != derive(1, "order", 3)
