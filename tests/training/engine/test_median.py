"""The median stopping rule."""

from __future__ import annotations

from training.engine.median import hopeless

OTHERS = ([5.0, 4.0, 3.0], [6.0, 5.0, 4.0], [9.0, 9.0, 9.0])


def test_a_trial_that_is_worse_than_the_median_ends_and_says_why() -> None:
    # Running averages of the others at epoch 3: 4, 5, 9; their median is 5.
    found = hopeless([8.0, 7.0, 5.5], OTHERS)
    assert found is not None
    assert (found.epoch, found.best, found.median, found.others) == (3, 5.5, 5.0, 3)
    assert found.sentence == (
        "Stopped after epoch 3: its best validation loss so far, 5.500, is worse than 5.000, the median of 3 other "
        "trials' running averages at that epoch."
    )


def test_the_best_so_far_counts_and_a_tie_goes_on() -> None:
    assert hopeless([4.9, 7.0, 8.0], OTHERS) is None
    assert hopeless([8.0, 7.0, 5.0], OTHERS) is None


def test_nobody_is_judged_too_early_or_against_too_few() -> None:
    assert hopeless([99.0, 99.0], OTHERS) is None
    assert hopeless([99.0, 99.0], OTHERS, grace=2) is not None
    assert hopeless([99.0, 99.0, 99.0], OTHERS[:2]) is None
    # The third has not come as far.
    assert hopeless([99.0, 99.0, 99.0], [*OTHERS[:2], [1.0, 1.0]]) is None
    assert hopeless([], OTHERS) is None


def test_others_are_compared_at_the_same_epoch_whatever_came_after() -> None:
    later = [[*losses, 0.0, 0.0] for losses in OTHERS]
    assert hopeless([8.0, 7.0, 5.5], later) == hopeless([8.0, 7.0, 5.5], OTHERS)
